"""Conversations as ShareGPT has them: who said what. Lengths are counted where the file counts, else estimated from characters."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.catalog import default
from headway.errors import InputError, quoted
from headway.simulation.requests import Ints, Requests
from headway.simulation.traffic.arrivals import Process
from headway.simulation.traffic.lengths import LONGEST
from headway.simulation.traffic.lines import Text
from headway.simulation.traffic.records import Record
from headway.simulation.traffic.sessions import BLOCK, conversations, think_times
from headway.simulation.traffic.traces import Trace, whole

KEYS = ("conversations", "conversation", "messages")
_ANSWERS = {"gpt", "assistant", "chatgpt", "bing", "bard", "model", "claude"}
_TEXTS = ("value", "content", "text")
_COUNTS = ("tokens", "num_tokens", "token_count", "n_tokens")


@dataclass(frozen=True)
class Chats:
    """Conversations without times.

    Attributes
    ----------
    turns : array of int
        Of each conversation, at least 1. [1]
    new, output : array of int
        New tokens of each turn's prompt and length of its answer, one conversation after another. [tokens]
    name : str
    source : str
    """

    turns: Ints
    new: Ints
    output: Ints
    name: str = ""
    source: str = ""

    def __len__(self) -> int:
        return len(self.turns)

    def requests(
        self,
        arrivals: Process,
        times: np.random.Generator,
        rest: np.random.Generator,
        most_turns: int = 1,
        think: float = 0.0,
        longest: int = LONGEST,
        hash_tokens: int = BLOCK,
    ) -> Requests:
        """Return the conversations as traffic, in the file's order.

        Parameters
        ----------
        arrivals : Process
            When conversations begin.
        times, rest : Generator
            For arrivals, and for the times between turns.
        most_turns : int
            Turns of each that are played; 1: first question and answer, as vLLM's and SGLang's benchmarks play ShareGPT. [1]
        think : float
            Mean time from an answer's end to the next turn, exponential. [s]
        longest : int
            A conversation ends before the turn whose prompt and answer would be longer together. [tokens]
        hash_tokens : int
            Tokens of a block with an identity. [tokens]
        """
        if most_turns < 1:
            raise InputError(f"{most_turns} turns of each conversation; at least 1 is needed")
        turns = np.minimum(self.turns, most_turns)
        number = np.arange(len(self.new)) - np.repeat(np.cumsum(self.turns) - self.turns, self.turns)
        kept = number < most_turns
        waits = think_times(int(kept.sum()), think, 1.0, rest)
        starts = arrivals.draw(len(turns), times)
        found = conversations(starts, turns, self.new[kept], self.output[kept], waits, 0, longest, hash_tokens)
        return dataclasses.replace(found, name=self.name, source=self.source)

    def first_turns(self) -> Trace:
        """Return the first question and answer of each, as a trace without times."""
        begin = np.cumsum(self.turns) - self.turns
        return Trace(self.new[begin], self.output[begin], name=self.name, source=self.source)

    def first(self, count: int) -> Chats:
        """Return the first conversations.

        Parameters
        ----------
        count : int
            How many. [1]
        """
        turns = self.turns[:count]
        return Chats(turns, self.new[: turns.sum()], self.output[: turns.sum()], self.name, self.source)


def read_chats(text: Text, rows: Iterable[tuple[int, Record]], most: int) -> Chats:
    """Read conversations; those without an answer are left out, and the source says how many.

    Everything before an answer is its prompt's new part; answers in a row are one.

    Parameters
    ----------
    text : Text
        The file, for its name and faults.
    rows : iterable of (line, record)
    most : int
        Conversations after which reading ends. [1]

    Raises
    ------
    InputError
        When records are no conversations, or none has an answer.
    """
    per_token = default("characters_per_token")
    turns, new, output = array("q"), array("q"), array("q")
    dropped = estimated = 0
    for line, record in rows:
        try:
            found, guessed = _turns(record, per_token)
        except InputError as error:
            text.faults.add(line, str(error))
            continue
        estimated += guessed
        dropped += not found
        if found:
            turns.append(len(found))
            new.extend(max(n, 1) for n, _ in found)
            output.extend(max(n, 1) for _, n in found)
        if len(turns) >= most:
            break
    text.faults.raise_any()
    if not turns:
        raise InputError(
            f"{text.name}: no conversation has a question and an answer; turns like human and gpt are needed"
        )
    said = f"; lengths estimated at {per_token:g} characters a token" if estimated else ""
    said += f"; {dropped:,} conversations without an answer left out" if dropped else ""
    as_column = [np.array(c, dtype=np.int64) for c in (turns, new, output)]
    return Chats(as_column[0], as_column[1], as_column[2], text.name, f"{text.name}{said}")


def _turns(record: Record, per_token: float) -> tuple[list[tuple[int, int]], bool]:
    """(new tokens, answer's tokens) of each turn, and whether any length is estimated."""
    key = next((k for k in KEYS if k in record), "")
    said = record.get(key)
    if not isinstance(said, list):
        raise InputError(f"has no list of turns; one is needed under {', '.join(KEYS)}")
    found: list[tuple[int, int]] = []
    new, output = 0, 0
    asked, answered, guessed = False, False, False
    for message in said:
        if not isinstance(message, dict):
            raise InputError(
                f"a turn is {quoted(message)}; an object like {{'from': 'human', 'value': '...'}} is needed"
            )
        role = message.get("from", message.get("role"))
        if not isinstance(role, str):
            raise InputError("a turn does not say whose it is; `from` or `role` is needed")
        tokens, estimate = _tokens(message, per_token)
        guessed |= estimate
        if role.lower() in _ANSWERS and asked:
            output, answered = output + tokens, True
        else:
            if answered:
                found.append((new, output))
                new, output, answered = 0, 0, False
            new, asked = new + tokens, asked or role.lower() not in (*_ANSWERS, "system")
    return ([*found, (new, output)] if answered else found), guessed


def _tokens(message: dict[str, Any], per_token: float) -> tuple[int, bool]:
    for key in _COUNTS:
        if key in message:
            return whole(message[key], key, 0), False
    content = next((message[k] for k in _TEXTS if k in message), None)
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise InputError(
            f"a turn has no text; one is needed under {', '.join(_TEXTS)}, or its length under {', '.join(_COUNTS)}"
        )
    return math.ceil(len(content) / per_token), True
