"""Kill -9 at random times while reviews are saved: what was said to be saved is there afterwards. `killed.py N`: so many kills."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from headway.learn.progress import Review, reviews, save


def saving(file, first, pipe):
    """Save reviews until killed, and say of each that it is saved."""
    for n in range(first, first + 10**6):
        save(file, Review(f"card-{n}", "2026-01-01T00:00:00+00:00", 1.0, 3, answer="x" * (n % 4000)))
        os.write(pipe, b".")


def kills(file, number, seed=0):
    """Return reviews that were said to be saved and are lost, and how many there are, after so many kills."""
    dice = random.Random(seed)
    known, lost = 0, 0
    for _ in range(number):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            saving(file, known, writer)
        os.close(writer)
        time.sleep(dice.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = 0
        while block := os.read(reader, 65536):
            said += len(block)
        os.close(reader)
        found = {r.card for r in reviews(file)}
        lost += len({f"card-{n}" for n in range(known + said)} - found)
        known = len(found)
    return lost, known


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        count = int(sys.argv[1])
        gone, there = kills(Path(folder) / "learn.jsonl", count)
    print(f"{count} kills, {there} reviews saved, {gone} lost")
    sys.exit(1 if gone else 0)
