"""A Feistel network as a cipher (SYS-G1), and what small differences become in it and in a network (SYS-G2).

The cipher is SIMON 64/128 (Beaulieu et al. 2013, ePrint 2013/404): two halves of 32 bits, a round (x, y) -> (y ^ f(x) ^ k, x),
which is the lecture's z = y + f(x) with exclusive-or for a sum; it is computed by `headway.training.reversible`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headway.lab.findings import Check, Demonstration, Picture
from headway.training import feistel_bits, feistel_bits_inverse, feistel_inverse, feistel_round

Bits = Any
ROUNDS, WORD = 44, 32
_KEY = (0x1B1A1918, 0x13121110, 0x0B0A0908, 0x03020100)  # of the paper's test vector, first word last
_PLAIN, _CIPHERED = (0x656B696C, 0x20646E75), (0x44C8FC20, 0xB9DFA07A)
_Z3 = "11011011101011000110010111100000010010001010011100110100001111"  # constants of the key's rounds
_MASK = 2**WORD - 1


def turned(x: Bits, by: int) -> Bits:
    """Return words of 32 bits turned to the left.

    Parameters
    ----------
    x : int or array
        [1]
    by : int
        [bits]
    """
    by %= WORD
    return ((x << by) | (x >> (WORD - by))) & _MASK


def simon(x: Bits) -> Bits:
    """Return SIMON's function of one half: it need not be invertible, and is not.

    Parameters
    ----------
    x : int or array
        Words of 32 bits. [1]
    """
    return (turned(x, 1) & turned(x, 8)) ^ turned(x, 2)


def round_keys(key: Sequence[int] = _KEY, rounds: int = ROUNDS) -> list[int]:
    """Return the keys of all rounds (SIMON 64/128: four words).

    Parameters
    ----------
    key : sequence of int
        Four words of 32 bits, the last first. [1]
    rounds : int
        [rounds]
    """
    keys = list(reversed(key))
    for i in range(len(keys), rounds):
        mixed = turned(keys[i - 1], -3) ^ keys[i - 3]
        keys.append(keys[i - 4] ^ mixed ^ turned(mixed, -1) ^ int(_Z3[(i - 4) % 62]) ^ (_MASK - 3))
    return keys


def functions(keys: Sequence[int]) -> list[Callable[[Bits], Bits]]:
    """Return the function of each round, for `feistel_bits`.

    Parameters
    ----------
    keys : sequence of int
        Of the rounds. [1]
    """

    def with_key(key: int) -> Callable[[Bits], Bits]:
        return lambda x: simon(x) ^ key

    return [with_key(k) for k in keys]


def some_words(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Return two random halves of so many blocks.

    Parameters
    ----------
    count, seed : int
        [blocks, 1]
    """
    found = np.random.default_rng(seed).integers(0, 2**WORD, (2, count), dtype=np.uint64)
    return found[0], found[1]


def ones(x: Bits) -> int:
    """Return how many bits are set. [bits]

    Parameters
    ----------
    x : array
        Words of 32 bits. [1]
    """
    return int(np.unpackbits(np.ascontiguousarray(x, np.uint32).view(np.uint8)).sum())


_MANY = 20_000
_COUNTED = (1, 2, 4, 8, 16, 32, 44)  # rounds


def cipher() -> Demonstration:
    """SYS-G1: Feistel networks over reals and over bits, any function, there and back."""
    golden = feistel_round(3, 5, lambda x: x**2)
    back = feistel_inverse(*golden, lambda x: x**2)
    rounds = functions(round_keys())
    told = feistel_bits(*_PLAIN, rounds)
    x, y = some_words(_MANY)
    rows: list[dict[str, Any]] = []
    for n in _COUNTED:
        a, b = feistel_bits_inverse(*feistel_bits(x, y, rounds[:n]), rounds[:n])
        rows.append({"rounds": n, "blocks": _MANY, "bits_wrong": ones((a ^ x) | (b ^ y)), **_reals(n)})
    any_function = _rough()
    wrong = [r for r in rows if r["bits_wrong"]]
    worst32, worst64 = rows[-1]["float32_apart"], rows[-1]["float64_apart"]
    checks = (
        Check("f(x) = x^2, (3, 5)", "(14, 3), back (3, 5)", f"{golden}, back {back}", golden == (14, 3) and back == (3, 5)),
        Check("SIMON 64/128's published test vector", f"{_CIPHERED[0]:08x} {_CIPHERED[1]:08x}", f"{told[0]:08x} {told[1]:08x}",
              told == _CIPHERED),
        Check(f"{_MANY:,} blocks there and back, 1 to {ROUNDS} rounds", "every bit", f"{len(wrong)} of {len(rows)} wrong", not wrong),
        Check("16 rounds of a function that forgets most of its input", "every bit", f"{any_function} bits wrong", any_function == 0),
        Check("over reals the inverse is approximate", "above 0, below 1e-3", f"{worst32:.1e} of 1 in 32 bits", 0 < worst32 < 1e-3),
        Check("and closer in 64 bits", "below 1e-11", f"{worst64:.1e}", 0 < worst64 < 1e-11),
    )  # fmt: skip
    points = [(line, float(r["rounds"]), r[key]) for line, key in (("32-bit numbers", "float32_apart"), ("64-bit numbers", "float64_apart"))
              for r in rows]  # fmt: skip
    picture = Picture("rounds", "error of the inverse over reals (bits: none)", tuple(points))
    return Demonstration(
        "cipher", "SYS-G1", "Feistel networks there and back", "SIMON 64/128", checks, tuple(rows), picture
    )


def _reals(rounds: int) -> dict[str, float]:
    """How far reals lie from where they were after so many rounds of tanh and their inverse."""
    found: dict[str, float] = {}
    for kind in (np.float32, np.float64):
        start = x, y = tuple(v.astype(kind) for v in np.random.default_rng(1).standard_normal((2, 1000)))

        def f(v: Any, kind: Any = kind) -> Any:
            return np.tanh(kind(1.3) * v)

        for _ in range(rounds):
            x, y = feistel_round(x, y, f)
        for _ in range(rounds):
            x, y = feistel_inverse(x, y, f)
        found[f"{kind.__name__}_apart"] = float(max(np.max(np.abs(a - b)) for a, b in zip((x, y), start, strict=True)))
    return found


def _rough(rounds: int = 16) -> int:
    """Bits wrong after 16 rounds of a function that keeps four bits of its input."""
    several: list[Callable[[Bits], Bits]] = [lambda v: (v >> 28) * 0x9E3779B9 & _MASK] * rounds
    x, y = some_words(1000, 3)
    a, b = feistel_bits_inverse(*feistel_bits(x, y, several), several)
    return ones((a ^ x) | (b ^ y))
