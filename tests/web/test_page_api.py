"""The API of the page: every answer is what the command line prints, and nothing of the machine is readable through it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import re
import shlex
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from page_server import serving
from starlette.applications import Starlette

import headway as hw
from headway.cli import app
from headway.errors import InputError
from headway.gate import ANY_ADDRESS, LOOPBACK, Gate
from headway.questions import FIELDS, Query, Request, fields_of
from headway.web import server
from headway.web.asked import read
from headway.web.limits import Limits
from headway.web.offered import OFFERED, options_of

SMALL = {"model": "llama-3.1-8b", "system": "h100x1", "prompt": "500", "output": 100}
QUESTIONS = {
    "plan": {"model": "deepseek-v3", "system": "gb200-nvl72", "context": "32k", "why": True},
    "curve": {**SMALL, "points": 7},
    "cost": {**SMALL, "hits": 0.5, "points": 3},
    "tiers": dict(SMALL),
    "ask": {"equation": "E5", "numbers": {"active": "37e9", "total": 700e9}},
    "lecture": {},
    "learn": {"card": "balance-batch", "seed": 2, "answer": "H * N_total / N_active"},
    "catalog": {"table": "claims"},
    "search": {"model": "llama-3.1-8b", "systems": ["h100x1"], "prompt": 500, "output": 100},
    "simulate": {**SMALL, "traffic": "closed:4", "requests": "20"},
    "infer": {"model": "openai/gpt-5.5", "samples": "2k"},
    "train": {
        "model": "llama-3.1-8b",
        "on": "h100x64",
        "tokens": "1T",
        "global_batch": "4Mtok",
        "overlap": "50%",
        "price": "2/h",
        "why": True,
    },
    "lifetime": {
        "model": "llama-3.1-8b",
        "system": "h100x1",
        "prompt": "500",
        "output": 100,
        "tokens": "15T",
        "demand": "10T",
        "rl_tokens": "1T",
        "rl_idle": "40%",
        "train_on": "h100x16",
        "law": "hoffmann2022",
        "why": True,
    },
    "rl": {
        "model": "llama-3.1-8b",
        "system": "h100x8",
        "prompts": 4,
        "group": 4,
        "answers": "200-1k",
        "way": "in turns",
        "rollout_chips": 4,
        "price": "2/h",
        "why": True,
    },
    "bill": {
        "models": "llama-3.1-70b",
        "against": "h200x8",
        "prompt": "2k",
        "output": "500",
        "tpot": "50ms",
        "hits": "0",
    },
    "predict": {
        "cases": "system,model,batch,isl,osl,mean_tpot_ms\nH100-SXM,llama-3.1-8b,8,1000,200,8.5\nH100-SXM,llama-3.1-8b,1,1000,200,\n"
    },
}
MORE = {
    "infer own": {"input": 3, "output": 15, "cached": 0.3, "fast": "6x:2.5x", "samples": "2k",
        "active": "30e9", "price": "1.5/h", "seed": 3},
    "infer all": {"validate": True, "samples": "20k"},
    "bill workload": {"models": "gemini-3.1-pro,deepseek-v3.2", "prompt": "300k", "output": "1k", "cached": "100k"},
    "bill rented": {
        "models": "llama-3.3-70b", "against": "h200x8", "prompt": "2k", "output": "500", "ttft": "2s", "tpot": "30ms,60ms",
        "within": "95%", "hits": "0", "hours": 12, "price": "3/h", "reserved_price": "2/h",
    },
    "lifetime traffic": {
        "model": "llama-3.1-8b", "system": "h100x1", "tokens": "15T", "traffic": "1M/s", "days": 30, "train_on": "h100x16",
        "train_price": "2/h", "trained": "50%", "rl_tokens": "2T",
    },
    "simulate more": {
        **SMALL, "traffic": "poisson:20/s", "requests": "60", "seed": 4, "max_sequences": 16, "policy": "decode-first",
        "ttft": "300ms", "tiers": "fast:20%,ttft=500ms,batch:80%",
    },
}  # fmt: skip


def printed(capsys, words):
    assert app.run(words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", OFFERED)
def test_the_record_is_that_of_the_command_line(page, capsys, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text(QUESTIONS[verb].get("cases", ""))
    found = page.ask(verb, "/view", **QUESTIONS[verb])
    assert found.status_code == 200, found.text
    said = found.json()
    assert set(said) == {"answer", "figure", "command", "python"}
    words = shlex.split(said["command"])[1:]
    assert said["answer"] == json.loads(printed(capsys, [*words, "--json"]))
    assert (said["figure"] is not None) == (OFFERED[verb].drawn and verb != "ask")


def test_the_record_stands_alone_and_so_does_its_table(page, capsys, tmp_path):
    words = ["curve", "llama-3.1-8b", "--on", "h100x1", "--prompt", "500", "--output", "100", "--points", "7"]
    assert page.ask("curve", **QUESTIONS["curve"]).json() == json.loads(printed(capsys, [*words, "--json"]))
    table = page.ask("curve", "/csv", **QUESTIONS["curve"])
    assert table.text == printed(capsys, [*words, "--csv"])
    assert table.headers["content-type"].startswith("text/csv")
    for stacked in (False, True):
        chart = tmp_path / "chart.json"
        printed(capsys, [*words, *(["--stacked"] if stacked else []), "-o", str(chart)])
        assert page.ask("curve", "/view", **QUESTIONS["curve"], stacked=stacked).json()["figure"] == json.loads(
            chart.read_text()
        )


def alike(a, b):
    """Whether two records say the same: sums may be added in another order in another process."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == pytest.approx(b, rel=1e-9) if isinstance(a, float) else a == b


@pytest.mark.parametrize("verb", [*QUESTIONS, *MORE])
def test_the_program_gives_the_same(page, verb, tmp_path, monkeypatch):
    """Every copy as Python runs as it stands, and answers what the page answers."""
    monkeypatch.chdir(tmp_path)
    asked = (QUESTIONS | MORE)[verb]
    verb = verb.split()[0]
    (tmp_path / "cases.csv").write_text(asked.get("cases", ""))
    body = {k: v for k, v in asked.items() if k != "why"}
    said = page.ask(verb, "/view", **body).json()
    names = {}
    exec(said["python"], names)
    answer = said["answer"]
    if verb == "curve":
        shared = answer["curve"][3].keys() & names["curve"][3].keys()
        assert len(shared) > 8
        assert [{k: r[k] for k in shared} for r in answer["curve"]] == [
            {k: r[k] for k in shared} for r in names["curve"]
        ]
    elif verb in ("lecture", "catalog"):
        assert names["records"] == answer
    elif verb == "predict":
        own = [r["predicted_tpot_ms"] for r in answer]  # the page keeps the table's own titles
        assert [r["predicted_tpot_ms"] for r in names["rows"]] == own
        assert len(own) == 2
        assert len(answer) == 2
    else:
        record = json.loads(json.dumps(names["record"], default=float))
        assert len(record) > 2
        assert [k for k in record if not alike(record[k], answer[k])] == []


def test_every_field_of_the_questions_is_on_the_form(page):
    """A new field or knob appears by itself: the forms are made of this."""
    schemas = page.client.get("/api/schema").json()
    assert set(schemas) == set(OFFERED)
    assert {*fields_of(Request)} - {"arrivals"} <= set(schemas["curve"]["properties"])
    assert {*fields_of(Query)} - {"at_most", "chips"} <= set(schemas["search"]["properties"])
    for verb, schema in schemas.items():
        for name, entry in schema["properties"].items():
            assert entry["description"], (verb, name)
            if entry["group"] == "question":
                assert entry["description"] == FIELDS[name].about
                assert entry.get("unit", "") == FIELDS[name].unit


def test_openapi_is_whole(page):
    found = page.client.get("/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    for path, ways in found["paths"].items():
        for way in ways.values():
            for ref in [
                r
                for r in [
                    way.get("requestBody", {})
                    .get("content", {})
                    .get("application/json", {})
                    .get("schema", {})
                    .get("$ref")
                ]
                if r
            ]:
                assert ref.split("/")[-1] in found["components"]["schemas"], path
    assert {f"/api/{v}" for v in OFFERED} <= set(found["paths"])


def events(page, verb, body, most=1000):
    headers = {"accept": "text/event-stream"}
    found = []
    with page.client.stream("POST", f"/api/{verb}", json=body, headers=headers) as coming:
        for line in coming.iter_lines():
            if line.startswith("event: "):
                found.append([line[7:], None])
            elif line.startswith("data: "):
                found[-1][1] = json.loads(line[6:])
                if len(found) == most:
                    break
    return found


def test_long_work_says_how_far_it_is(page):
    found = events(page, "search", {"model": "deepseek-v3", "systems": "gb200-nvl72,b200x8,h200x16,mi300x-x8,h100x32"})
    assert found[0][0] == "progress"
    assert found[-1][0] == "answer"
    assert found[-1][1]["body"]["best"]["layout"]
    plain = page.client.post(
        "/api/infer", json=QUESTIONS["infer"], headers={"accept": "text/event-stream", "accept-encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers  # packed for who unpacks it alone
    assert plain.text.startswith("event: progress\n")
    assert any((data.get("of") or 0) > 0 and data["done"] > 0 for name, data in found if name == "progress")


# ten seconds and more of a fast machine: the tests wait for one or two of them
LONG = {"model": "deepseek-v3", "system": "gb200-nvl72", "traffic": "poisson:20/s", "requests": "1000000"}


def waited_for(true, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def test_a_client_that_leaves_frees_its_process(page):
    waited_for(lambda: not page.busy())
    headers = {"accept": "text/event-stream"}
    with page.client.stream("POST", "/api/simulate", json=LONG, headers=headers) as coming:
        lines = coming.iter_lines()  # held: an iterator that is let go closes the line
        next(lines)
        assert waited_for(page.busy)
    assert waited_for(lambda: not page.busy(), 5)
    with pytest.raises(httpx.TimeoutException):  # and one who asked for the record alone
        httpx.post(f"{page.address}api/simulate", json=LONG, timeout=1, trust_env=False)
    assert waited_for(lambda: not page.busy(), 5)
    assert page.ask("ask", equation="E5").status_code == 200


def test_a_killed_process_loses_one_answer_and_nothing_else(page):
    waited_for(lambda: not page.busy())
    got = {}
    thread = threading.Thread(target=lambda: got.update(found=page.ask("simulate", **LONG)))
    thread.start()
    assert waited_for(page.busy)
    time.sleep(0.3)
    for pid in page.busy():
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert got["found"].status_code == 503
    assert got["found"].json()["kind"] == "lost"
    assert page.ask("plan", **SMALL).status_code == 200


def test_an_impossible_question_is_refused_with_what_fits(page):
    body = {"model": "deepseek-v3", "system": "h100x8"}
    found = page.ask("plan", **body)
    assert found.status_code == 422
    refused = found.json()
    assert "does not fit" in refused["error"]
    assert refused["nearest"]
    for way in refused["nearest"]:
        change = {**body, **way["change"]}
        assert page.ask("plan", **{k: v for k, v in change.items() if v is not None}).status_code == 200, way
    most = page.ask("plan", **SMALL, batch=10**6).json()
    assert any("batch" in way["change"] for way in most["nearest"])


def test_a_pasted_config_is_a_model(page, capsys, tmp_path):
    shipped = hw.model("llama-3.1-8b")
    from headway.catalog import catalogue

    file, _ = catalogue().model_file("llama-3.1-8b")
    config = json.loads(file.read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = page.ask("plan", "/view", config=config, system="h100x1", prompt="500").json()
    assert said["answer"]["model"]["total_parameters"] == shipped.total_parameters
    assert said["answer"]["model"]["name"] == "pasted"
    assert said["command"].startswith("headway plan ./config.json --on h100x1")
    own = json.loads(
        printed(capsys, ["plan", str(tmp_path / "config.json"), "--on", "h100x1", "--prompt", "500", "--json"])
    )
    assert own["decode"] == said["answer"]["decode"]
    refused = page.ask("plan", config={**config, "model_type": "<b>nonsense</b>"}, system="h100x1")
    assert refused.status_code == 400
    assert "pasted/config.json" in refused.json()["error"]
    assert page.ask("plan", model="pasted", system="h100x1").status_code == 400


CHIP = {"memory": "192GB", "bandwidth": "8TB/s", "compute": "2.2PFLOP/s", "link": "900GB/s", "price": "3/h"}


def test_a_typed_chip_is_a_system(page, capsys, tmp_path):
    said = page.ask("plan", "/view", model="llama-3.1-8b", system="mychipx8", prompt="500", own_chip=CHIP).json()
    [(name, text)] = said["files"].items()
    (tmp_path / "mine").mkdir()
    (tmp_path / name).write_text(text)
    assert said["command"].endswith("--catalog ./mine")
    words = shlex.split(said["command"])[1:-1]
    assert said["answer"] == json.loads(printed(capsys, [*words, str(tmp_path / "mine"), "--json"]))
    assert said["answer"]["system"]["price_dollars_per_chip_hour"] == pytest.approx(3)
    assert "use('./mine')" in said["python"]
    gone = page.ask("plan", model="llama-3.1-8b", system="mychipx8", prompt="500")  # nothing of it stays for the next
    assert gone.status_code == 400


@pytest.mark.parametrize(("chip", "says"), [
    ({"memory": "80GB"}, "own_chip needs bandwidth and compute"), ({**CHIP, "bandwdth": "1TB/s"}, "did you mean bandwidth"),
    ({**CHIP, "memory": "80 apples"}, "own_chip memory"), ({**CHIP, "price": True}, "own_chip price"), ("fast", "must be an object"),
    ({**CHIP, "memory": "1e308"}, "own_chip memory"), ({**CHIP, "price": {"a": 1}}, "own_chip price"),
])  # fmt: skip
def test_chips_that_are_none(chip, says):
    with pytest.raises(InputError, match=says):
        read("plan", {**SMALL, "system": "mychip", "own_chip": chip})


def test_files_go_with_verbs_that_take_them(page):
    for verb, field in (("lecture", "own_chip"), ("plan", "cases"), ("infer", "config"), ("catalog", "config")):
        found = page.ask(verb, **{**QUESTIONS[verb], field: {}})
        assert found.status_code == 400, (verb, field)
        assert "takes no" in found.json()["error"]
    assert "needs cases" in page.ask("predict").json()["error"]
    assert page.ask("predict", cases=["a"]).status_code == 400


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd",
        "~/x",
        "./config.json",
        "../x",
        "a/../b",
        "pasted/config.json",
        "C:\\\\x",
        "x.GGUF",
        "model.safetensors",
    ],
)
def test_no_cell_of_a_table_is_a_path(page, tmp_path, place):
    table = f'system,model,batch,isl,osl,engine\nH100-SXM,"{place}",8,1000,200,\n'
    with pytest.raises(InputError, match="line 2"):
        read("predict", {"cases": table})


def test_no_table_makes_the_server_ask_a_hub(page):
    rows = page.ask("predict", cases="system,model,batch,isl,osl\nH100-SXM,some-org/some-model,8,1000,200\n").json()
    assert rows[0]["predicted_tpot_ms"] == ""
    assert "some-org/some-model" in rows[0]["refused"]


def test_the_page_starts_with_an_answer(page):
    start = page.client.get("/api/start").json()
    first = start["first"]
    assert first["found"] == page.ask("curve", "/view", **first["body"]).json()
    assert start["schemas"] == page.client.get("/api/schema").json()
    assert start["names"] == page.client.get("/api/names").json()
    bare = page.client.get("/api/start/bare").json()
    assert bare == start | {"first": first | {"found": None}}


def test_a_view_loads_what_it_shows(page):
    """Other views than the first wait neither for its answer nor for its modules."""
    first, other = (page.client.get(path).text for path in ("/", "/layouts"))
    assert 'href="/api/start"' in first
    assert "/page/batch.js" in first
    assert 'href="/api/start/bare"' in other
    assert "/page/batch.js" not in other
    assert set(other.splitlines()) - set(first.splitlines()) == {
        '<link rel="preload" as="fetch" href="/api/start/bare" crossorigin>'
    }


# --- the machine that serves it ---


PLACES = (
    "/etc/passwd",
    "./../../etc/passwd",
    "~/.profile",
    "file:///etc/passwd",
    "pasted/config.json",
    "rows.csv",
    "..",
    "C:\\\\x",
)


@pytest.mark.parametrize("verb", OFFERED)
def test_no_field_takes_a_path(verb):
    """What is no quantity, which nothing but a quantity gets through, is refused before any verb sees it."""
    for name, o in options_of(OFFERED[verb]).items():
        quantity = (o.asked and FIELDS[name].kind in ("quantity", "whole", "number")) or o.kind in (
            "integer",
            "number",
            "boolean",
        )
        if quantity or o.kind == "object":
            continue
        for place in PLACES:
            with pytest.raises(InputError, match=r"."):
                assert (name, place) == read(verb, {**QUESTIONS[verb], name: place})


@pytest.mark.parametrize(
    ("verb", "name"),
    [("catalog", "query"), ("catalog", "table"), ("infer", "model"), ("plan", "model"), ("ask", "equation")],
)
@pytest.mark.parametrize("word", ["-o", "--json", "--catalog", "--folder=x"])
def test_no_word_becomes_an_option(verb, name, word):
    with pytest.raises(InputError):
        read(verb, {**QUESTIONS[verb], name: word})


def test_no_file_is_readable_through_any_field(page, tmp_path):
    """Every field of every verb, given a file that is there: refused, and nothing of it is said."""
    secret = "s3cretword"
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": secret, secret: 1}))
    tried = 0
    for verb, offered in OFFERED.items():
        for name, o in options_of(offered).items():
            if o.kind not in ("string", "object") or (verb != "plan" and o.asked and name != "model"):
                continue
            found = page.ask(
                verb, **{**QUESTIONS[verb], name: {"active": str(file)} if o.kind == "object" else str(file)}
            )
            assert found.status_code == 400, (verb, name, found.text[:200])
            assert secret not in found.text
            tried += 1
    assert tried > 60
    for field in ("catalog", "out", "grid", "stream", "compare", "perfetto", "parquet", "folder", "results", "usage"):
        for verb in OFFERED:
            assert page.ask(verb, **{**QUESTIONS[verb], field: str(file)}).status_code == 400


def test_no_file_but_the_pages_own_is_served(page):
    port = page.client.base_url.port
    for path in (
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page//etc/passwd",
        "/page/vega.js.gz",
        "/../../etc/passwd",
        "/page/..%2fserver.py",
    ):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            got = b""
            while part := s.recv(65536):
                got += part
        assert got.startswith(b"HTTP/1.1 404"), path


def test_other_hosts_and_sites_are_refused(page):
    for host in ("evil.example", "evil.example:8017", "127.0.0.1.evil.example", "", "localhost.evil.example"):
        assert page.client.get("/", headers={"host": host}).status_code == 403, host
    for host in ("localhost", "localhost:99", "127.0.0.1", "[::1]:99"):
        assert page.client.get("/", headers={"host": host}).status_code == 200, host
    assert page.client.post("/api/ask", json={}, headers={"origin": "http://evil.example"}).status_code == 403
    assert page.client.post("/api/ask", content="{}", headers={"content-type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(("host", "hosts", "status"), [
    ("10.1.2.3:8017", (*LOOPBACK, ANY_ADDRESS), 404), ("[fe80::1]", (*LOOPBACK, ANY_ADDRESS), 404),
    ("evil.example", (*LOOPBACK, ANY_ADDRESS), 403),
    ("10.1.2.3", LOOPBACK, 403), ("mine.example", (*LOOPBACK, "mine.example"), 404),
])  # fmt: skip
def test_a_server_for_the_network_takes_addresses_and_no_other_names(host, hosts, status):
    transport = httpx.ASGITransport(Gate(Starlette(), hosts, 1_000_000))

    async def asked():
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get("/", headers={"host": host})).status_code

    assert asyncio.run(asked()) == status


def test_reviews_are_kept_by_a_page_that_answers_this_machine_alone(page):
    """A page for the network grades, and writes nothing; one for this machine says so when it starts."""
    assert page.client.get("/api/start/bare").json()["keeps"]
    inner = server.application(Limits(), (*LOOPBACK, ANY_ADDRESS))

    async def asked():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(inner), base_url="http://localhost") as client:
            body = {"card": "balance-batch", "answer": "2400", "keep": True}
            return await client.post("/api/learn", json=body)

    found = asyncio.run(asked())
    assert found.status_code == 403
    assert "answers this machine alone" in found.json()["error"]


def test_it_listens_on_this_machine_alone(page):
    port = page.client.base_url.port
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    mine = [x[1] for x in listening if int(x[1].split(":")[1], 16) == port]
    assert mine
    assert all(address.startswith("0100007F") for address in mine)


def test_the_policy_is_strict_and_nothing_is_inline(page):
    found = page.client.get("/")
    policy = dict(part.split(" ", 1) for part in found.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in found.headers["content-security-policy"]
    assert "<style" not in found.text
    assert " style=" not in found.text
    assert found.text.count("<script") == found.text.count('src="/page/main.js"') == 1
    assert found.headers["x-content-type-options"] == "nosniff"
    assert page.ask("ask").headers["content-security-policy"] == found.headers["content-security-policy"]


@pytest.mark.parametrize(("body", "status"), [
    (b"{" + b" " * 1_100_000 + b"}", 413), (b'{"config":' * 20_000, 400), (b"[" * 100_000 + b"]" * 100_000, 400), (b"not json", 400),
    (b"[]", 400),
    (b'"text"', 400), (b"null", 400), (b'{"points": 1e999}', 400), (b'{"points": NaN}', 400), (b"\xff\xfe", 400),
])  # fmt: skip
def test_bodies_that_are_none(page, body, status):
    try:
        found = page.client.post("/api/curve", content=body, headers={"content-type": "application/json"})
    except httpx.NetworkError:  # the answer is given before all of it is sent, and the line is cut
        assert status == 413
        return
    assert found.status_code == status, found.text[:200]
    assert found.json()["error"]
    assert "Traceback" not in found.text


def test_a_body_without_a_length_is_measured(page):
    def parts():
        for _ in range(30):
            yield b" " * 100_000

    found = page.client.post("/api/curve", content=parts(), headers={"content-type": "application/json"})
    assert found.status_code == 413


@pytest.mark.parametrize("body", [
    {**SMALL, "points": 10_000}, {**SMALL, "points": -1}, {**SMALL, "points": 1.5}, {**SMALL, "model": "x" * 5000},
    {**SMALL, "nonsense": 1},
    {**SMALL, "model": ["a"] * 9}, {**SMALL, "towers": "yes"}, {**SMALL, "engine": "\x1b[31m"}, {**SMALL, "layout": "--catalog=/etc"},
    {"system": "h100x1"},
    {**SMALL, "model": "--on"}, {**SMALL, "against": "money"}, {**SMALL, "prompt": {"a": 1}}, {**SMALL, "context": True},
])  # fmt: skip
def test_options_that_are_none(page, body):
    found = page.ask("curve", **body)
    assert found.status_code == 400, found.text[:300]
    assert "\n" not in found.json()["error"]
    assert "\x1b" not in found.json()["error"]


def test_two_hundred_long_questions_are_turned_away_and_the_page_answers():
    with serving("--workers", "1") as page:
        page.ask("ask", equation="E5")
        codes, lock = [], threading.Lock()

        def one():
            try:
                found = httpx.post(f"{page.address}api/simulate", json=LONG, timeout=3, trust_env=False).status_code
            except httpx.TimeoutException:
                found = 0  # it runs, or waits
            with lock:
                codes.append(found)

        threads = [threading.Thread(target=one) for _ in range(200)]
        for t in threads:
            t.start()
        time.sleep(1.0)
        start = time.monotonic()
        assert page.ask("ask", equation="E5").status_code == 200
        assert time.monotonic() - start < 3
        for t in threads:
            t.join()
        assert codes.count(429) >= 150
        assert set(codes) <= {0, 200, 429}


def test_time_and_memory_have_an_end():
    with serving("--workers", "1", "--seconds", "1s", "--memory", "1.5GB") as page:
        found = page.ask("simulate", **LONG)
        assert found.status_code == 408
        assert "longer than the 1 s" in found.json()["error"]
        greedy = page.ask("ask", equation="what-if", sweep="context=1k..1M:1000")
        assert greedy.status_code in (200, 400, 422)
        assert page.ask("plan", **SMALL).status_code == 200


def test_the_server_is_slim(page):
    assert page.memory() < 80


def test_hostile_questions_get_an_answer_each(page):
    """A hundred of `fuzz/page.py`'s questions: no fault, no traceback, no hang."""
    from headway.web.schema import schemas

    rng, known = random.Random(7), schemas()
    words = [
        "",
        "-",
        "--json",
        "-o",
        "../x",
        "deepseek-v3",
        "h200x8",
        "1e308",
        "-1",
        "0",
        "nan",
        "inf",
        "9" * 300,
        "32k",
        "\u202e",
        "<script>",
        "'; --",
        "%s",
        "\x00",
        "tp8",
        "$(id)",
    ]
    for _ in range(100):
        verb = rng.choice([v for v in OFFERED if OFFERED[v].lane == "short"])
        names = list(known[verb]["properties"]) or ["x"]
        body = {**(QUESTIONS[verb] if rng.random() < 0.7 else {})}
        for _ in range(rng.randint(1, 3)):
            body[rng.choice(names)] = rng.choice([*words, None, True, -1, 1e300, [], {}, [[]], {"a": {"b": 1}}])
        start = time.monotonic()
        found = page.ask(verb, **body)
        assert found.status_code in (200, 400, 408, 422), (verb, body, found.text[:300])
        assert "Traceback" not in found.text
        assert time.monotonic() - start < 10


def test_without_the_extra_one_line_names_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert app.run(["web", "--port", "0"]) == 2
    assert capsys.readouterr().err == "headway: the page needs the [web] extra: pip install 'headway[web]'\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "99999"],
        ["--host", "nonsense.invalid"],
        ["--workers", "0"],
        ["--memory", "much"],
        ["--catalog", "/nope"],
    ],
)
def test_options_that_cannot_be(words, capsys):
    assert app.run(["web", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_vega_is_bundled_with_its_licence():
    """What `make vega` writes: it says what it is, and where its licence stands."""
    folder = Path(server.__file__).parent / "page"
    code = gzip.decompress((folder / "vega.js.gz").read_bytes()).decode()
    assert re.match(r"// Vega \d.+BSD-3-Clause, see LICENSE-vega.txt", code)
    assert "University of Washington Interactive Data Lab" in (folder / "LICENSE-vega.txt").read_text()
    assert "window.vegaEmbed" in code


def test_nothing_is_fetched_from_elsewhere():
    """No address of another machine in the page's own files, but for names of schemas and of SVG."""
    folder = Path(server.__file__).parent / "page"
    for file in [*folder.glob("*.js"), *folder.glob("*.css"), *folder.glob("*.html")]:
        assert re.findall(r"https?://(?!www\.w3\.org)", file.read_text()) == [], file
