"""Requests that wait for others: closed loops of users, conversations whose prompts grow, agents on a long shared prefix."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Floats, Ints, Requests
from headway.simulation.traffic.arrivals import Process, counted
from headway.simulation.traffic.lengths import LONGEST, Lengths
from headway.simulation.traffic.sizes import Sizes

BLOCK = 64  # tokens of a hashed block where nothing is said: engines' are 16 to 128
MOST_BLOCKS = 50_000_000  # identities held at once: 400 MB


def think_times(count: int, mean: float, cv: float, rng: np.random.Generator) -> Floats:
    """Return times between an answer's end and the next question, gamma-distributed. [s]

    Parameters
    ----------
    count : int
        How many. [1]
    mean : float
        0 or more. [s]
    cv : float
        Coefficient of variation: 0 is always the mean, 1 exponential. [1]
    rng : Generator
    """
    if not (0 <= mean < math.inf and 0 <= cv <= 50):
        raise InputError(
            f"think time: mean {mean:g} s and cv {cv:g}; 0 or more, finite, and a cv of at most 50 are needed"
        )
    if mean == 0 or cv == 0:
        return np.full(count, mean)
    return rng.gamma(cv**-2, mean * cv**2, count)


def alike(requests: Requests, shared: int) -> Requests:
    """Return requests whose prompts all begin with the same tokens.

    Parameters
    ----------
    requests : Requests
        Whose prompts share nothing.
    shared : int
        Of a prompt that is shorter, all. [tokens]
    """
    if not shared:
        return requests
    blocks = np.minimum(requests.prompt, shared) // BLOCK
    hashes, first = identities(np.zeros(len(blocks), dtype=np.int64), blocks, 0)
    return dataclasses.replace(requests, hashes=hashes, first_hash=first, hash_tokens=BLOCK)


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Users who ask, wait for the answer, think, and ask again: never more requests at once than users.

    Attributes
    ----------
    users : int
        At least 1. [1]
    rounds : int
        Requests of each, at least 1. [1]
    think : float
        Mean time from an answer's end to the next question. [s]
    think_cv : float
        Its coefficient of variation: 0 is always the mean, 1 exponential. [1]
    ramp : float
        Time within which the users begin, evenly; 0: all at once. [s]
    shared : int
        Tokens at the start of every prompt, such as a system prompt; of a shorter prompt, all. [tokens]
    """

    users: int
    rounds: int = 10
    think: float = 0.0
    think_cv: float = 1.0
    ramp: float = 0.0
    shared: int = 0

    def __post_init__(self) -> None:
        if self.users < 1 or self.rounds < 1:
            raise InputError(f"closed loop: {self.users} users and {self.rounds} rounds; at least 1 of each is needed")
        if not 0 <= self.ramp < math.inf:
            raise InputError(f"closed loop: a ramp of {self.ramp:g} s; it must be 0 or more and finite")
        if not 0 <= self.shared <= LONGEST:
            raise InputError(f"closed loop: {self.shared} shared tokens; 0 to {LONGEST:,} are possible")
        counted(self.users * self.rounds, "requests")

    def draw(self, sizes: Sizes, rng: np.random.Generator) -> Requests:
        """Return the requests of all users: the first of each, the second of each, ...

        Parameters
        ----------
        sizes : Sizes
            Of prompts and answers.
        rng : Generator
        """
        users, count = self.users, self.users * self.rounds
        for_sizes, for_think = rng.spawn(2)
        prompt, output = sizes.draw(count, for_sizes)
        arrival, think = np.zeros(count), think_times(count, self.think, self.think_cv, for_think)
        arrival[:users] = np.arange(users) * (self.ramp / users)
        think[:users] = 0.0
        after = np.maximum(np.arange(count, dtype=np.int64) - users, -1)
        return alike(Requests(arrival, prompt, output, after=after, think=think), self.shared)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Conversations: each turn's prompt is the prompt and the answer before it, and something new.

    Attributes
    ----------
    arrivals : Process
        Of conversations.
    turns : Lengths
        Of a conversation. [1]
    first : Lengths
        New tokens of the first prompt, beyond what all share. [tokens]
    new : Lengths
        New tokens of each later prompt. [tokens]
    output : Lengths
        Of an answer. [tokens]
    think : float
        Mean time from an answer's end to the next turn. [s]
    think_cv : float
        Its coefficient of variation: 0 is always the mean, 1 exponential. [1]
    shared : int
        Tokens at the start of every prompt of all conversations, such as a system prompt. [tokens]
    longest : int
        A conversation ends before the turn whose prompt and answer would be longer together. [tokens]
    hash_tokens : int
        Tokens of a block with an identity. [tokens]
    """

    arrivals: Process
    turns: Lengths
    first: Lengths
    new: Lengths
    output: Lengths
    think: float = 0.0
    think_cv: float = 1.0
    shared: int = 0
    longest: int = LONGEST
    hash_tokens: int = BLOCK

    def draw(self, count: int, rng: np.random.Generator) -> Requests:
        """Return the turns of the first `count` conversations.

        Parameters
        ----------
        count : int
            How many conversations. [1]
        rng : Generator
        """
        own = rng.spawn(2)
        return self._of(self.arrivals.draw(count, own[0]), own[1])

    def until(self, seconds: float, rng: np.random.Generator) -> Requests:
        """Return all turns of the conversations that begin before `seconds`.

        Parameters
        ----------
        seconds : float
            End of their beginnings. [s]
        rng : Generator
        """
        own = rng.spawn(2)
        return self._of(self.arrivals.until(seconds, own[0]), own[1])

    def _of(self, starts: Floats, rng: np.random.Generator) -> Requests:
        for_turns, for_first, for_new, for_output, for_think = rng.spawn(5)
        turns = self.turns.draw(len(starts), for_turns)
        count = counted(turns.sum(), "turns")
        new = self.new.draw(count, for_new)
        new[np.cumsum(turns) - turns] = self.first.draw(len(starts), for_first)
        output = self.output.draw(count, for_output)
        think = think_times(count, self.think, self.think_cv, for_think)
        return conversations(starts, turns, new, output, think, self.shared, self.longest, self.hash_tokens)


def agent_loops(
    arrivals: Process,
    turns: Lengths,
    shared: int,
    task: Lengths,
    result: Lengths,
    output: Lengths,
    tool: float = 0.0,
    longest: int = LONGEST,
    hash_tokens: int = BLOCK,
) -> Sessions:
    """Return agents at work: many short turns, each a tool's result, on a long prefix that all of them share.

    Parameters
    ----------
    arrivals : Process
        Of agents.
    turns : Lengths
        Calls of the model that an agent makes. [1]
    shared : int
        Instructions and descriptions of tools, the same for all agents. [tokens]
    task : Lengths
        What an agent is asked to do. [tokens]
    result : Lengths
        What a tool returns. [tokens]
    output : Lengths
        What the model writes in a turn. [tokens]
    tool : float
        Mean time that a tool takes, exponential. [s]
    longest : int
        An agent stops before the turn whose prompt and answer would be longer together. [tokens]
    hash_tokens : int
        Tokens of a block with an identity. [tokens]
    """
    return Sessions(arrivals, turns, task, result, output, tool, 1.0, shared, longest, hash_tokens)


def conversations(
    starts: Floats,
    turns: Ints,
    new: Ints,
    output: Ints,
    think: Floats,
    shared: int = 0,
    longest: int = LONGEST,
    hash_tokens: int = BLOCK,
) -> Requests:
    """Return conversations as requests: first all first turns, then the others, one conversation after another.

    Identities are those of a prompt's full blocks: what all share has the same everywhere, the rest is each conversation's own.

    Parameters
    ----------
    starts : array
        When each conversation begins, in order. [s]
    turns : array of int
        How many turns it has, at least 1. [1]
    new, output : array of int
        New tokens of each turn's prompt and length of its answer, one conversation after another. [tokens]
    think : array
        Time before each turn since the last answer's end; a first turn's is not used. [s]
    shared, longest, hash_tokens : int
        As of `Sessions`. [tokens]

    Raises
    ------
    InputError
        When not even one first turn is short enough, or the prompts have too many blocks.
    """
    session, prompt, kept = _grown(turns, new, output, shared, longest)
    later = kept != (np.cumsum(turns) - turns)[session[kept]]
    if hash_tokens < 1:
        raise InputError(f"sessions: blocks of {hash_tokens} tokens; at least 1 is needed")
    hashes, first_hash = identities(session[kept], prompt[kept] // hash_tokens, shared // hash_tokens)
    place = np.full(len(session), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return Requests(
        np.where(later, 0.0, starts[session[kept]]),
        prompt[kept],
        output[kept],
        after=np.where(later, place[kept - 1], -1),
        think=np.where(later, think[kept], 0.0),
        hashes=hashes,
        first_hash=first_hash,
        hash_tokens=hash_tokens,
    )


def _grown(turns: Ints, new: Ints, output: Ints, shared: int, longest: int) -> tuple[Ints, Ints, Ints]:
    """Conversation and prompt of each turn, and the turns that are short enough, first turns first."""
    if not 0 <= shared <= LONGEST:
        raise InputError(f"sessions: {shared} shared tokens; 0 to {LONGEST:,} are possible")
    session = np.repeat(np.arange(len(turns)), turns)
    begin = (np.cumsum(turns) - turns)[session]  # where the turn's conversation begins
    total = np.cumsum(new + output)
    prompt = shared + total - output - (total - new - output)[begin]
    kept = np.flatnonzero(prompt + output <= longest)
    if len(session) and not len(kept):
        raise InputError(
            f"sessions: no first turn fits in {longest:,} tokens; the shortest has {int((prompt + output).min()):,}"
        )
    return session, prompt, kept[np.argsort(kept != begin[kept], kind="stable")]


def identities(session: Ints, blocks: Ints, shared: int) -> tuple[Ints, Ints]:
    """Return identities of requests' blocks, and where each request's begin: the first blocks are everybody's, others a session's own.

    Parameters
    ----------
    session : array of int
        Of each request, from 0: requests of one share their blocks. [1]
    blocks : array of int
        Of each request's prompt. [blocks]
    shared : int
        That all requests begin with. [blocks]

    Raises
    ------
    InputError
        For more blocks than are held.
    """
    first = np.concatenate([[0], np.cumsum(blocks)]).astype(np.int64)
    if first[-1] > MOST_BLOCKS:
        raise InputError(
            f"sessions: {first[-1]:,} blocks in all prompts; at most {MOST_BLOCKS:,} are held: larger ones are needed"
        )
    own = np.zeros(int(session.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(own, session, np.maximum(blocks - shared, 0))
    number = np.arange(first[-1]) - np.repeat(first[:-1], blocks)
    return np.where(number < shared, number, number + np.repeat((np.cumsum(own) - own)[session], blocks)), first
