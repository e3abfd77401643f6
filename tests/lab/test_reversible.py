"""Ciphers, avalanches, reversible networks and drafts that run (SYS-G1 to G4, SYS-H4), and a training run that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from headway.errors import InputError
from headway.lab import demonstrate, network, tiny
from headway.training import feistel_bits, feistel_bits_inverse
from lab_child import there


def failed(d):
    return [(c.what, c.wanted, c.found) for c in d.checks if not c.passes and "time of a step" not in c.what]


def test_sys_g1_feistel_networks():
    """SYS-G1: f(x) = x^2: (3, 5) -> (14, 3) -> (3, 5); 16 rounds over bits there and back; SIMON's published test vector."""
    d = there(demonstrate, "cipher")
    assert not failed(d)
    assert d.checks[0].found == "(14, 3), back (3, 5)"
    assert d.checks[1].found == "44c8fc20 b9dfa07a"  # Beaulieu et al. 2013, appendix B: Simon64/128
    assert all(r["bits_wrong"] == 0 for r in d.rows)
    assert {16, 44} <= {r["rounds"] for r in d.rows}


def test_another_key_another_cipher():
    from headway.lab.ciphers import functions, round_keys

    keys, others = round_keys(), round_keys((1, 2, 3, 5))
    assert len(set(keys)) == 44
    x, y = feistel_bits(1, 2, functions(keys))
    assert (x, y) != feistel_bits(1, 2, functions(others))
    assert feistel_bits_inverse(x, y, functions(keys)) == (1, 2)
    assert feistel_bits_inverse(x, y, functions(others)) != (1, 2)


def test_sys_g2_avalanche():
    """SYS-G2: half the bits flip, few after two rounds; a network keeps small differences small; a search works in one of them."""
    d = there(demonstrate, "avalanche")
    assert not failed(d)
    by = {r["round_or_layer"]: r for r in d.rows}
    assert by[0]["cipher_flips"] == 1 / 64
    assert by[1]["cipher_flips"] == pytest.approx(
        2 / 64, abs=0.002
    )  # a bit of the left half changes one to three, of the right one
    assert by[1]["commonest_difference"] == pytest.approx(
        0.25, abs=0.01
    )  # two bits go through an and: 2^-2 (and no key helps)
    assert by[12]["network_grown"] < 2
    assert by[12]["without_residuals_flips"] > 20 * by[12]["network_flips"]


def test_sys_g3_a_reversible_transformer(tmp_path):
    """SYS-G3: gradients of ordinary backpropagation, activations flat in depth, 8 FLOPs for 6; and it trains."""
    d = there(demonstrate, "reversible", steps=20, keep=str(tmp_path / "run.npz"))
    assert not failed(d)
    assert {r["layers"] for r in d.rows} == {2, 8, 16}
    assert len({r["reversible_bytes"] for r in d.rows}) == 1
    assert [(r["ordinary_flops"], r["reversible_flops"]) for r in d.rows] == [(6, 8)] * 3
    assert any("time of a step" in c.what for c in d.checks)
    first, last = (next(y for line, x, y in d.picture.points if (line, x) == ("reversible", n)) for n in (1, 20))
    assert last < first - 2


def test_sys_g4_both_ways():
    """SYS-G4: 8 for 6 FLOPs save activations; a cache of O(L) saves (L + 1)/2 of the passes."""
    d = there(demonstrate, "trade")
    assert not failed(d)
    factors = {r["what"]: r["over_the_least"] for r in d.rows if r["way"] == "without"}
    assert factors == pytest.approx(
        {"generating 4 tokens": 2.5, "generating 8 tokens": 4.5, "generating 16 tokens": 8.5}
    )
    held = [r["held_bytes"] for r in d.rows if r["way"] == "with a cache"]
    assert held == [held[0], 2 * held[0], 4 * held[0]]


def test_sys_h4_speculative_decoding():
    """SYS-H4: greedy output of plain decoding; a = 0.8, g = 4 gives 3.3616 tokens a pass."""
    d = there(demonstrate, "speculate")
    assert not failed(d)
    assert all(r["same_tokens"] for r in d.rows)
    drawn = next(r for r in d.rows if r["draft"].endswith("five") and r["length"] == 4)
    assert drawn["tokens_per_pass"] == pytest.approx(3.3616, rel=0.1)
    assert drawn["accepted_share"] == pytest.approx(0.8, abs=0.04)


def apart(way):
    """How far a way's gradients lie from ordinary ones."""
    import jax
    import jax.numpy as jnp

    from headway.lab.needs import QUICK
    from headway.lab.reversible import loss_of, stacked

    net = network(tiny("qwen3-8b", 3))
    weights = stacked(net, jax.tree.map(jnp.asarray, net.weights()))
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 9)))
    both = [
        jax.jit(jax.grad(loss_of(net, w, 2, 8)), compiler_options=QUICK)(weights, tokens) for w in ("ordinary", way)
    ]
    a, b = (jax.tree.leaves(g) for g in both)
    return max(float(jnp.max(jnp.abs(x - y))) for x, y in zip(a, b, strict=True)) / max(
        float(jnp.max(jnp.abs(x))) for x in a
    )


@pytest.mark.parametrize("way", ["reversible", "checkpoints"])
def test_gradients_of_another_family(way):
    assert there(apart, way) < 1e-5


# --- a training run that is killed ---------------------------------------------------------------------------------


def learned(steps, file):
    """Losses of a small reversible network, kept in a file."""
    import jax
    import jax.numpy as jnp

    from headway.lab.learning import Learning, text
    from headway.lab.reversible import loss_of, stacked

    net = network(tiny("llama-3.1-8b", 2))
    weights = stacked(net, jax.tree.map(jnp.asarray, net.weights()))
    work = Learning({"reversible": loss_of(net, "reversible", 2, 16)}, weights, text("alice"), 2, 16, "a test")
    work.run(steps, file)
    return work.losses["reversible"]


KILLED = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]}\n"
KILLED += "from test_reversible import learned; learned(100_000, sys.argv[1])"


def test_a_training_run_goes_on_after_a_kill(tmp_path):
    """Killed in the middle (kill -9) and started again: the losses are those of a run that nobody killed."""
    file = tmp_path / "run.npz"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while not file.exists() and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    with np.load(file) as held:
        made = len(json.loads(held["said"].tobytes())["losses"]["reversible"])
    assert made >= 10
    went_on = there(learned, made + 15, str(file))
    assert len(went_on) == made + 15
    assert went_on == there(learned, made + 15, "")


def kept(file, about):
    import jax.numpy as jnp

    from headway.lab.learning import Learning

    work = Learning(
        {"w": lambda w, t: jnp.sum(w["a"] ** 2) + 0 * jnp.sum(t)},
        {"a": jnp.ones(3)},
        np.zeros(99, np.uint8),
        1,
        4,
        about,
    )
    work.run(3, str(file))
    return work.losses["w"]


def test_what_is_kept_is_gone_on_with_or_refused(tmp_path):
    file = tmp_path / "run.npz"
    first = there(kept, file, "one")
    assert there(kept, file, "one") == first
    with pytest.raises(InputError, match="holds another run"):
        there(kept, file, "other")
    file.write_text("nothing")
    with pytest.raises(InputError, match="is no training run of the lab"):
        there(kept, file, "one")
    with pytest.raises(InputError, match="there is no folder"):
        there(kept, tmp_path / "none" / "run.npz", "one")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: demonstrate("reversible", "gemma-3-27b"), "layers of several kinds"),
        (lambda: demonstrate("reversible", steps=0), "--steps: 0 must be at least 1"),
        (lambda: demonstrate("speculate", "gemma-3-27b"), "caches cannot go back"),
        (lambda: demonstrate("cipher", "llama-3.1-8b"), "runs no network"),
        (lambda: demonstrate("decode", keep="x"), "--keep: belongs to `headway lab reversible`"),
    ],
)
def test_what_is_refused(ask, says):
    with pytest.raises(InputError, match=says):
        ask()


def test_the_text_says_whose_it_is():
    from headway.catalog import catalogue
    from headway.lab.learning import text

    row, _ = catalogue().row("texts", "alice", "text")
    assert row["licence"] == "public domain"
    assert "Lewis Carroll" in row["attribution"]
    words = text("alice")
    assert bytes(words[:80]).strip().startswith(b"ALICE'S ADVENTURES")
    assert int(words.max()) < 128
    assert (Path(__file__).parents[2] / "src/headway/catalog/data/texts" / row["file"]).is_file()
