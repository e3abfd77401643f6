"""No abbreviation on a page without an entry in the glossary, no word there that nobody uses, nothing named there that is not."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

import pytest

from headway.catalog import catalogue
from headway.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "lessons").glob("*.md"))]

# What need not be explained, and why.
KNOWN = {
    "whoever programs knows it": "AI CSV DNS HTML HTTP JSON PNG SQLite SVG UTF OpenAPI NaN README CHANGELOG COLUMNS",
    "units, currencies, clocks and licences": "USD UTC SI MIT BSD CC BY",
    "placeholders of commands": "MODEL CHIPxN",
    "firms, people, publications": "NVIDIA DeepSeek DeepSpeed OpenAI SemiAnalysis LMSYS McCalpin DistServe MiniMax ISCA FAST SmolLM2",
    "libraries, formats, data": "ShareGPT NumPy SciPy PyTorch TensorRT AIConfigurator ModelOpt DDSketch DeepEP FlashMLA LMCache RTX",
    "cards; classes of other programs": "GeForce LogitsProcessor VocabParallelEmbedding RowParallelLinear",
    "letters of a formula, a layout": "GF TP8",
}


# Words that no capital gives away; where a page has one the glossary explains it.
TERMS = """
activations, all-gather, all-reduce, all-to-all, annuity, backward pass, balance batch, bisection, bubble, bulk-service, closed
loop, coefficient of variation, collective, context parallelism, continuous batching, crossover, decode, dense model, drafts,
drain time, elasticity, embedding, expert parallelism, feed-forward, Feistel, floor, frontier, goldilocks, gradient, hit rate,
hub, ideal machine, importance sampling, indexer, knee, latent, least squares, likelihood, Little's law, logits, loss, mean field,
memory bound, micro-batch, node, off-policy, oracle, out of fold, over-training, p99, paged, pipeline, Poisson, posterior,
prefill, prefix cache, prior, processor sharing, prompt cache, quantile, quantisation, reduce-scatter, reinforcement learning,
residual, reversible, ring attention, rollout, roofline, rotary embedding, router, safetensors, scale-out, scale-up, scaling law,
scrape, sliding window, softmax, sparse attention, sparsity, speculative decoding, square-root law, stack distance, static batch,
Student's t, tensor parallelism, tier, time to live, torus, tower, two-batch overlap, vocabulary, zero-bubble, Zipf
"""


@functools.cache
def site():
    told = importlib.util.spec_from_file_location("headway_site", ROOT / "docs" / "site.py")
    assert told is not None
    assert told.loader is not None
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


def prose(text):
    """Return a page without code, addresses and comments."""
    text = re.sub(r"^ *```.*?^ *```$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$|`[^`]*`", "", text, flags=re.MULTILINE)
    return re.sub(r"\]\([^)]*\)|https?://\S+|[\w/.-]+\.(?:md|py|svg|toml|csv|json)\b", "", text)


def abbreviations(text):
    """Return the words of a page that have two capitals or more: KV, TTFT, MoE, 1F1B; numbers of equations, claims and bytes aside."""
    text = re.sub(r"\b(?:SYS-[A-I]\d+|(?:DIS|CAV|LIM)-\d+|E\d+|\d[\d.]*[kMGT]?B)\b", "", text.replace("_", " "))
    return set(re.findall(r"\b(?=\w*[A-Z]\w*[A-Z])\w+\b", text))


@functools.cache
def named():
    """Words in the names of the catalogue's chips, systems and models."""
    tables = [catalogue().table(t).rows for t in ("chips", "systems", "models")]
    names = {str(v) for rows in tables for r in rows for k, v in r.items() if k in ("name", "id", "aliases")}
    return {w.casefold() for n in names for w in re.findall(r"\w+", n)}


def unexplained(text):
    words = site().explained([])
    known = {w for told in KNOWN.values() for w in told.split()}
    parts = {p for w in words for p in (w, *re.findall(r"\w+", w))}
    return sorted(
        a
        for a in abbreviations(prose(text))
        if not {a, a.removesuffix("s")} & (parts | known) and a.casefold() not in named()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_abbreviation_is_explained(page):
    """Explain it in docs/glossary.md, or say in KNOWN why nobody needs that."""
    assert unexplained(page.read_text(encoding="utf-8")) == []


def test_a_new_abbreviation_is_noticed():
    text = "The QZX of a KV cache.\n\n    QQQ\n\n```\nWWW\n```\n`VVV` MoE, FLOPs, GPUs, H100s, E5, SYS-A4, DIS-1; 1F1B. McQZ."
    assert unexplained(text) == ["McQZ", "QZX"]


def test_terms_are_explained():
    words = {w.casefold() for w in site().explained([])}
    used = "\n".join(prose(p.read_text(encoding="utf-8")) for p in PAGES).casefold()
    terms = " ".join(TERMS.split()).casefold().split(", ")
    assert [t for t in terms if t in used and not any(w.startswith(t) for w in words)] == []


def test_the_glossary_is_in_order_and_says_things_once():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    field, house = text.split("<!-- end -->")
    for part in (field, house):
        firsts = [words.split(",")[0].casefold() for words, _ in site()._WORDS.findall(part)]
        assert firsts == sorted(firsts)
    every = [w for words, _ in site()._WORDS.findall(text) for w in words.split(", ")]
    assert len(every) == len(set(every)) > 250


def test_words_of_the_glossary_are_used():
    """Somewhere on a page, its code included."""
    used = "\n".join(p.read_text(encoding="utf-8") for p in PAGES if p.name != "glossary.md").casefold()
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").split("<!-- end -->")[0]
    idle = [
        w
        for w, _ in site()._WORDS.findall(text)
        if not any(x.split(" to ")[0].casefold() in used for x in w.split(", "))
    ]
    assert idle == []


def test_what_the_glossary_names_exists():
    """Verbs and options of the column *in code*."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    verbs = set(app)
    for verb in re.findall(r"`headway ([a-z]+)", text):
        assert verb in verbs
    source = "\n".join(p.read_text(encoding="utf-8") for p in PAGES) + "\n".join(
        f.read_text(encoding="utf-8") for f in (ROOT / "src" / "headway").rglob("*.py")
    )
    for name in re.findall(r"`(?:headway [a-z ]+)?(--[a-z-]+)", text):
        assert name in source.replace("_", "-")
    for name in re.findall(r"`((?:[a-z_]+\.)*[A-Za-z_]+\.[A-Za-z_]+)`", text):
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", source), name
