"""A loop of reinforcement learning that runs (SYS-E6): its FLOPs by share trained on, both ways of training, and what it learns."""

from __future__ import annotations

import pytest

from headway.errors import InputError
from headway.lab import demonstrate
from lab_child import there


def test_sys_e6_a_loop_that_learns():
    """SYS-E6: 2, 3 and 6 FLOP per parameter and generated token where the rollout's forward is kept, 2 + 6 f where it is not."""
    d = there(demonstrate, "rl")
    assert [(c.what, c.found) for c in d.checks if not c.passes] == []
    by = {r["trained_share"]: r for r in d.rows}
    assert [by[f]["kept_flops"] for f in (0, 0.25, 1)] == pytest.approx([2, 3, 6])
    assert [by[f]["again_flops"] for f in (0, 0.25, 1)] == pytest.approx([2, 3.5, 8])
    assert by[0]["last_reward"] < by[0.25]["last_reward"] < by[1]["last_reward"]
    decoded = by[0]["flops_at_mfu"]  # at training's price, so that decoding's lower rate counts
    assert decoded > 2
    assert by[1]["flops_at_mfu"] == pytest.approx(decoded + 6)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: demonstrate("rl", steps=0), "--steps: 0 must be at least 1"),
        (lambda: demonstrate("rl", "deepseek-v3"), "has experts, recurrent layers or an index"),
        (lambda: demonstrate("decode", steps=3), "--steps: belongs to `headway lab rl or reversible`"),
    ],
)
def test_what_is_refused(ask, says):
    with pytest.raises(InputError, match=says):
        ask()
