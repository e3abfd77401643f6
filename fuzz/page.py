"""Random and hostile questions to the page's API (part of `make fuzz`): none may be a fault (500), name a traceback, or take ten seconds."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from headway.web.offered import OFFERED
from headway.web.schema import schemas

SLOW = 10.0  # seconds
WORDS = [
    "", " ", "-", "--json", "-o", "../x", "/etc/passwd", "deepseek-v3", "llama-3.1-8b", "gpt-oss-120b", "h200x8", "h100x1", "rtx4090", "1e308", "-1", "0", "nan",
    "inf", "9" * 300, "32k", "1", "64", "\u202e", "<script>alert(1)</script>", "'; --", "%s%n", "\x00", "\x1b[2J", "tp8", "tp2ep2", "dp8ep8", "$(id)", "{{7*7}}", "fp8", "int4",
    "vllm", "llama.cpp", "poisson:5/s", "closed:4", "E5", "SYS-A4", "chips", "batch=1..100", "a,b,c", "😀" * 50, "0.5", "100%", "2.5/h", None, True, False, -1, 0, 3, 1e300, 10**30, [],
    {}, [[]], ["h200x8", "b200x8"], {"a": {"b": 1}}, {"active": "37e9"}, {"x" * 999: 1},
]  # fmt: skip
GOOD = {
    "model": ["llama-3.1-8b", "deepseek-v3"],
    "system": ["h100x1", "h200x8"],
    "systems": ["h100x1"],
    "equation": ["E1", "E5", "what-if"],
    "requests": ["20"],
    "models": ["llama-3.1-8b", "gpt-5.5"],
    "tpot": ["50ms"],
    "cases": [
        "system,model,batch,isl,osl,mean_tpot_ms\nH100-SXM,llama-3.1-8b,8,1000,200,8.5\n",
        'a,b\n\x00,"',
        "system\n../x\n",
    ],
    "own_chip": [{"memory": "80GB", "bandwidth": "3TB/s", "compute": "1PFLOP/s"}, {"memory": "1e308"}],
}


def question(rng, known):
    """A verb, and a body that is right but for some of it."""
    verb = rng.choice(list(OFFERED))
    names = list(known[verb]["properties"])
    body = {n: rng.choice(GOOD[n]) for n in names if n in GOOD and rng.random() < 0.9}
    for _ in range(rng.randint(0, 3)):
        body[rng.choice(names) if names and rng.random() < 0.95 else "nonsense"] = rng.choice(WORDS)
    if "traffic" in names:
        body.setdefault("traffic", "closed:4")
    if "cases" in names and rng.random() < 0.9:
        body["cases"] = rng.choice(GOOD["cases"])
    if "samples" in names:
        body["samples"] = "1k"
    return verb, rng.choice(["", "/view", "/csv"]), body


def ask(address, verb, form, body):
    """Return the status, the text and the seconds of an answer."""
    data = json.dumps(body).encode()
    start = time.monotonic()
    request = urllib.request.Request(f"{address}api/{verb}{form}", data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as found:
            return found.status, found.read().decode(), time.monotonic() - start
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), time.monotonic() - start


def calls(count, rng):
    """Ask so many; return what went wrong, and what was seen."""
    known, wrong, seen = schemas(), [], Counter()
    command = [sys.executable, "-m", "headway", "web", "--port", "0", "--seconds", "8s"]
    home = {"XDG_DATA_HOME": tempfile.mkdtemp()}  # reviews of cards are kept there, not with the user's
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | home)
    try:
        address = re.search(r"http://\S+/", server.stdout.readline())[0]
        asked = [question(rng, known) for _ in range(count)]
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda q: ask(address, *q), asked)
            for (verb, form, body), (status, text, took) in zip(asked, answers, strict=True):
                seen[status] += 1
                bad = "Traceback" in text or "root:" in text or (status != 200 and "\n" in text)
                if status not in (200, 400, 408, 422, 429) or bad or took > SLOW + 8:
                    wrong.append((f"page {verb}{form}", f"{status} in {took:.1f} s: {text[:200]}", body))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)
    return wrong, seen


def main():
    """Run it alone."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=5_000)
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    seed = random.randrange(10**9) if given.seed is None else given.seed
    found, seen = calls(given.calls, random.Random(seed))
    print(f"seed {seed}: {dict(seen)}, {len(found)} wrong")
    for where, what, body in found[:20]:
        print(f"! {where}: {what}\n    {json.dumps(body)[:300]}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
