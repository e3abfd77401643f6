"""Parameter counts, KV sizes and formats of every catalogue model; configs that must be refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from catalogued import load, model_ids
from headway.catalog import catalogue
from headway.errors import InputError
from headway.models import busiest_group, kv_bytes_per_further_token, kv_bytes_read, kv_bytes_stored, model
from headway.models.reach import Reach

ROWS = {r["id"]: r for r in catalogue().table("models").rows}


def test_every_shipped_config_is_catalogued():
    from headway.catalog.loader import SHIPPED

    shipped = {p.name for p in (SHIPPED / "models").glob("*.json") if "hf_quant_config" not in p.name}
    assert shipped == {r["file"] for r in ROWS.values()}
    assert len(shipped) >= 140


@pytest.mark.parametrize("name", model_ids())
def test_rule_5_total_parameters(name):
    """Within 1 % of the published figure or its rounding; exact where the weights index is public knowledge."""
    arch, row = load(name), ROWS[name]
    if row["exact_total"]:
        assert arch.total_parameters == int(float(row["exact_total"]))
    if row["published_total_B"]:
        wanted, rounding = float(row["published_total_B"]), float(row["rounding_B"] or 0)
        assert abs(arch.total_parameters / 1e9 - wanted) <= max(rounding, 0.01 * wanted)
    assert arch.active_parameters <= arch.total_parameters


def _active_conventions(arch):
    """Publishers count embeddings, the head only, or neither."""
    with_all, head_only = arch.active_parameters, arch.active_without_embedding
    return (with_all, head_only, arch.multiplied_parameters, head_only - arch.head.parameters * (not arch.tied))


@pytest.mark.parametrize("name", [n for n in model_ids() if ROWS[n]["published_active_B"]])
def test_rule_5_active_parameters(name):
    """Within 1 %, or the last printed digit rounded or cut off, under one of the conventions that publishers use.

    Cut off: Qwen3-30B-A3B is printed as 3.3 and counts 3.353, DeepSeek-V2-Lite as 2.4 and counts 2.451.
    """
    arch, printed = load(name), ROWS[name]["published_active_B"]
    wanted = float(printed)
    digits = len(printed.split(".")[1]) if "." in printed and not printed.endswith(".0") else 0
    off = [x / 1e9 - wanted for x in _active_conventions(arch)]
    assert any(abs(d) <= max(0.01 * wanted, 0.5 * 10**-digits) or 0 <= d < 10**-digits for d in off)


EXACT = {
    "meta-llama/Meta-Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Meta-Llama-3.1-70B": 70_553_706_496,
    "meta-llama/Meta-Llama-3.1-405B": 405_853_388_800,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-235B-A22B": 235_093_634_560,
    "deepseek-ai/DeepSeek-V3": 671_026_419_200,
    "EleutherAI/gpt-j-6b": 6_050_882_784,
}


@pytest.mark.parametrize(("name", "wanted"), EXACT.items())
def test_exact_counts(name, wanted):
    assert load(name).total_parameters == wanted


KV_ELEMENTS = {  # elements that each further token adds to a long context; catalogue of true shapes, 2026-09
    "meta-llama/Meta-Llama-3.1-8B": 65_536,
    "meta-llama/Meta-Llama-3.1-70B": 163_840,
    "meta-llama/Meta-Llama-3.1-405B": 258_048,
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": 24_576,
    "deepseek-ai/DeepSeek-V3": 35_136,
    "deepseek-ai/DeepSeek-V3.2": 35_136 + 61 * 128,
    "deepseek-ai/DeepSeek-V4-Pro": 4924,
    "deepseek-ai/DeepSeek-V4-Flash": 3440,
    "openai/gpt-oss-120b": 18_432,
    "openai/gpt-oss-20b": 12_288,
    "Qwen/Qwen3-235B-A22B": 96_256,
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": 126_976,
    "Qwen/Qwen3.5-397B-A17B": 15_360,
    "moonshotai/Kimi-K2-Instruct": 35_136,
    "moonshotai/Kimi-K3": 13_824,
    "zai-org/GLM-5.1": 44_928 + 78 * 128,
    "zai-org/GLM-5.2": 44_928 + 21 * 128,  # 57 of 78 layers reuse another layer's selection
    "MiniMaxAI/MiniMax-M2.5": 126_976,
    "MiniMaxAI/MiniMax-M3": 61_440 + 57 * 128,
}


@pytest.mark.parametrize(("name", "wanted"), KV_ELEMENTS.items())
def test_kv_elements_per_token(name, wanted):
    m = load(name)
    growing = [(n, a) for n, a in m.attends() if a.stores and a.reach.kind not in ("window", "chunk")]
    assert sum(n * a.elements / a.reach.ratio for n, a in growing) == wanted
    longer, long = (float(kv_bytes_stored(m, x)) for x in (3e6, 2e6))  # windows and compressors are full
    assert kv_bytes_per_further_token(m) == pytest.approx((longer - long) / 1e6, rel=1e-9)


def test_kv_per_token_of_deepseek_v3_is_70272_bytes():
    arch = load("deepseek-ai/DeepSeek-V3")
    assert kv_bytes_stored(arch, 1.0) == 70_272  # lecture 7.2 [X]
    assert model("deepseek-v3", kv_precision="fp8").kv_format.bytes == 1


def test_hybrids_keep_a_state():
    from headway.models import state_bytes

    qwen = load("Qwen/Qwen3.5-397B-A17B")  # 45 layers of 64 heads x 128 x 128 in fp32, and a bf16 convolution
    assert state_bytes(qwen) == 45 * (64 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 64 * 128) * 2)
    nano = load("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    assert state_bytes(nano) == 23 * (64 * 64 * 128 * 4 + 3 * (64 * 64 + 2 * 8 * 128) * 2)


def test_formats_by_module():
    def formats(name, *roles):
        return {m.format.name for x in load(name).layers for m in x.linears if m.role in roles}

    assert formats("openai/gpt-oss-120b", "expert") == {"mxfp4"}
    assert formats("openai/gpt-oss-120b", "attention", "router") == {"bf16"}
    assert formats("deepseek-ai/DeepSeek-V3", "expert", "attention", "dense", "shared") == {"fp8"}
    assert formats("deepseek-ai/DeepSeek-V3", "router") == {"bf16"}
    assert formats("deepseek-ai/DeepSeek-V4-Flash", "expert") == {"mxfp4"}
    assert formats("deepseek-ai/DeepSeek-V4-Flash", "attention") == {"fp8"}
    assert formats("moonshotai/Kimi-K2.5", "expert") == {"int4-g32"}
    assert formats("moonshotai/Kimi-K2.5", "attention", "shared", "dense") == {"bf16"}
    assert formats("nvidia/DeepSeek-V3.1-NVFP4", "expert") == {"nvfp4"}
    assert formats("nvidia/DeepSeek-V3.1-NVFP4", "attention") == {
        "nvfp4",
        "bf16",
    }  # only the output projection is 4-bit
    assert formats("nvidia/Qwen3.6-35B-A3B-NVFP4", "expert") == {"nvfp4a16"}  # its recipe says W4A16_NVFP4
    assert load("nvidia/Llama-3.1-70B-Instruct-FP8").weight_bytes == pytest.approx(72.65e9, rel=5e-3)
    assert load("openai/gpt-oss-120b").weight_bytes == pytest.approx(65.2e9, rel=5e-3)


def test_precision_option_replaces_the_config():
    arch = model("llama-3.1-70b", precision="fp8")
    assert {m.format.name for x in arch.layers for m in x.linears} == {"fp8"}
    assert arch.head.format.name == "bf16"
    with pytest.raises(InputError, match="fp8"):
        model("llama-3.1-70b", precision="fp9")


# --- refusals: one line that names file, key and remedy


def _config(name):
    file, _ = catalogue().model_file(name)
    return json.loads(file.read_text())


def _write(tmp_path, config):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("deepseek-v3", "n_routed_experts", "num_routed_xperts"),
        ("mixtral-8x7b", "num_local_experts", "n_experts_local"),
        ("qwen3-235b-a22b", "num_experts_per_tok", "topk"),
        ("gpt-oss-120b", "sliding_window", "sliding_windows"),
    ],
)
def test_renamed_keys_never_make_a_dense_model(tmp_path, name, old, new):
    """anchors.md: a dense model silently made of a MoE because a config key had another name."""
    config = _config(name)
    config[new] = config.pop(old)
    with pytest.raises(InputError, match=rf"config\.json: .*({old}|{new})"):
        model(_write(tmp_path, config))


def test_unknown_architecture_key_is_named(tmp_path):
    config = _config("llama-3.1-8b") | {"num_memory_layers": 4}
    with pytest.raises(InputError, match="unknown architecture key num_memory_layers"):
        model(_write(tmp_path, config))


def test_unknown_model_type_suggests(tmp_path):
    config = _config("llama-3.1-8b") | {"model_type": "lama"}
    with pytest.raises(InputError, match=r"unknown model_type 'lama'; did you mean .*llama"):
        model(_write(tmp_path, config))


@pytest.mark.parametrize(
    ("key", "value"),
    [("hidden_size", 0), ("num_hidden_layers", -3), ("vocab_size", "many"), ("num_attention_heads", 1.5)],
)
def test_sizes_that_are_none(tmp_path, key, value):
    config = _config("llama-3.1-8b") | {key: value}
    with pytest.raises(InputError, match=rf"config\.json: {key} is .* whole number"):
        model(_write(tmp_path, config))


def test_broken_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        model(str(tmp_path / "none.json"))
    broken = tmp_path / "config.json"
    broken.write_text("{not json")
    with pytest.raises(InputError, match="not valid JSON"):
        model(str(broken))
    broken.write_text("[1, 2]")
    with pytest.raises(InputError, match="one object"):
        model(str(tmp_path))
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        model(str(broken))


def test_swapped_experts_are_refused(tmp_path):
    config = _config("mixtral-8x7b") | {"num_local_experts": 2, "num_experts_per_tok": 8}
    with pytest.raises(InputError, match="8 experts per token of only 2"):
        model(_write(tmp_path, config))


def test_a_model_folder_and_its_modelopt_recipe(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(_config("llama-3.1-70b")))
    (tmp_path / "hf_quant_config.json").write_text(
        json.dumps(
            {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
        )
    )
    arch = model(str(tmp_path))
    assert arch.name == tmp_path.name
    assert arch.kv_format.bytes == 1
    assert arch.weight_bytes == pytest.approx(72.65e9, rel=5e-3)


def test_unknown_model_name():
    with pytest.raises(InputError, match=r"did you mean .*deepseek-v3"):
        model("deepsek-v3")
    with pytest.raises(InputError, match="hub"):
        model("somebody/unheard-of-model")


def test_a_hub_id_is_fetched_with_the_extra(monkeypatch, tmp_path):
    """With huggingface_hub installed a config is downloaded by id; without it, or offline, one line says so."""
    import sys
    import types

    (tmp_path / "config.json").write_text(json.dumps(_config("llama-3.1-8b")))
    fake = types.ModuleType("huggingface_hub")
    asked = []

    def hf_hub_download(name, file):
        asked.append((name, file))
        if name == "org/offline":
            raise ConnectionError
        return str(tmp_path / "config.json")

    fake.hf_hub_download = hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    assert model("org/some-llama").total_parameters == 8_030_261_248
    assert asked == [("org/some-llama", "config.json")]
    with pytest.raises(InputError, match=r"could not be fetched from the hub \(ConnectionError\)"):
        model("org/offline")


def test_cross_layer_shared_kv_is_read_but_not_stored(tmp_path):
    """Gemma 4 may let its last layers read earlier layers' caches: less memory and weights, the same reads."""
    config = _config("gemma-4-26b-a4b")
    plain = model(_write(tmp_path, config))
    config["text_config"]["num_kv_shared_layers"] = 10
    shared = model(_write(tmp_path, config))
    kinds = config["text_config"]["layer_types"][-10:]
    near, far = kinds.count("sliding_attention"), kinds.count("full_attention")
    saved = near * 1024 * 2 * 8 * 256 * 2 + far * 32_768 * 2 * 2 * 512 * 2
    assert kv_bytes_stored(plain, 32_768.0) - kv_bytes_stored(shared, 32_768.0) == saved
    assert kv_bytes_read(plain, 32_768.0) == kv_bytes_read(shared, 32_768.0)
    assert shared.total_parameters < plain.total_parameters
    config["text_config"]["hidden_size_per_layer_input"] = 256
    with pytest.raises(InputError, match="hidden_size_per_layer_input"):
        model(_write(tmp_path, config))


def test_a_tied_head_stated_outside_the_text_section_counts(tmp_path):
    config = _config("Qwen/Qwen3-VL-2B-Instruct")
    wanted = model(_write(tmp_path, config)).total_parameters
    config["text_config"].pop("tie_word_embeddings")
    assert model(_write(tmp_path, config)).total_parameters == wanted


FAMILIES = (
    "llama-3.1-8b", "mixtral-8x7b", "gpt-oss-20b", "deepseek-v3", "deepseek-v3.2", "deepseek-ai/DeepSeek-V4-Flash",
    "zai-org/GLM-5.2", "Qwen/Qwen3.5-35B-A3B", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "moonshotai/Kimi-K3",
    "google/gemma-4-26B-A4B", "MiniMaxAI/MiniMax-M3", "XiaomiMiMo/MiMo-V2-Flash", "stepfun-ai/Step-3.7-Flash",
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1", "meta-llama/Llama-4-Scout-17B-16E-Instruct", "mpt-7b", "falcon-40b",
    "bloom", "gpt2-xl", "gpt-j-6b", "facebook/opt-30b", "google/PaLM-540B",
)  # fmt: skip
ODD = (None, "text", [1], {"a": 1}, -1, 1.5)


@pytest.mark.parametrize("name", FAMILIES)
def test_any_odd_value_is_read_or_refused_in_one_line(tmp_path, name):
    """Each key of each family with values of another kind: an Architecture or one clear line, never another exception."""
    config = _config(name)
    inner = config.get("text_config", config)
    for section in {id(config): config, id(inner): inner}.values():
        for key, old in list(section.items()):
            for odd in ODD:
                section[key] = odd
                try:
                    layers, said = model(_write(tmp_path, config)).layer_count, ""
                except InputError as error:
                    layers, said = 1, str(error)
                assert layers > 0
                assert "\n" not in said
            section[key] = old


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("gpt-oss-20b", {"num_hidden_layers": 12}, "layer_types has 24 entries for 12 layers"),
        (
            "llama-3.1-8b",
            {"layer_types": ["linear_attention"] * 32},
            "layer 'linear_attention'; known: sliding_attention",
        ),
        ("llama-3.1-8b", {"layer_types": ["sliding_attention"] * 32}, "no sliding_window"),
        ("llama-3.1-8b", {"hidden_act": "relu2"}, "hidden_act = 'relu2' is not known"),
        ("llama-3.1-8b", {"is_encoder_decoder": True}, "is_encoder_decoder"),
        ("llama-3.1-8b", {"tie_word_embeddings": "false"}, "must be true or false"),
        ("llama-3.1-8b", {"num_hidden_layers": 10**9}, "at most 10,000"),
        ("llama-3.1-8b", {"num_key_value_heads": 7}, "does not divide"),
        ("facebook/opt-30b", {"word_embed_proj_dim": 512}, "word_embed_proj_dim = 512 is not known"),
        ("mpt-7b", {"ffn_config": {"ffn_type": "mptglu"}}, "ffn_config"),
        ("deepseek-v3", {"intermediate_size": None}, "intermediate_size"),
        ("deepseek-ai/DeepSeek-V4-Flash", {"compress_ratios": [16] * 44}, "compress_ratios"),
        ("XiaomiMiMo/MiMo-V2-Flash", {"n_shared_experts": 2}, "n_shared_experts = 2"),
        ("llama-3.1-8b", {"quantization_config": {"quant_method": "modelopt"}}, "config_groups is None"),
        ("llama-3.1-8b", {"quantization_config": "fp8"}, "must be an object"),
    ],
)
def test_values_that_would_change_the_model_are_never_silent(tmp_path, name, change, says):
    config = _config(name)
    (config.get("text_config") or config).update(change)
    with pytest.raises(InputError) as caught:
        model(_write(tmp_path, config))
    assert says in str(caught.value)


def test_an_untied_head_counts():
    config = _config("bloom")
    from headway.models import build
    from headway.models.precision import uniform

    tied = build(config, "x", uniform("bf16"), where="c")
    loose = build({**config, "tie_word_embeddings": False}, "x", uniform("bf16"), where="c")
    assert loose.total_parameters - tied.total_parameters == 250_880 * 14_336


def test_weight_only_formats_multiply_in_16_bits():
    for name in ("int4", "nvfp4a16", "int8a16", "fp8a16"):
        assert model("llama-3.1-8b", precision=name).precision.weights.chain == ("bf16",)


def test_modules_kept_by_a_partial_name():
    from headway.models.quantization import read_precision

    found = read_precision(
        {"quantization_config": {"quant_method": "fp8", "modules_to_not_convert": ["self_attn"]}}, "c"
    )
    assert found.of("layers.3.self_attn.q_proj", "attention").name == "bf16"
    assert found.of("layers.3.mlp.up_proj", "dense").name == "fp8-tensor"


@pytest.mark.parametrize(("experts", "active", "groups", "tokens"), [
    (256, 8, 8, 4), (256, 8, 8, 64), (128, 4, 4, 16), (256, 8, 64, 512), (8, 2, 2, 3),
])  # fmt: skip
def test_the_busiest_group_of_experts_under_uniform_routing(experts, active, groups, tokens):
    """Against two thousand random routings: touched experts and tokens of the busiest group over the mean one."""
    rng = np.random.default_rng(1)
    touched, carried = [], []
    for _ in range(2000):
        chosen = rng.random((tokens, experts)).argpartition(active, axis=1)[:, :active]
        count = np.bincount(chosen.ravel(), minlength=experts).reshape(groups, -1)
        touched.append(((count > 0).sum(1).max(), (count > 0).sum(1).mean()))
        carried.append((count.sum(1).max(), count.sum(1).mean()))
    wanted = [np.mean([a for a, _ in x]) / np.mean([b for _, b in x]) for x in (touched, carried)]
    found = busiest_group(experts, active, groups, float(tokens))
    assert 1 + found[0] == pytest.approx(wanted[0], rel=0.06)
    assert 1 + found[1] == pytest.approx(wanted[1], rel=0.06)


def test_one_group_is_never_busier_than_itself():
    assert busiest_group(256, 8, 1, 64.0) == (0.0, 0.0)
    assert busiest_group(8, 8, 4, 64.0) == (0.0, 0.0)
    more = busiest_group(256, 8, 32, np.array([8.0, 64.0, 512.0, 1e5]))[1]
    assert (np.diff(more) < 0).all()  # luck evens out
    assert more[-1] < 0.02


@pytest.mark.parametrize(
    ("law", "read", "kept"),
    [
        (Reach(), 5000, 5000),
        (Reach("window", 128), 128, 128),
        (Reach("chunk", 1000), 500, 1000),  # the mean over positions of a chunk
        (Reach("top-k", 2048), 2048, 5000),  # sparse reading frees no memory
        (Reach("top-k", 512, ratio=4), 512, 1250),
        (Reach("window", 8192), 5000, 5000),
    ],
)
def test_what_a_token_reads_of_5000_and_what_is_kept(law, read, kept):
    assert law.entries(5000.0) == read
    assert law.stored(5000.0) == kept
    assert law.pairs(1.0, 4999.0) == read  # the last of these tokens attends to what it reads
