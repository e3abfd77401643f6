"""Module patterns of a quantization_config: exact names, globs and ``re:`` regular expressions, safely matched."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Iterable
from typing import Any

from headway.errors import InputError, quoted

_EACH_EXPERT = re.compile(r"\.experts\.\d+\.")  # checkpoints name every expert; here one matrix stands for all
_ALSO = {"head": "lm_head", "embed": "embed_tokens"}  # as DeepSeek's own checkpoints name them
_LONGEST = 400  # characters of one pattern
_SECONDS = 0.2  # for one match
_ALL_SECONDS = 1.0  # of processor time for all matches of a config: a busy machine is no reason to refuse one
_REPEATED_GROUP = re.compile(r"\)[*+{]")  # of alternatives or optional parts: it may be matched in very many ways
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|[*+]|\{\d+,\d*\}|.", re.DOTALL)


def plain(name: str) -> str:
    """Strip the wrappers that differ between checkpoints of one architecture."""
    name = _EACH_EXPERT.sub(".experts.", name)
    while True:
        for prefix in ("model.", "language_model.", "backbone."):
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
        else:
            return _ALSO.get(name, name.replace("indexers_proj", "indexer.weights_proj"))


def _glob(text: str) -> re.Pattern[str]:
    """Compile a glob that also matches the children of what it names; globs become atomic groups and never backtrack for long."""
    body = fnmatch.translate(text).removesuffix("\\Z").removesuffix("\\z")
    return re.compile(rf"{body}(?:\..*)?\Z")


def _compiled(text: str, where: str) -> Any:
    """Compile a regular expression; one that could backtrack for long is matched against the clock."""
    _short(text, where)
    repeats = _repeats(text)
    if repeats is None:
        raise InputError(
            f"{where}: quantization_config: {quoted('re:' + text)} repeats a group that repeats itself: "
            "it could be matched for ever"
        )
    try:
        if repeats <= 2 and not _REPEATED_GROUP.search(text):
            return re.compile(text)
        import regex

        return regex.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise _broken(text, where, error) from None
    except Exception as error:  # the `regex` package's own error is no subclass of re's
        raise _broken(text, where, error) from None


def _repeats(text: str) -> int | None:
    """Unbounded repetitions of a regular expression; None when one lies inside another."""
    count, open_groups, closed = 0, [False], False
    tokens = _TOKEN.findall(text)
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token == "(":
            open_groups.append(False)
        elif token == ")" and len(open_groups) > 1:
            inside = open_groups.pop()
            closed = inside
            open_groups[-1] |= inside
        elif token in "*+" or (token.startswith("{") and token.endswith(",}")):
            if before == ")" and closed:
                return None
            if before not in ("*", "+", "?"):
                count += 1
                open_groups[-1] = True
    return count


def _short(text: str, where: str) -> str:
    if len(text) > _LONGEST:
        raise InputError(f"{where}: quantization_config: pattern {quoted(text)} is longer than {_LONGEST} characters")
    return text


def _broken(text: str, where: str, error: Exception) -> InputError:
    return InputError(f"{where}: quantization_config: {quoted('re:' + text)} is no regular expression: {error}")


def _matches(pattern: Any, text: str, where: str) -> bool:
    if isinstance(pattern, re.Pattern):
        return pattern.match(text) is not None
    try:
        return pattern.match(text, timeout=_SECONDS) is not None
    except TimeoutError:
        shown = quoted(f"re:{pattern.pattern}")
        raise InputError(
            f"{where}: quantization_config: {shown} takes longer than {_SECONDS} s to match one module name"
        ) from None


class Patterns:
    """Module patterns of a quantization_config, in order: exact, glob, or ``re:`` regular expressions; parents match children.

    Exact names, often hundreds, are looked up by the parts of a path and not tried one by one.

    Parameters
    ----------
    texts : iterable of str
    where : str
        File name for messages.
    """

    def __init__(self, texts: Iterable[str] = (), where: str = "") -> None:
        self.texts = tuple(texts)
        self.where = where
        self._known: dict[tuple[int, str], bool] = {}
        self._spent = 0.0
        self._exact: dict[str, int] = {}
        self._free: list[tuple[int, Any, bool]] = []
        for number, text in enumerate(self.texts):
            if text.startswith("re:"):
                self._free.append((number, _compiled(text[3:], where), True))
                continue
            stripped = plain(text)
            if "*" in stripped:
                self._free.append((number, _glob(_short(stripped, where)), False))
            else:
                self._exact.setdefault(stripped.rstrip("."), number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patterns) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def first(self, path: str) -> int | None:
        """Return the number of the first pattern that a module's path matches; None where none does."""
        best = len(self.texts)
        if self._exact:
            for part in _runs(path):
                best = min(best, self._exact.get(part, best))
        for number, pattern, wrapped in self._free:
            if number < best and self._free_match(number, pattern, wrapped, path):
                best = number
                break
        return best if best < len(self.texts) else None

    def _free_match(self, number: int, pattern: Any, wrapped: bool, path: str) -> bool:
        known = self._known.get((number, path))
        if known is not None:
            return known
        began = time.thread_time()
        prefixes = ("", "model.", "model.language_model.") if wrapped else ("",)
        found = any(_matches(pattern, prefix + path, self.where) for prefix in prefixes)
        self._spent += time.thread_time() - began
        if self._spent > _ALL_SECONDS:
            raise InputError(
                f"{self.where}: quantization_config: its {len(self._free):,} patterns take longer than {_ALL_SECONDS:g} s to "
                f"match the model's modules, {quoted(self.texts[number])} last"
            )
        self._known[number, path] = found
        return found

    def idle(self, paths: Iterable[str]) -> list[str]:
        """Return the patterns that match none of the paths."""
        known = list(paths)
        runs = {part for path in known for part in _runs(path)}
        quiet = [(n, self.texts[n]) for text, n in self._exact.items() if text not in runs]
        for number, pattern, wrapped in self._free:
            if not any(self._free_match(number, pattern, wrapped, path) for path in known):
                quiet.append((number, self.texts[number]))
        return [text for _, text in sorted(quiet)]


def _runs(path: str) -> Iterable[str]:
    """Every run of whole name parts of a path: "self_attn" names every layer's."""
    parts = path.split(".")
    return (".".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1))


NONE = Patterns()
