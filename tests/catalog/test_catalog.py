"""Data discipline: every row has a source and a date, names resolve, constants match their datasheets, users extend."""

from __future__ import annotations

import csv
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from headway.catalog import Catalogue, catalogue, describe, normal, use, using
from headway.errors import InputError
from headway.front import calibration
from headway.hardware import Chip, chip, chips, system, systems
from headway.models import model
from headway.roofline import Calibration, profile, profile_names


@pytest.mark.parametrize("table", catalogue().names())
def test_every_row_has_source_and_date(table):
    for row, place in zip(catalogue().table(table).rows, catalogue().table(table).places, strict=True):
        assert row["source"].strip(), place
        assert row["date"].strip(), place
        assert row["date"][:4].isdigit() or row["date"].startswith("mid-"), place


@pytest.mark.parametrize("table", ["chips", "systems", "models", "formats"])
def test_names_and_aliases_are_unambiguous(table):
    seen: dict[str, str] = {}
    for row in catalogue().table(table).rows:
        key = row.get("name") or row["id"]
        for alias in {normal(a) for a in [key, *row["aliases"].split("|")] if a}:
            assert seen.setdefault(alias, key) == key, alias


def test_every_chip_and_system_loads():
    assert len(chips()) >= 70
    for s in systems():
        assert s.chips >= 1
        assert 1 <= s.domain <= 10_000
        assert s.bandwidth == s.chips * s.chip.bandwidth


@pytest.mark.parametrize(
    "name",
    [
        *(
            "V100",
            "T4",
            "A10G",
            "A40",
            "A100 SXM 40GB",
            "A100 PCIe 40GB",
            "A100 PCIe 80GB",
            "L40",
            "L40S",
            "L4",
            "GH200",
        ),
        *("RTX 3070", "RTX 3080", "RTX 3080 Ti", "RTX 3090", "RTX 4070 Ti", "RTX 4080", "RTX 4090", "RTX A6000"),
        *("RTX 4000 Ada", "RTX 5000 Ada", "RTX 6000 Ada", "Gaudi2", "Gaudi3", "Inferentia2", "Trainium1", "Trainium2"),
        *("MI250X", "MI300X", "MI325X", "MI355X", "MI455X", "TPU v4", "TPU v5e", "TPU v5p", "TPU v6e", "TPU v7"),
        *(
            "m1",
            "m1 max",
            "m2 ultra",
            "m3 max",
            "H100-SXM-80GB",
            "h100",
            "H200-SXM",
            "B200-SXM",
            "GB200",
            "GB300",
            "VR200",
        ),
        *(
            "A100-SXM-80GB",
            "M2 Ultra 76-Core GPU 192GB",
            "M1 7-Core GPU 8GB",
            "MI250X (one GCD)",
            "3090 24GB",
            "TPU7x (Ironwood)",
        ),
    ],
)
def test_names_as_people_write_them(name):
    assert chip(name).bandwidth > 0


# Rule 8: each constant against its datasheet. (name, dense bf16, dense fp8 or None, GB, GB/s, link GB/s per direction)
DATASHEET = [
    ("A100", 312, None, 80, 2039, 300),  # NVIDIA A100: 624 with sparsity; NVLink 600 both ways
    ("A100-40GB", 312, None, 40, 1555, 300),
    ("H100", 989, 1979, 80, 3350, 450),  # NVIDIA H100: 1979 and 3958 with sparsity; NVLink 900 both ways
    ("H200", 989, 1979, 141, 4800, 450),
    ("GB200", 2500, 5000, 186, 8000, 900),  # NVIDIA GB200: NVLink 1800 both ways
    ("MI300X", 1307, 2615, 192, 5300, 448),  # AMD: 7 links of 128 GB/s both ways
    ("V100", 125, None, 32, 900, 150),
    ("T4", 65, None, 16, 320, 16),
    ("RTX 3090", 71, None, 24, 936, 32),  # FP32 accumulate: half of the 142 of FP16 accumulate
    ("RTX 4090", 165, 330, 24, 1008, 32),
    ("TPU v5e", 197, None, 16, 819, 180),
    ("MI250X", 383, None, 128, 3277, 250),
]


@pytest.mark.parametrize(("name", "bf16", "fp8", "memory", "bandwidth", "link"), DATASHEET)
def test_rule_8_constants(name, bf16, fp8, memory, bandwidth, link):
    c = chip(name)
    assert c.bf16 == bf16 * 1e12
    assert c.fp8 == (fp8 * 1e12 if fp8 else None)
    assert (c.memory, c.bandwidth, c.link) == (memory * 1e9, bandwidth * 1e9, link * 1e9)


def test_rule_8_peaks_are_dense():
    """An FP8 rate is at most twice the 16-bit one of the same dense units, FP4 at most twice FP8 (B300, Rubin, 5090: more)."""
    allowed = {"VR200", "B300 SXM", "GB300", "RTX 5090", "RTX 5080", "RTX 5070 Ti", "RTX 5070", "Trainium3", "Gaudi3"}
    for c in chips():
        if c.bf16 and c.fp8 and c.name not in allowed:
            assert c.fp8 <= 2.03 * c.bf16, c.name
        if c.fp8 and c.fp4 and c.name not in allowed:
            assert c.fp4 <= 2.03 * c.fp8, c.name


@pytest.mark.parametrize(("name", "gib"), [
    ("h100", 79.1), ("h200", 143_771 / 1024), ("rtx pro 6000", 97_887 / 1024), ("rtx 5090", 31.4), ("rtx 3090", 23.58), ("gb10", 121.63),
])  # fmt: skip
def test_cards_show_what_they_show(name, gib):
    found = chip(name)
    assert found.usable / 2**30 == pytest.approx(gib, rel=1e-3)
    assert found.visible_source
    assert "derived" not in found.usable_says


def test_visible_memory_is_derived_where_nobody_says_it():
    found = chip("tpu-v5p")
    assert found.usable == pytest.approx(95e9 * 1.0575)
    assert found.usable_says.startswith("derived: 1.0575 x the memory as sold")
    for (
        c
    ) in chips():  # no card shows more than binary gigabytes of what it is sold as, save where the label rounds down
        if c.visible:
            assert 0.6 < c.visible / c.memory < 1.0738, c.name


def test_hardware_ratios_are_about_300():
    assert chip("h100").bf16 / chip("h100").bandwidth == pytest.approx(295.4, rel=1e-3)  # lecture 1.3 table
    assert chip("gb200").fp4 / 2 * 0.5 / chip("gb200").bandwidth == pytest.approx(312.5)


def test_peak_falls_back_to_what_the_chip_has():
    assert chip("h100").peak(("fp4", "bf16")) == chip("h100").bf16
    assert chip("gb200").peak(("fp4", "bf16")) == chip("gb200").fp4
    with pytest.raises(InputError, match=r"Apple M5 Max has no .* rate"):
        chip("m5 max").peak(("fp8",))


@pytest.mark.parametrize(
    ("name", "chips_", "domain"),
    [("h200x8", 8, 8), ("8xH200", 8, 8), ("H200 x 4", 4, 8), ("gb200-nvl72", 72, 72), ("h100", 1, 8), ("mi300xx8", 8, 8),
     ("rtx 4090", 1, 1), ("dgx-h100", 8, 8), ("gb200x4", 4, 72)],
)  # fmt: skip
def test_systems_as_people_write_them(name, chips_, domain):
    s = system(name)
    assert (s.chips, s.domain) == (chips_, domain)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(InputError, match=r"unknown system or chip 'h2000x8': did you mean h200x8"):
        system("h2000x8")
    with pytest.raises(InputError, match=r"unknown chip 'B20': did you mean .*[bB]200"):
        chip("B20")


def test_cpu_is_measured(monkeypatch, tmp_path):
    from headway.hardware import cpu

    monkeypatch.setattr(cpu, "_cache_file", lambda: tmp_path / "cpu.json")
    c = chip("cpu")
    assert 1e9 < c.bandwidth < 1e13
    assert 1e9 < c.bf16 < 1e15
    stamp = (tmp_path / "cpu.json").stat().st_mtime_ns
    assert chip("cpu").bandwidth == c.bandwidth  # read back, not measured again
    assert (tmp_path / "cpu.json").stat().st_mtime_ns == stamp
    cpu.found_faster(c.bandwidth / 2, c.bf16 / 2)  # other work only ever slows a benchmark down
    assert (chip("cpu").bandwidth, chip("cpu").bf16) == (c.bandwidth, c.bf16)
    cpu.found_faster(c.bandwidth * 2, c.bf16 / 2)
    assert (chip("cpu").bandwidth, chip("cpu").bf16) == (c.bandwidth * 2, c.bf16)


def _drop(folder, table, **cells):
    with open(folder / f"{table}.csv", "w", newline="") as f:
        w = csv.DictWriter(f, list(cells))
        w.writeheader()
        w.writerow(cells)


MINE = {
    "name": "Foo1", "aliases": "foo", "vendor": "me", "bf16_TFLOPS": "100", "memory_GB": "50", "memory_GBps": "1000",
    "source": "my datasheet", "date": "2026-01",
}  # fmt: skip


def test_users_add_chips_systems_and_models_by_dropping_a_file(tmp_path):
    _drop(tmp_path, "chips", **MINE)
    _drop(
        tmp_path, "systems", name="foo-pod", chip="Foo1", chips="16", scaleup_domain="16", source="me", date="2026-01"
    )
    shipped = Catalogue().model_file("llama-3.1-8b")[0]
    (tmp_path / "my-llama.json").write_text(shipped.read_text())
    use([tmp_path])
    assert system("foo-pod").memory == 16 * 50e9
    assert system("foox4").chips == 4

    assert model("my-llama").total_parameters == 8_030_261_248
    rows = catalogue().table("models").rows
    assert [r["source"] for r in rows if r["id"] == "my-llama"] == [str(tmp_path / "my-llama.json")]  # listed, too
    (tmp_path / "notes.json").write_text("{}")
    assert "notes" not in use([tmp_path]).table("models").names()
    assert chip("h100").name == "H100 SXM"  # shipped rows stay


def test_a_user_row_replaces_a_shipped_one(tmp_path):
    _drop(tmp_path, "chips", **{**MINE, "name": "H100 SXM", "aliases": "h100"})
    use([tmp_path])
    assert chip("h100").vendor == "me"
    assert sum(r["name"] == "H100 SXM" for r in catalogue().table("chips").rows) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_GBps": "fast"}, r"chips\.csv line 2: column 'memory_GBps' is 'fast', not a number in GB/s"),
        ({"memory_GBps": "-3"}, r"'-3'; it must be positive"),
        ({"memory_GB": ""}, r"needs a value for memory_GB \(memory capacity\)"),
        ({"memry_GB": "5"}, r"unknown column 'memry_GB'; did you mean 'memory_GB'"),
    ],
)
def test_a_users_broken_row_is_named(tmp_path, change, message):
    _drop(tmp_path, "chips", **{**MINE, **change})
    use([tmp_path])
    with pytest.raises(InputError, match=message):
        chip("foo")


def test_schema_describes_itself():
    rows = {r["column"]: r for r in describe(Chip)}
    assert rows["memory_GBps"]["unit"] == "GB/s"
    assert rows["memory_GBps"]["required"] == "yes"
    assert rows["price_usd_h"]["required"] == "no"


def test_every_profile_says_what_it_was_fitted_on():
    for name in profile_names():
        found = profile(name)
        said = found.on().provenance
        assert said == Calibration().provenance if name == "ideal" else "rows" in said and "out of fold" in said
        assert name == "ideal" or found.about["rows"] > 0
    with pytest.raises(InputError, match="sglang"):
        calibration("sglong", "h200x8")
    with pytest.raises(InputError, match="chip"):
        calibration("modern")


def test_the_example_of_an_own_chip_works(tmp_path):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "tour.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.startswith(("    name,bf16", "    MyChip,"))]
    (tmp_path / "chips.csv").write_text("\n".join(lines))
    use([tmp_path])
    assert system("mychipx8").chips == 8
    assert system("mychipx8").price == pytest.approx(1.9 / 3600)


def test_a_cell_beyond_any_size_is_one_line(tmp_path):
    (tmp_path / "chips.csv").write_text("name,memory_GBps\n" + "x" * 200_000 + ",1\n")
    with pytest.raises(InputError, match=r"chips\.csv line \d: not CSV"):
        use([tmp_path]).table("chips")


@pytest.mark.parametrize(("cells", "says"), [
    ("2250,8,180", "bf16_TFLOPS 2250 and memory_GBps 8 are 2.81e"), ("989000,3350,80", "bf16_TFLOPS 989000"),
    ("0.989,3350,80", "FLOP per byte"), ("100,100,90000", "takes 900 s to read once"),
])  # fmt: skip
def test_a_unit_mistaken_is_refused_though_each_column_may_be_real(tmp_path, cells, says):
    """8 for 8 TB/s, GFLOP/s for TFLOP/s: what a chip multiplies goes with what it reads."""
    (tmp_path / "chips.csv").write_text(
        f"name,bf16_TFLOPS,memory_GBps,memory_GB,source,date\nMine,{cells},a test,2026-11\n"
    )
    use([tmp_path])
    with pytest.raises(InputError) as caught:
        chip("mine")
    assert says in str(caught.value)
    assert "another unit" in str(caught.value)


def _costly_kernels(tmp_path):
    """A catalogue of the user's in which attention takes a hundred kernels more."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kernel_counts.csv").write_text("name,kernels,about,source,date\nattention,103,made up,a test,2026-11\n")
    return mine


def _llama_step():
    from headway.parallel import Layout, build_step
    from headway.roofline import Load, profile, step_time

    box = system("h200x8")
    step = build_step(model("llama-3.1-70b"), Layout(tp=8), box.adds_in_network)
    return float(step_time(step, Load.decode(64, 2048), box.chip, profile("vllm").on(box.chip)).seconds)


def test_another_catalogue_is_another_answer_and_the_first_comes_back(tmp_path):
    """Nothing that was computed from one catalogue's facts is served to another: not in a block, not after `use`."""
    mine = _costly_kernels(tmp_path)
    shipped = _llama_step()
    with using(mine):
        dearer = _llama_step()
    assert dearer > 1.2 * shipped
    assert _llama_step() == shipped
    use([mine])
    assert _llama_step() == dearer
    use([])
    assert _llama_step() == shipped


def test_threads_do_not_see_each_others_catalogue(tmp_path):
    mine = _costly_kernels(tmp_path)
    shipped = _llama_step()
    with using(mine):
        dearer = _llama_step()
    start = threading.Barrier(4)

    def run(folders):
        with using(*folders):
            start.wait(timeout=30)
            return [_llama_step() for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        jobs = [((mine,) if i % 2 else (), pool.submit(run, (mine,) if i % 2 else ())) for i in range(4)]
        for folders, job in jobs:
            assert job.result() == [dearer if folders else shipped] * 5


def test_an_edited_config_is_read_again(tmp_path):
    file = tmp_path / "config.json"
    known = json.loads((catalogue().model_file("llama-3.1-8b")[0]).read_text())
    file.write_text(json.dumps(known))
    before = model(str(file)).layer_count
    file.write_text(json.dumps({**known, "num_hidden_layers": before + 1}))
    assert model(str(file)).layer_count == before + 1
