"""A lab engine in a process of its own, and what asks it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time

import httpx

MODEL = "llama-3.1-8b"


class Server:
    def __init__(self, process, address):
        self.process = process
        once = httpx.Limits(max_keepalive_connections=0)  # a killed server leaves no connection open here
        self.client = httpx.Client(base_url=address, timeout=60, trust_env=False, limits=once)

    def complete(self, **body):
        return self.client.post(
            "/v1/completions", json={"model": MODEL, "prompt": "All aboard", "max_tokens": 4} | body
        )

    def chat(self, **body):
        said = [{"role": "user", "content": "All aboard"}]
        return self.client.post("/v1/chat/completions", json={"model": MODEL, "messages": said, "max_tokens": 4} | body)

    def metrics(self):
        rows = re.findall(r"^vllm:(\w+)(?:\{.*?\})? (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        return {name: float(value) for name, value in rows}

    def until(self, holds, most=20.0):
        end = time.monotonic() + most
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.02)


def start(*options):
    code = "import sys; from headway.cli.app import main; sys.argv = ['headway', *sys.argv[1:]]; main()"
    words = [sys.executable, "-c", code, "serve", "--port", "0", "--layers", "1", *options]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ready(process):
    lines = process.stdout.readline() + process.stdout.readline()
    address = re.search(r"http://\S+/(?=v1)", lines)
    assert address, lines + process.stderr.read()
    return Server(process, address[0])


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    try:
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@contextlib.contextmanager
def serving(*options):
    process = start(*options)
    try:
        server = ready(process)
        yield server
        server.client.close()
    finally:
        end(process)
