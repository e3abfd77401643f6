"""The chart of a table: predictions over what was measured, or alone."""

from __future__ import annotations

import json

import pytest

from headway.cli import app
from headway.figures import predictions_figure
from headway.predictions import opened, predicted_rows

TABLE = """system,model,batch,isl,osl,mean_tpot_ms,mean_ttft_ms
H100-SXM,llama-3.1-8b,1,1000,200,7.1,
H100-SXM,llama-3.1-8b,8,1000,200,8.5,60
H100-SXM,nonsense,8,1000,200,8.5,60
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(TABLE)
    return path


def test_predictions_lie_over_measurements(file):
    rows = list(predicted_rows(opened(str(file)).rows))
    spec = predictions_figure(rows)
    panels = [{v["at"]: v for v in p["layer"][-1]["data"]["values"]} for p in spec["hconcat"]]
    assert [sorted(p) for p in panels] == [[7.1, 8.5], [60.0]]
    shown = panels[0][8.5]
    assert shown["value"] == float(rows[1]["predicted_tpot_ms"])
    assert (shown["low"], shown["high"]) == (float(rows[1]["tpot_ms_low"]), float(rows[1]["tpot_ms_high"]))
    assert spec["title"]["subtitle"][0].startswith("TPOT: 2 rows")


def test_without_measurements_predictions_stand_alone(file):
    file.write_text("\n".join(",".join(line.split(",")[:5]) for line in TABLE.splitlines()) + "\n")
    rows = list(predicted_rows(opened(str(file)).rows))
    panels = predictions_figure(rows)["hconcat"]
    assert len(panels) == 3
    assert [v["at"] for v in panels[0]["layer"][-1]["data"]["values"]] == [1, 8]


@pytest.mark.parametrize("ending", ["svg", "json", "html"])
def test_the_command_draws_it(file, tmp_path, capsys, ending):
    out = tmp_path / f"chart.{ending}"
    assert app.run(["predict", str(file), "-o", str(out)]) == 0
    assert "chart of 3 rows written" in capsys.readouterr().out
    assert "measured TPOT" in out.read_text()
    assert app.run(["predict", str(file), "-o", str(out), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
