"""`quantization_config`: every method's bytes and compute rates; nothing in it is read silently wrong."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from headway.errors import InputError
from headway.models import build, kv_bytes_stored, model
from headway.models.precision import uniform
from headway.models.quantization import read_precision

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
UP, DOWN, QUERY = "layers.3.mlp.up_proj", "layers.3.mlp.down_proj", "layers.3.self_attn.q_proj"


def _read(**quant):
    return read_precision({"quantization_config": quant}, "c")


def _scheme(bits, kind, group=None, strategy="channel", symmetric=True):
    return {"num_bits": bits, "type": kind, "group_size": group, "strategy": strategy, "symmetric": symmetric}


def _group(targets, weights, activations=None):
    return {"targets": targets, "weights": weights, "input_activations": activations}


def _ct(*groups, ignore=()):
    named = {f"group_{i}": g for i, g in enumerate(groups)}
    return _read(quant_method="compressed-tensors", config_groups=named, ignore=list(ignore))


# bytes per weight: bits/8 + (scale + zero point) per group
@pytest.mark.parametrize(
    ("quant", "per_weight", "chain"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, 0.5 + 2.5 / 128, ("bf16",)),
        ({"quant_method": "awq", "w_bit": 8, "q_group_size": 64, "zero_point": False}, 1 + 2 / 64, ("bf16",)),
        (
            {"quant_method": "gptq", "bits": 3, "group_size": 128, "desc_act": True},
            3 / 8 + (2 + 3 / 8) / 128,
            ("bf16",),
        ),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, 0.5, ("bf16",)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False}, 0.5 + 4 / 64, ("bf16",)),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
            0.5 + (1 + 4 / 256) / 64,
            ("bf16",),
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 1.0, ("int8", "bf16")),
        (
            {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64, "axis": 1}}},
            0.5 + 4 / 64,
            ("bf16",),
        ),
        (
            {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 2, "group_size": 16, "axis": 1}}},
            0.25 + 4 / 16,
            ("bf16",),
        ),
        ({"quant_method": "exl2", "bits": 4.25, "head_bits": 6, "version": "0.2.4"}, 4.25 / 8, ("bf16",)),
        ({"quant_method": "exl3", "bits": 3.0, "head_bits": 6}, 3 / 8, ("bf16",)),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}, 0.5 + 2.5 / 128, ("bf16",)),
        (
            {
                "quant_method": "torchao",
                "quant_type": {"default": {"_type": "Int4WeightOnlyConfig", "_data": {"group_size": 128}}},
            },
            0.5 + 4 / 128,
            ("bf16",),
        ),
        ({"quant_method": "torchao", "quant_type": "int8_dynamic_activation_int8_weight"}, 1.0, ("int8", "bf16")),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Float8WeightOnlyConfig"}}}, 1.0, ("bf16",)),
        (
            {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"},
            0.25,
            ("int8", "bf16"),
        ),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, 1.0, ("fp8", "bf16")),
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e4m3"}, 1 + 4 / 16384, ("fp8", "bf16")),
        (
            {
                "quant_method": "quark",
                "global_quant_config": {
                    "weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor"},
                    "input_tensors": {"dtype": "fp8_e4m3"},
                },
            },
            1.0,
            ("fp8", "bf16"),
        ),
        (
            {
                "quant_method": "quark",
                "global_quant_config": {
                    "weight": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32},
                    "input_tensors": {"dtype": "fp4"},
                },
            },
            0.53125,
            ("fp4", "bf16"),
        ),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_AWQ", "group_size": 128}, 0.515625, ("bf16",)),
    ],
)
def test_bytes_and_rates_of_each_method(quant, per_weight, chain):
    found = _read(**quant).of(UP, "dense")
    assert found.bytes == pytest.approx(per_weight, rel=1e-6)
    assert found.chain == chain


def test_configs_as_their_tools_write_them():
    """MLX writes its section twice, Quanto and EETQ their own key, Quark a list for weights that are quantised twice."""
    assert _read(group_size=64, bits=4).weights == _read(group_size=64, bits=4, mode="affine").weights
    assert _read(quant_method="quanto", weights="int8").weights.name == "int8a16"
    assert _read(quant_method="quanto", weights="int8", activations="int8").weights.chain[0] == "int8"
    assert _read(quant_method="quanto", weights="int4").weights.payload == 0.5
    assert _read(quant_method="eetq", weights="int8").weights.name == "int8a16"
    with pytest.raises(InputError, match="weights is 'int5'"):
        _read(quant_method="quanto", weights="int5")
    whole = {"_type": "Int8WeightOnlyConfig", "_data": {}}
    named = {
        "_default": {"_type": "Int4WeightOnlyConfig", "_data": {"group_size": 128}},
        "lm_head": whole,
        "model.layers.3.mlp.up_proj": None,
    }
    data = {"default": {"_type": "ModuleFqnToConfig", "_data": {"module_fqn_to_config": named}}}
    found = _read(quant_method="torchao", quant_type=data)
    assert (found.weights.payload, found.of("lm_head", "head").name, found.of(UP, "dense").name) == (
        0.5,
        "int8a16",
        "bf16",
    )
    twice = [{"dtype": "fp8_e4m3", "qscheme": "per_tensor"}, {"dtype": "int4", "qscheme": "per_channel"}]
    stored = _read(
        quant_method="quark", global_quant_config={"weight": twice, "input_tensors": {"dtype": "fp8_e4m3"}}
    ).weights
    assert (stored.payload, stored.chain) == (0.5, ("fp8", "bf16"))


def test_four_bit_weights_under_floating_activations_multiply_in_fp8():
    whole = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}
    found = _ct(_group(["Linear"], whole, {"num_bits": 8, "type": "float"})).weights
    assert found.chain == ("fp8", "bf16")
    assert found.bytes == pytest.approx(0.5 + 2 / 128)


@pytest.mark.parametrize("text", ["(.*){20}Z", "(.|[a-z])*Z", "(.|.)*Z", "(.?){60}Z", "(.{1,30}){1,30}Z"])
def test_patterns_that_match_in_very_many_ways_take_no_time(text):
    from headway.models.patterns import Patterns

    began = time.process_time()
    with contextlib.suppress(InputError):
        Patterns([f"re:{text}"], "c").idle([f"layers.{i}.self_attn.q_proj" for i in range(60)])
    assert time.process_time() - began < 2


def test_patterns_have_a_second_for_all_of_them():
    from headway.models.patterns import Patterns

    many = Patterns([f"re:.*{i}.*.*.*.*Z" for i in range(20_000)], "c")
    with pytest.raises(InputError, match="20,000 patterns take longer than 1 s"):
        many.idle([f"layers.{i}.self_attn.q_proj" for i in range(60)])


def test_mlx_quantises_embeddings_and_head_and_names_layers_of_their_own():
    found = read_precision(
        {
            "quantization": {
                "group_size": 64,
                "bits": 4,
                "mode": "affine",
                "model.layers.3.mlp.down_proj": {"group_size": 32, "bits": 8},
                "model.layers.4.mlp.up_proj": False,
            }
        },
        "c",
    )
    assert found.of("embed_tokens", "embed").bytes == found.of(UP, "dense").bytes == 0.5 + 4 / 64
    assert found.of(DOWN, "dense").bytes == 1 + 4 / 32
    assert found.of("layers.4.mlp.up_proj", "dense").name == "bf16"


@pytest.mark.parametrize(
    ("weights", "activations", "name"),
    [
        (_scheme(8, "int"), _scheme(8, "int", strategy="token"), "int8"),
        (_scheme(8, "int"), None, "int8a16"),
        (_scheme(4, "int", 128), None, "int4"),
        (_scheme(4, "int", 32), None, "int4-g32"),
        (_scheme(8, "float"), _scheme(8, "float"), "fp8-tensor"),
        (_scheme(8, "float"), None, "fp8a16"),
        (_scheme(8, "float", strategy="block"), _scheme(8, "float"), "fp8"),
        (_scheme(4, "float", 16), _scheme(4, "float", 16), "nvfp4"),
        (_scheme(4, "float", 16), None, "nvfp4a16"),
        (_scheme(4, "float", 32), None, "mxfp4"),
        (_scheme(8, "float", 32), _scheme(8, "float"), "mxfp8"),
    ],
)
def test_activations_decide_what_multiplies(weights, activations, name):
    assert _ct(_group(["Linear"], weights, activations)).of(UP, "dense").name == name


def test_int4_weights_with_int8_activations_multiply_as_integers():
    found = _ct(_group(["Linear"], _scheme(4, "int", 128, symmetric=False), _scheme(8, "int"))).of(UP, "dense")
    assert (found.chain, found.bytes) == (("int8", "bf16"), 0.5 + 2.5 / 128)


def test_groups_have_targets_and_ignore_wins():
    """The mixed checkpoints that two publishers ship: FP8 attention and head, NVFP4 feed-forward, FP8 in the last layers."""
    fp8 = _group(
        [r"re:.*self_attn\.(q|k|v|o)_proj$", "lm_head", r"re:.*layers\.(30|31)\.mlp\.(gate|up|down)_proj$"],
        _scheme(8, "float"),
        _scheme(8, "float"),
    )
    fp4 = _group(
        [r"re:.*layers\.([0-9]|[12][0-9])\.mlp\.(gate|up|down)_proj$"], _scheme(4, "float", 16), _scheme(4, "float", 16)
    )
    found = _ct(fp8, fp4, ignore=[r"re:.*layers\.5\.mlp.*", "re:.*visual.*"])
    kinds = {
        p: found.of(p, r).name
        for p, r in (
            (QUERY, "attention"),
            (UP, "dense"),
            ("layers.31.mlp.up_proj", "dense"),
            ("layers.5.mlp.up_proj", "dense"),
            ("lm_head", "head"),
            ("embed_tokens", "embed"),
        )
    }
    assert list(kinds.values()) == ["fp8-tensor", "nvfp4", "fp8-tensor", "bf16", "fp8-tensor", "bf16"]
    arch = build(LLAMA, "x", found, where="c")
    sizes = sum(x.count * sum(m.bytes for m in x.linears) for x in arch.layers)
    attention, block = 2 * 4096 * 4096 + 2 * 4096 * 1024, 3 * 4096 * 14336
    assert sizes == pytest.approx(32 * attention + block * (2 + 29 * 0.5625 + 2))
    assert arch.weights_format == "nvfp4 + fp8-tensor"


def test_wrappers_and_class_names_of_targets():
    found = _ct(_group(["re:model.layers.*mlp.*"], _scheme(8, "float"), _scheme(8, "float")))
    assert (found.of(UP, "dense").name, found.of(QUERY, "attention").name) == ("fp8-tensor", "bf16")
    whole = _ct(_group(["re:^model\\.language_model\\..*proj$"], _scheme(8, "float"), _scheme(8, "float")))
    assert whole.of(UP, "dense").name == "fp8-tensor"


def test_patterns_that_match_nothing_are_said():
    fp8 = {
        "quant_method": "fp8",
        "modules_to_not_convert": ["self_attm", "re:.*visual.*", "lm_head", "model.layers.0.input_layernorm",
                                   "model.layers.32.mlp", "model.layers.99.mlp"],
    }  # fmt: skip
    arch = build({**LLAMA, "quantization_config": fp8}, "x", _read(**fp8), where="c")
    assert [n for n in arch.notes if "match" in n] == [
        "quantization_config: no matrix of the model matches 'self_attm', 'model.layers.99.mlp'"
    ]


@pytest.mark.parametrize(
    ("quant", "says"),
    [
        ({"quant_method": "fp8", "modules_to_not_convert": "self_attn"}, "must be a list"),
        ({"quant_method": "fp8", "modules_to_not_convert": [3]}, "must hold texts"),
        ({"quant_method": "fp8", "modules_to_not_convrt": ["self_attn"]}, "modules_to_not_convrt"),
        ({"quant_method": "awq", "w_bits": 8}, "w_bits"),
        ({"quant_method": "gptq", "bits": 16}, "at most 8"),
        ({"quant_method": "gptq", "bits": "4"}, "must be a whole number"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": "false"}, "must be true or false"),
        ({"quant_method": "bitsandbytes"}, "must be true for bitsandbytes"),
        ({"quant_method": "aqlm"}, "'aqlm' is not known"),
        ({"quant_method": "compresed-tensors"}, "did you mean compressed-tensors"),
        ({"quant_method": "compressed-tensors"}, "config_groups"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"target": ["Linear"], "weights": {"num_bits": 8}}},
            },
            "config_groups.g.target",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bit": 8, "type": "int"}}},
            },
            "num_bit",
        ),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": _group(["Linear"], _scheme(16, "float"))}},
            "16-bit",
        ),
        ({"quant_method": "fp8", "kv_cache_scheme": {"num_bits": 6}}, "caches of 4 and 8 bits"),
        ({"quant_method": "fp8", "modules_to_not_convert": ["re:("]}, "no regular expression"),
        ({"quant_method": "fp8", "modules_to_not_convert": ["re:(([a-z0-9_.])+)+Z"]}, "for ever"),
        ({"quant_method": "fp8", "modules_to_not_convert": ["re:" + "a" * 500]}, "longer than 400"),
        ({"quant_method": "fp8", "modules_to_not_convert": ["*a" * 300]}, "longer than 400"),
    ],
)
def test_nothing_in_it_is_silently_another_model(quant, says):
    with pytest.raises(InputError) as caught:
        build(LLAMA, "x", _read(**quant), where="c")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pattern_that_takes_too_long_is_refused(monkeypatch):
    from headway.models import patterns

    slow = patterns.Patterns(["re:.*a.*b.*c.*"], "c")  # so many repetitions are matched against the clock
    assert slow.first("layers.0.a.b.c") == 0
    assert slow.first("layers.0.mlp") is None

    class Clock:
        pattern = "x"

        def match(self, text, timeout):
            assert timeout < 1
            raise TimeoutError

    monkeypatch.setattr(slow, "_free", [(0, Clock(), True)])
    monkeypatch.setattr(slow, "_known", {})
    with pytest.raises(InputError, match=r"takes longer than 0\.2 s"):
        slow.first("layers.0.mlp")


def test_globs_match_children_and_other_names_of_the_head():
    found = _read(quant_method="fp8", modules_to_not_convert=["model.layers.*.self_attn", "head"])
    assert (found.of(QUERY, "attention").name, found.of("layers.3.self_attnx", "dense").name) == ("bf16", "fp8-tensor")
    assert found.rules.first("lm_head") == 1


def _file(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    return str(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (json.dumps(LLAMA).replace("4096", "1e999", 1), "hidden_size is inf"),
        (json.dumps(LLAMA).replace("4096", "1" * 5000, 1), "a number of 5,000 digits"),
        (json.dumps({**LLAMA, "num_hidden_layers": 10**30}), "at most 10,000"),
        (json.dumps({**LLAMA, "num_nextn_predict_layers": 10**6}), "at most 100"),
        (json.dumps({**LLAMA, "hidden_size": 10**18}), "at most 1,000,000,000"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "too deep"),
        ('{"hidden_size": 1, "hidden_size": 2}', "'hidden_size' stands twice"),
        (json.dumps({**LLAMA, "hidden_size": "x" * 10**6}), "must be a whole number"),
        (json.dumps({**LLAMA, "k" * 10**6: 1}), "unknown architecture key"),
        (json.dumps({**LLAMA, "torch_dtype": "float8_e4m3fn"}), "float8_e4m3fn"),
        (
            json.dumps(
                {**LLAMA, "quantization_config": {"quant_method": "fp8", "modules_to_not_convert": ["a"] * 200_000}}
            ),
            "200,000 entries",
        ),
        (json.dumps({**LLAMA, **{f"key{i}": 1 for i in range(500)}}), "and 495 more"),
    ],
)
def test_a_hostile_config_is_one_short_line_at_once(tmp_path, text, says):
    begin = time.process_time()
    with pytest.raises(InputError) as caught:
        model(_file(tmp_path, text))
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))
    assert time.process_time() - begin < 1.0


def test_a_config_that_is_no_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match="is no file"):
        model(str(tmp_path / "config.json"))


def test_twenty_thousand_patterns_take_no_time(tmp_path):
    names = [f"model.layers.{i}.mlp.experts.{j}" for i in range(32) for j in range(600)]
    quant = {"quant_method": "fp8", "modules_to_not_convert": names}
    begin = time.process_time()
    model(_file(tmp_path, json.dumps({**LLAMA, "quantization_config": quant})))
    assert time.process_time() - begin < 1.0


def test_uniform_keeps_embeddings_and_router():
    assert uniform("int4").of("lm_head", "head").name == "bf16"


@pytest.mark.parametrize(
    ("quant", "says"),
    [
        ({"quant_method": "fp8", "weight_block_size": [-128, 0]}, "weight_block_size"),
        ({"quant_method": "fp8", "weight_block_size": [128]}, "weight_block_size"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 0}, "group_size is 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(quant, says):
    with pytest.raises(InputError, match=says):
        _read(**quant)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "config.json").write_text("\ufeff" + json.dumps(LLAMA), encoding="utf-8")
    assert model(str(tmp_path)).total_parameters == build(LLAMA, "x", uniform("bf16"), where="c").total_parameters


def test_the_library_refuses_what_is_no_model_and_no_context():
    with pytest.raises(InputError, match="the model is"):
        model(3)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(InputError, match="at least 0"):
            kv_bytes_stored(build(LLAMA, "x", uniform("bf16"), where="c"), wrong)
