"""A closed loop step by step: the slow, obvious truth that the mean-value formulas must agree with."""

from __future__ import annotations

import random
import statistics


def run(slots, output, step, extra, most, rounds=10, spread=0.11, seed=1, apart=False):
    """Return (mean TTFT, median TTFT, mean TPOT) of `rounds` requests per slot.

    A pass takes `step` seconds and `extra` more for each prompt that it carries, at most `most` of them, first come first
    served; every running request gets a token from each pass. Where prompts run `apart`, those that wait are carried by
    passes of their own, of the same length, before any running request gets its next token. Output lengths spread
    uniformly.
    """
    rnd = random.Random(seed)
    total, sent, done, now = slots * rounds, slots, 0, 0.0

    def length():
        return max(1, round(output * rnd.uniform(1 - spread, 1 + spread)))

    waiting = [(0.0, length()) for _ in range(slots)]
    running, ttft, tpot = [], [], []  # a running request: tokens left, time of its first token, its length
    while done < total:
        taken, waiting = waiting[:most], waiting[most:]
        now += step + extra * len(taken)
        paused = apart and taken
        still = running if paused else []
        for left, first, size in [] if paused else running:
            if left > 1:
                still.append((left - 1, first, size))
                continue
            done += 1
            tpot.append((now - first) / max(size - 1, 1))
            if sent < total:
                waiting.append((now, length()))
                sent += 1
        for arrived, size in taken:
            ttft.append(now - arrived)
            if size > 1:
                still.append((size - 1, now, size))
            else:
                done += 1
        running = still
    return statistics.mean(ttft), statistics.median(ttft), statistics.mean(tpot)
