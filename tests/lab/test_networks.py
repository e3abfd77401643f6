"""Networks that run: chunks, caches, forms of attention and tiles give the same; bytes are those of the formulas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headway.catalog import catalogue
from headway.errors import InputError
from headway.lab import demonstrate, network, tiny
from headway.models import kv_bytes_stored
from lab_child import there

EXAMPLES = [r["example"] for r in catalogue().table("lab_families").rows if r["example"]]
MORE = ["minimax-m2.5", "deepseek-v2-lite", "qwen2.5-7b"]


def ran(model):
    """Differences over the largest logit: of chunks, of decoding; bytes of weights, and of caches by length."""
    import jax
    import jax.numpy as jnp

    from headway.lab.cache import cache_bytes
    from headway.lab.weights import weight_bytes

    arch = tiny(model)
    net = network(arch)
    held = net.weights()
    weights = jax.tree.map(jnp.asarray, held)
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, arch.vocabulary, (2, 24)))
    whole, cache = net.prefill(weights, tokens, 32)
    chunked, _ = net.prefill(weights, tokens, 32, [9, 15])
    start = jnp.argmax(whole[:, -1], -1)
    told, logits, _ = net.decode(weights, cache, start, 5)
    again, _ = net.prefill(weights, jnp.concatenate([tokens, start[:, None], told[:, :-1]], 1), 32)
    top = float(jnp.abs(whole).max())
    apart = float(jnp.abs(whole - chunked).max()) / top, float(jnp.abs(again[:, 24:] - logits).max()) / top
    return apart, weight_bytes(held), {n: cache_bytes(net.cache(1, n)) for n in (1, 7, 8, 9, 31, 64)}


@pytest.mark.parametrize("model", EXAMPLES + MORE)
def test_chunked_is_whole_and_cached_is_recomputed(model):
    (chunked, decoded), weights, caches = there(ran, model)
    assert chunked < 1e-5
    assert decoded < 1e-5
    arch = tiny(model)
    assert weights == arch.weight_bytes == 4 * arch.total_parameters
    assert caches == {n: float(kv_bytes_stored(arch, n)) for n in caches}


def both_forms(model):
    """Logits of latent attention absorbed and expanded, fresh and behind a cache."""
    import jax
    import jax.numpy as jnp

    from headway.lab import mixers
    from headway.lab.networks import begun, forward

    net = network(tiny(model))
    weights = jax.tree.map(jnp.asarray, net.weights())
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 256, (2, 12)))
    kept, found = mixers.absorbs, []
    for form in (True, False):
        mixers.absorbs = lambda *_, form=form: form
        cache = net.cache(2, 16)
        first, cache = forward(net, weights, cache, tokens[:, :8], begun(cache["length"], tokens[:, :8], True))
        last, _ = forward(net, weights, cache, tokens[:, 8:], begun(cache["length"], tokens[:, 8:], False))
        found.append(np.asarray(jnp.concatenate([first, last], axis=1)))
    mixers.absorbs = kept
    return found


def test_latent_attention_absorbed_is_expanded():
    absorbed, expanded = there(both_forms, "deepseek-v3")
    assert np.abs(absorbed - expanded).max() < 1e-5 * np.abs(absorbed).max()


def tiled(model):
    import jax
    import jax.numpy as jnp

    from headway.lab.networks import begun, forward

    net = network(tiny(model))
    weights = jax.tree.map(jnp.asarray, net.weights())
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 256, (2, 16)))
    out = []
    for tile in (None, 4):
        cache = net.cache(2, 16)
        p = begun(cache["length"], tokens, True, tile=tile)
        out.append(np.asarray(forward(net, weights, cache, tokens, p, every=True)[0]))
    return out


@pytest.mark.parametrize("model", ["gemma-3-27b", "gpt-oss-20b"])
def test_a_network_in_tiles_is_the_plain_one(model):
    plain, tiles = there(tiled, model)
    assert not np.array_equal(plain, tiles)  # it did run in tiles
    assert np.abs(plain - tiles).max() < 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("name", ["decode", "SYS-B4", "prefill"])
def test_systems_of_the_lecture(name):
    d = there(demonstrate, name)
    assert d.passes, [c for c in d.checks if not c.passes]
    assert len(d.checks) >= 4
    assert d.rows
    assert len({line for line, _, _ in d.picture.points}) >= 2


def test_a_cache_makes_decoding_cheap():
    d = there(demonstrate, "decode", "deepseek-v3")
    by = {(line, n): flops for line, n, flops in d.picture.points}
    assert by["everything again", 513.0] > 20 * by["everything again", 17.0]
    assert by["with the cache", 513.0] < 5 * by["with the cache", 17.0]


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: tiny("no-such-model"), "unknown model|not in the catalogue"),
        (lambda: there(demonstrate, "nothing"), "unknown system of the lab"),
        (lambda: there(demonstrate, "attention", "deepseek-v3"), "without grouped queries"),
        (lambda: tiny("opt-30b"), "unknown family of the lab"),
    ],
)
def test_what_is_refused(ask, says):
    with pytest.raises(InputError, match=says):
        ask()


def test_without_jax_the_rest_works_and_the_lab_says_what_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "from headway.cli import app\n"
        "codes = [app.run(['lab']), app.run(['lab', 'decode']), app.run(['lab', 'audit', 'llama-3.1-8b'])]\n"
        "print(codes)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[0, 2, 2]" in done.stdout
    assert "SYS-B2" in done.stdout
    assert done.stderr.count("pip install 'headway[lab]'") == 2
    assert "Traceback" not in done.stderr


def shown(*words):
    return subprocess.run([sys.executable, "-m", "headway", "lab", *words], capture_output=True, text=True, check=False)


def test_the_verb(tmp_path):
    found = shown("audit", "gemma-3-27b", "--layout", "tp2", "--json", "-o", str(tmp_path / "a.svg"))
    assert found.returncode == 0, found.stderr
    record = json.loads(found.stdout)
    assert record["agrees"]
    assert {x["kind"] for x in record["lines"]} >= {"FLOPs", "sent", "collectives", "parameters"}
    assert "Audit: tiny google/gemma-3-27b-it" in (tmp_path / "a.svg").read_text()
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    assert all(f"`{k}`" in page for k in {*record, *record["lines"][0], *record["known"][0]})
    text = shown("audit", "gemma-3-27b", "--layout", "tp1,tp2", "--leave-out", "window").stdout
    assert "! tiny google/gemma-3-27b-it as tp1: prefill FLOPs of attention: the last 8 tokens" in text


def test_the_verb_runs_a_system(tmp_path):
    found = shown("decode", "qwen3-8b", "-o", str(tmp_path / "d.html"))
    assert "SYS-B2: decoding with a KV cache, run on tiny Qwen/Qwen3-8B" in found.stdout
    assert (tmp_path / "d.html").is_file()
    assert "passes" in found.stdout
    assert "FAILS" not in found.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("decod",), "did you mean decode"),
        (("audit", "llama-3.1-8b", "--layout", "tp3"), "heads do not divide"),
        (("audit", "llama-3.1-8b", "--layout", "tp1", "--leave-out", "everything"), "known are shared, window"),
        (("audit", "llama-3.1-8b", "-o", "x.svg"), "draws one audit"),
        (("decode", "--layout", "tp2"), "belongs to `headway lab audit or dispatch`"),
        (("audit", "nothing-such", "--layout", "tp1"), "unknown model"),
    ],
)
def test_the_verb_refuses_in_one_line(words, says):
    found = shown(*words)
    assert found.returncode == 2
    assert says in found.stderr
    assert found.stderr.count("\n") == 1


def test_what_the_lab_found_is_in_the_docs():
    from headway.report.lab import differences_page

    assert differences_page() in (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text()
