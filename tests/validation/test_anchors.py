"""Public anchors beside ours."""

from __future__ import annotations

from headway.validation import anchors


def test_anchors_stand_beside_what_was_published():
    found = {a.name: a for a in anchors.anchors()}
    rack = found["DeepSeek-V3 on GB200 NVL72, decode"]
    assert rack.theirs == 7583
    assert 0.7 < rack.ours / rack.theirs < 1.4
    for a in found.values():
        assert a.interval[0] <= a.ours <= a.interval[1]
        better = min if a.unit == "ms" else max
        assert better(a.ours, a.floor) == a.floor  # no estimate beats its ideal machine
