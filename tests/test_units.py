"""Quantities as people write them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import units
from headway.errors import InputError


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("128k", units.TOKENS, 128_000),
        ("128Ki", units.TOKENS, 131_072),
        ("1M", units.TOKENS, 1e6),
        ("608B", units.TOKENS, 608e9),
        ("8192", units.TOKENS, 8192),
        ("1_024", units.TOKENS, 1024),
        ("0", units.TOKENS, 0),
        ("2.5/h", units.DOLLARS_PER_SECOND, 2.5 / 3600),
        ("$4.49/hour", units.DOLLARS_PER_SECOND, 4.49 / 3600),
        ("2.5", units.DOLLARS_PER_SECOND, 2.5 / 3600),
        ("40ms", units.SECONDS, 0.040),
        ("5 min", units.SECONDS, 300),
        ("141GB", units.BYTES, 141e9),
        ("80GiB", units.BYTES, 80 * 2**30),
        ("50/s", units.PER_SECOND, 50),
        ("3k/min", units.PER_SECOND, 50),
        ("3.35TB/s", units.BYTES_PER_SECOND, 3.35e12),
        ("10PFLOP/s", units.FLOPS, 1e16),
        ("1e3", units.COUNT, 1000),
    ],
)
def test_parse(text, kind, value):
    assert units.parse(text, kind) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("32 kk", units.TOKENS),
        ("", units.TOKENS),
        ("-5", units.TOKENS),
        ("nan", units.TOKENS),
        ("inf", units.TOKENS),
        ("1e999", units.TOKENS),
        ("40", units.SECONDS),
        ("141Gb", units.BYTES),
        ("five", units.COUNT),
        ("0", units.COUNT),
        ("1.2.3", units.COUNT),
        ("2.5/parsec", units.DOLLARS_PER_SECOND),
    ],
)
def test_nonsense_is_one_line_with_an_example(text, kind):
    with pytest.raises(InputError) as caught:
        units.parse(text, kind, "--thing")
    message = str(caught.value)
    assert message.startswith("--thing: ")
    assert kind.example.split(",")[0] in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4.8e12, "4.8 TB/s"),
        (0.0, "0 B/s"),
        (999.6, "1 kB/s"),
        (1e-9, "1 nB/s"),
        (123456, "123 kB/s"),
        (float("inf"), "∞"),
        (float("nan"), "—"),
    ],
)
def test_si(value, shown):
    assert units.si(value, "B/s") == shown


def test_money_and_time():
    assert units.dollars(0.4) == "$0.400"
    assert units.dollars(1234.6) == "$1,235"
    assert units.dollars(87072) == "$87,072"
    assert units.dollars(12.3456) == "$12.35"
    assert units.dollars(0.0000425) == "$0.0000425"
    assert units.seconds(0.0123) == "12.3 ms"
    assert units.seconds(3 * 86400) == "3 days"
    assert units.seconds(700 * 86400) == "700 days"
    assert units.seconds(3.9e8) == "12.4 years"
    assert units.count(5912) == "5,912"


@given(st.floats(1e-12, 1e18))
def test_si_keeps_three_figures(value):
    text = units.si(value)
    number, _, prefix = text.partition(" ")
    scale = {
        "p": 1e-12,
        "n": 1e-9,
        "µ": 1e-6,
        "m": 1e-3,
        "": 1,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
        "P": 1e15,
        "E": 1e18,
    }
    assert float(number) * scale[prefix] == pytest.approx(value, rel=6e-3)
