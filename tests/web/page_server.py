"""A real server in a process of its own, for the tests of the page."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx


class Page:
    """The server: its address, and a client."""

    def __init__(self, process, address):
        self.process, self.address = process, address
        self.client = httpx.Client(base_url=address, timeout=60, trust_env=False)

    def ask(self, verb, form="", **body):
        return self.client.post(f"/api/{verb}{form}", json=body)

    def workers(self):
        """Processes that compute, by their parent."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline") as line:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid and "headway.web.worker" in line.read():
                    found.append(int(pid))
        return found

    def busy(self):
        """Those of them that are at work."""
        found = []
        for pid in self.workers():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] in "RD":
                    found.append(pid)
        return found

    def memory(self):
        """Resident memory of the server itself. [MB]"""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1000


@contextlib.contextmanager
def serving(*options):
    with tempfile.TemporaryDirectory() as home, _serving(home, *options) as page:
        page.home = Path(home)
        yield page


@contextlib.contextmanager
def _serving(home, *options):
    code = "import sys; from headway.cli.app import main; sys.argv = ['headway', *sys.argv[1:]]; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "web", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_DATA_HOME": str(home)},  # reviews that a test makes are not the user's
    )
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)
        assert address, line + process.stderr.read()
        page = Page(process, address[0])
        yield page
        page.client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()
