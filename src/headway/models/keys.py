"""Reading a config.json so that no architecture key is missed: every key is read, known to be irrelevant, or an error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from headway.errors import InputError, near_misses, quoted, slips
from headway.models.irrelevant import IN_ARCHITECTURE

_MISSING: Any = object()
_LARGEST = 10**9  # no size or count of a real model comes near it
MOST_LAYERS = 10_000
_LONGEST_LIST = 20_000  # the longest real list names some 700 modules
_LONGEST_NAME = 80


class Keys:
    """A config (or one of its sections) that remembers which keys were read.

    Parameters
    ----------
    values : mapping
        The section.
    where : str
        File name for messages.
    prefix : str
        Sections that this one lies in, for messages.
    irrelevant : frozenset of str
        Keys that may go unread.
    """

    def __init__(
        self, values: Mapping[str, Any], where: str, prefix: str = "", irrelevant: frozenset[str] = IN_ARCHITECTURE
    ) -> None:
        self.values = values
        self.where = where
        self.prefix = prefix
        self.irrelevant = irrelevant
        self._read: set[str] = set()
        self._absent: set[str] = set()

    def _take(self, names: tuple[str, ...], default: Any) -> tuple[str, Any]:
        self._read.update(n for n in names if n in self.values)
        self._absent.update(n for n in names if n not in self.values)
        for name in names:
            if self.values.get(name) is not None:
                return name, self.values[name]
        if default is _MISSING:
            close = [k for k in near_misses(names[0], self.values, most=2) if k not in self._read]
            hint = f"; is it the one called {' or '.join(close)}?" if close else ""
            raise InputError(f"{self.where}: key {self.prefix}{names[0]!r} is missing{hint}")
        return names[0], default

    def wrong(self, name: str, value: Any, accepted: str) -> InputError:
        """Build the error for a value that a key cannot have."""
        return InputError(f"{self.where}: {self.prefix}{name} is {quoted(value)}; it must be {accepted}")

    def int(self, *names: str, default: Any = _MISSING, least: int = 1, most: int = _LARGEST) -> int:
        """Return the first of `names` as a whole number between `least` and `most`; a default is returned as it is.

        Parameters
        ----------
        *names : str
            The key and its other names.
        default : object
            When none is there; without one that is an error.
        least, most : int
            Smallest and largest value allowed. [1]
        """
        name, value = self._take(names, default)
        return value if value is default and default is not _MISSING else self.whole(name, value, least, most)

    def whole(self, name: str, value: Any, least: int = 1, most: int = _LARGEST) -> int:
        """Return a value of `name` (or an entry of its list) as a whole number between `least` and `most`.

        Parameters
        ----------
        name : str
            For the message.
        value : object
        least, most : int
            Smallest and largest value allowed. [1]
        """
        number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        number = number and not isinstance(value, bool)
        if not number or value != int(value) or not least <= value <= most:
            above = f" and at most {most:,}" if number and value > most else ""
            raise self.wrong(name, value, f"a whole number >= {least}{above}")
        return int(value)

    def count(self, *names: str, default: Any = _MISSING, least: int = 1, most: int = MOST_LAYERS) -> int:
        """Return the first of `names` as a number of layers, which no model has more than 10,000 of.

        Parameters
        ----------
        *names : str
            The key and its other names.
        default : object
            When none is there; without one that is an error.
        least, most : int
            Fewest and most allowed. [layers]
        """
        return self.int(*names, default=default, least=least, most=most)

    def number(self, *names: str, default: Any = _MISSING) -> float:
        """Return the first of `names` as a positive number."""
        name, value = self._take(names, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
            raise self.wrong(name, value, "a positive number")
        return float(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return the first of `names` as true or false."""
        name, value = self._take(names, default)
        if not isinstance(value, bool) and (not isinstance(value, int | float) or value not in (0, 1)):
            raise self.wrong(name, value, "true or false")
        return bool(value)

    def expect(self, name: str, *harmless: Any) -> None:
        """Refuse any value of `name` but None and the harmless ones: headway does not know what it would change."""
        value = self.raw(name)
        if value is not None and value not in harmless:
            known = f" (known: {', '.join(repr(h) for h in harmless)})" if harmless else ""
            raise InputError(f"{self.where}: {self.prefix}{name} = {quoted(value)} is not known to headway{known}")

    def kinds(self, *names: str, length: int, known: tuple[str, ...]) -> list[str] | None:
        """Return a list of layer kinds, each one of `known`.

        Parameters
        ----------
        *names : str
            The key and its other names.
        length : int
            Entries that the list must have. [layers]
        known : tuple of str
            Kinds that are accepted.
        """
        found = self.list(*names, length=length)
        for kind in found or []:
            if kind not in known:
                accepted = ", ".join(known)
                raise InputError(f"{self.where}: {self.prefix}{names[0]} has a layer {quoted(kind)}; known: {accepted}")
        return found

    def text(self, *names: str, default: Any = _MISSING) -> str:
        """Return the first of `names` as text."""
        name, value = self._take(names, default)
        if value is not default and not isinstance(value, str):
            raise self.wrong(name, value, "text")
        return value

    def texts(self, *names: str) -> list[str]:
        """Return the first of `names` as a list of texts; empty when absent."""
        found = self.list(*names) or []
        for value in found:
            if not isinstance(value, str):
                raise InputError(f"{self.where}: {self.prefix}{names[0]} holds {quoted(value)}; it must hold texts")
        return found

    def list(self, *names: str, length: int | None = None, more: int = 0) -> list[Any] | None:
        """Return the first of `names` as a list (None when absent) of `length` entries, or up to `more` beyond.

        Parameters
        ----------
        *names : str
            The key and its other names.
        length : int or None
            Entries that the list must have (None: any number). [layers]
        more : int
            Entries allowed beyond those. [layers]
        """
        name, value = self._take(names, None)
        if value is None:
            return None
        if not isinstance(value, list):
            raise InputError(f"{self.where}: {self.prefix}{name} must be a list, not {type(value).__name__}")
        if not value and length is not None:
            return None  # the reference library takes an empty list of layers as unset
        if length is not None and not length <= len(value) <= length + more:
            raise InputError(f"{self.where}: {self.prefix}{name} has {len(value)} entries for {length} layers")
        if len(value) > _LONGEST_LIST:
            raise InputError(f"{self.where}: {self.prefix}{name} has {len(value):,} entries; no model has so many")
        return value

    def raw(self, name: str, default: Any = None) -> Any:
        """Return a key as it is."""
        return self._take((name,), default)[1]

    def section(self, name: str) -> Keys | None:
        """Return a nested section, or None; its own unread keys are errors too."""
        value = self._take((name,), None)[1]
        if value is None:
            return None
        if not isinstance(value, dict):
            raise InputError(f"{self.where}: {self.prefix}{name} must be an object")
        return Keys(value, self.where, f"{self.prefix}{name}.", self.irrelevant)

    def state(self, **values: Any) -> None:
        """Take values for keys whatever the config says: what another section, an option or the family states."""
        self.values = {**self.values, **values}

    def ignore(self, *names: str) -> None:
        """Mark keys as looked at: they are known not to matter for this family."""
        self._read.update(names)

    def unread(self) -> list[str]:
        """Return the keys that nobody read and that could change the model."""
        left = [k for k in self.values if k not in self._read and k not in self.irrelevant]
        return sorted(k for k in left if self.values[k] not in (None, False, [], {}) or self._resembles(k))

    def _resembles(self, key: str) -> bool:
        """Whether a key without a value of its own is a misspelt one that was asked for, whose default may be another."""
        return bool(slips(key, self._absent))

    def finish(self) -> None:
        """Refuse keys that nobody read.

        Raises
        ------
        InputError
            Naming each unread key: a key with another name must never turn into a silent default.
        """
        left = self.unread()
        if left:
            shown = [f"{self.prefix}{k}"[:_LONGEST_NAME] for k in left]
            names = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
            raise InputError(
                f"{self.where}: unknown architecture key{'s' if len(left) > 1 else ''} {names}: headway would have to "
                "guess what the model is; remove the key if it changes nothing, or report the architecture"
            )
