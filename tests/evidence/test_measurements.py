"""The evidence and its traps: rows as sources state them."""

from __future__ import annotations

import pytest

from cases import measured
from headway.errors import InputError, PhysicsError
from headway.evidence import case_of as case
from headway.evidence import measurements as evidence


def test_the_evidence_is_shipped_whole(data):
    rows, refused = evidence.read(evidence.read_rows(evidence.SHIPPED / "evidence" / "serving.csv.gz"))
    assert (len(rows), len(refused)) == (3574, 2)  # two published facts have no batch
    assert all("batch" in reason for _, _, reason in refused)
    assert len(data.rows) == 3574
    size = sum(f.stat().st_size for f in (evidence.SHIPPED / "evidence").iterdir())
    assert size < 2e6


def test_traps_of_the_sources():
    name = "inferencex run 2026_04_06_gpt_oss_120b_h200_sxm_trtllm_fp4_agg_8192x1024_c4_tp8_ep8_933"
    trap = measured(source="InferenceX (SemiAnalysis) dumps", source_path=name, chips=64, tp=64, ep=8, attention_dp=1)
    assert (trap.chips, trap.tp, trap.ep, trap.dp) == (8, 8, 8, 1)
    name = "inferencex run 2026_04_06_gpt_oss_120b_b200_sxm_trtllm_fp4_agg_1024x1024_c64_tp4_ep4_1904"
    trap = measured(source="InferenceX (SemiAnalysis) dumps", source_path=name, chips=16, tp=1, ep=4, attention_dp=16)
    assert (trap.chips, trap.tp, trap.ep, trap.dp) == (4, 1, 4, 4)
    assert measured(attention_dp="true").dp == 8
    assert measured(attention_dp="1").dp == 1
    assert measured(system="TPU7x (Ironwood)", chips=4, tp=8).tp == 4  # cores, two to a chip
    assert measured(engine="gpt-fast (torch.compile)", osl="").output == 200
    assert measured(speculative="mtp").drafts == 3
    assert measured(speculative="mtp2").drafts == 2
    assert measured(output_tok_s_per_chip=50).measured["output_tok_s"] == 400


def test_duplicates_under_two_labels_agree(data):
    """The rows whose ranks were multiplied in their source predict like the same runs labelled plainly."""
    cases = {}
    for r, c in zip(data.rows, data.cases, strict=True):
        if r.row["source_path"].startswith("inferencex") and "gpt_oss" in r.row["source_path"] and r.ep > 1:
            key = (c.chip.name, c.layout, r.batch, r.prompt, r.output, r.measured["tpot_mean"])
            cases.setdefault(key, set()).add(r.row["chips"])
    assert any(len(v) > 1 for v in cases.values())


@pytest.mark.parametrize(("cells", "says"), [
    ({"isl": "nan"}, "isl"), ({"osl": "-5"}, "osl"), ({"batch_or_concurrency": ""}, "batch_or_concurrency"),
    ({"batch_or_concurrency": "0"}, "positive"), ({"tp": "1.5"}, "tp"), ({"chips": "none at all"}, "chips"),
    ({"load": "open_loop"}, "static_batch"), ({"attention_dp": "maybe"}, "attention_dp"), ({"isl": "1e30"}, "isl"),
    ({"speculative": "yes please"}, "speculative"), ({"disaggregated": "perhaps"}, "disaggregated"),
])  # fmt: skip
def test_malformed_cells_are_named(cells, says):
    with pytest.raises(InputError, match=says):
        measured(**cells)


@pytest.mark.parametrize("cells", [
    {"system": "4xH200", "chips": ""}, {"system": "0xH200"}, {"system": "8x8xH200"}, {"system": "H200x8x2"}, {"pp": 62},
    {"date": "27/03/2026"}, {"date": "2026-13-40"}, {"model": "unsloth/DeepSeek-R1-GGUF", "weights_dtype": ""},
])  # fmt: skip
def test_contradictions_are_refused(cells):
    with pytest.raises(InputError):
        assert case(measured(**{"chips": 999 if "pp" in cells else 8, **cells})).step


def test_attention_dp_in_either_convention():
    """SGLang's tp counts all groups together, vLLM's each; chips tell which."""
    theirs, ours = case(measured(tp=8, attention_dp=4, chips=8)), case(measured(tp=2, attention_dp=4, chips=8))
    assert (str(theirs.layout), str(ours.layout)) == ("tp2dp4", "tp2dp4")


def test_layouts_of_the_evidence():
    dp = case(measured(attention_dp="true", ep=8))
    assert str(dp.layout) == "dp8ep8"
    assert dp.workload.groups == 8
    assert case(measured(chips=16)).shares == 2
    with pytest.raises(PhysicsError, match="does not fit"):
        case(measured(tp=1, chips=1))
    # TensorRT-LLM admits what will fit to its last token, SGLang what fits now
    held = [case(measured(engine=e, kv_dtype="bf16", osl=8192)).workload.slots for e in ("trtllm", "sglang")]
    assert held[0] < held[1]


def test_a_name_without_a_version_is_of_its_day():
    """TensorRT-LLM's table of 2023 says LLaMA 70B and means Llama 2; whoever types llama-70b today means Llama 3."""
    same = {"model": "LLaMA 70B", "system": "H100-SXM", "engine": "trtllm", "tp": 8, "load": "static_batch"}
    assert case(measured(**same, date="2023-11-30")).setting.model.name == "meta-llama/Llama-2-70b-hf"
    assert case(measured(**same, date="2025-11-30")).setting.model.name == "meta-llama/Llama-3.3-70B-Instruct"
    assert case(measured(**same)).setting.model.name == "meta-llama/Llama-3.3-70B-Instruct"
