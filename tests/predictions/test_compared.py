"""A table that holds measurements is answered with how far the predictions lie from them."""

from __future__ import annotations

import json

import pytest

from headway.cli.app import run
from headway.predictions.compared import Compared


def test_errors_bias_and_intervals():
    c = Compared()
    for measured, low, high in (("10", "8", "12"), ("20", "21", "30"), ("", "1", "2"), ("-3", "1", "2")):
        c.add({"tpot_ms_mean": measured, "predicted_tpot_ms": "11", "tpot_ms_low": low, "tpot_ms_high": high})
    c.add(
        {
            "ttft_ms_median": "1,000",
            "predicted_ttft_ms": "1800",
            "predicted_ttft_median_ms": "900",
            "ttft_ms_low": "",
            "ttft_ms_high": "",
        }
    )
    c.add({"tpot_ms_mean": "5", "predicted_tpot_ms": ""})  # refused
    tpot, ttft = c.record()
    assert (tpot["what"], tpot["rows"], tpot["inside_80"]) == ("TPOT", 2, 0.5)
    assert tpot["median_error"] == pytest.approx((0.1 + 0.45) / 2)
    assert (ttft["rows"], ttft["bias"], ttft["inside_80"]) == (1, pytest.approx(-0.1), None)


def test_predict_says_it_when_it_writes(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text(
        "system,model,batch_or_concurrency,isl,osl,tp,engine,tpot_ms_mean,output_tok_s\n"
        + "".join(
            f"h200x8,qwen3-8b,{b},1000,100,1,sglang,{m},{r}\n"
            for b, m, r in ((1, 5, 190), (16, 7, 1800), (64, 11, 4000))
        )
    )
    assert run(["predict", str(table), "-o", str(tmp_path / "o.csv")]) == 0
    out = capsys.readouterr().out
    assert "predicted against measured" in out
    assert "predicted over measured (log scales" in out
    assert run(["predict", str(table), "-o", str(tmp_path / "o.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["compared"]
    assert [(r["what"], r["rows"]) for r in found] == [("TPOT", 3), ("output tok/s", 3)]
    plain = tmp_path / "p.csv"
    plain.write_text("system,model,batch_or_concurrency,isl,osl\nh200x8,qwen3-8b,8,1000,100\n")
    assert run(["predict", str(plain), "-o", str(tmp_path / "o.csv")]) == 0
    assert "measured" not in capsys.readouterr().out
