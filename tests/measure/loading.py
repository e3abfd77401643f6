"""A client of the lab engine with a log of its own: a closed loop of streams, moments on the clock that `watch` reads."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field

import httpx

MODEL = "llama-3.1-8b"


@dataclass
class One:
    """A request as its client saw it."""

    start: float
    prompt: int = 0
    output: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def first(self):
        return self.times[0]

    @property
    def last(self):
        return self.times[-1]


def whole_first_tokens(address, count, seed=0):
    """Requests whose first token is a character of its own: of one that is only a part, nothing is sent until the rest has come."""

    async def tried(client, body):
        body["plain"] = (await client.post("/v1/completions", json={**body, "max_tokens": 4})).json()["choices"][0][
            "text"
        ][0]

    async def all_of(bodies):
        async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
            await asyncio.gather(*(tried(client, b) for b in bodies))

    rng = random.Random(seed)
    shared = "The same beginning, longer than two blocks of the cache. "
    bodies = []
    for i in range(2 * count):
        prompt = "".join(rng.choice("abcdefghij ") for _ in range(rng.randint(10, 60)))
        bodies.append({"model": MODEL, "prompt": shared * (i % 2) + prompt, "seed": i, "ignore_eos": True})
    asyncio.run(all_of(bodies))
    plain = [b for b in bodies if b.pop("plain").isascii()]
    return [{**b, "max_tokens": rng.randint(8, 24)} for b in plain]


def load(address, bodies, users, stop, once=False):
    """Ask again and again until `stop` is set, or each once; return the log."""
    log, left = [], iter(bodies if once else bodies * 100)

    async def ask(client, body):
        one = One(time.monotonic())
        more = {"stream": True, "stream_options": {"include_usage": True}}
        async with client.stream("POST", "/v1/completions", json={**body, **more}) as answer:
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                told = json.loads(line[6:])
                if told["choices"]:
                    one.times.append(time.monotonic())
                if told.get("usage"):
                    one.prompt, one.output = told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]
        log.append(one)

    async def user(client):
        while not stop.is_set() and (body := next(left, None)) is not None:
            try:
                await ask(client, body)
            except (
                httpx.RemoteProtocolError
            ):  # a kept connection that llama.cpp's server closed meanwhile: it saw nothing of it
                await ask(client, body)

    async def all_users():
        async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
            await asyncio.gather(*(user(client) for _ in range(users)))

    asyncio.run(all_users())
    return log


def seen(log, low, high):
    """What the client's log says of the time between two moments: tokens of an answer that nobody saw come evenly between those seen."""
    passed = high - low

    def inside(a, b):
        return max(min(b, high) - max(a, low), 0.0)

    first = [r for r in log if low < r.first <= high]
    made = len(first) + sum(
        inside(r.first, r.last) / (r.last - r.first) * (r.output - 1) for r in log if r.last > r.first
    )
    aboard = sum(inside(r.first, r.last) for r in log)
    return {
        "output_rate": made / passed, "prompt_rate": sum(r.prompt for r in first) / passed, "requests": len(first) / passed,
        "batch": aboard / passed, "pass_seconds": aboard / (made - len(first)), "ttft": sum(r.first - r.start for r in first) / len(first),
    }  # fmt: skip
