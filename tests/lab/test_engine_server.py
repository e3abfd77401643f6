"""The lab engine as its users meet it: a real process over HTTP, asked well and badly, left in the middle, killed."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from headway.errors import InputError
from headway.lab.engine.jobs import FullError, Jobs
from lab_server import MODEL, end, ready, serving, start


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    options = (
        "--max-context",
        "128",
        "--blocks",
        "48",
        "--max-sequences",
        "4",
        "--max-tokens",
        "32",
        "--delay-pass",
        "5ms",
    )
    with serving(
        *options, "--max-queue", "6", "--database", str(folder / "jobs.db"), "--database-room", "1MB"
    ) as found:
        found.folder = folder
        yield found


def events(response):
    return [json.loads(x[6:]) if x != "data: [DONE]" else None for x in response.text.split("\n\n") if x]


def test_a_completion_and_what_is_counted(server):
    before = server.metrics()
    found = server.complete(seed=1, max_tokens=12, ignore_eos=True).json()
    assert found["object"] == "text_completion"
    assert found["choices"][0]["finish_reason"] == "length"
    assert found["usage"] == {
        "prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22, "prompt_tokens_details": {"cached_tokens": 0},
    }  # fmt: skip
    text = found["choices"][0]["text"]
    assert text
    assert "\ufffd" not in text
    assert server.complete(seed=1, max_tokens=12, ignore_eos=True).json()["choices"][0]["text"] == text
    assert server.complete(seed=2, max_tokens=12, ignore_eos=True).json()["choices"][0]["text"] != text
    after = server.metrics()
    assert after["prompt_tokens_total"] - before["prompt_tokens_total"] == 30
    assert after["generation_tokens_total"] - before["generation_tokens_total"] == 36
    for name, count in {
        "time_to_first_token_seconds": 3, "e2e_request_latency_seconds": 3, "time_per_output_token_seconds": 33,
        "inter_token_latency_seconds": 33, "iteration_tokens_total": 36,
    }.items():  # fmt: skip
        assert after[f"{name}_count"] - before[f"{name}_count"] == count
    assert (
        after["inter_token_latency_seconds_sum"] - before["inter_token_latency_seconds_sum"] >= 33 * 5e-3
    )  # the known delay
    assert {"num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "gpu_cache_usage_perc", "num_preemptions_total",
            "prefix_cache_queries_total", "prefix_cache_hits_total"} <= set(after)  # fmt: skip


def test_a_stream_is_the_whole_in_pieces(server):
    more = {"seed": 5, "max_tokens": 16, "ignore_eos": True}
    whole = server.complete(**more).json()
    pieces = events(server.complete(**more, stream=True, stream_options={"include_usage": True}))
    assert pieces[-1] is None
    assert pieces[-2]["usage"] == whole["usage"]
    assert pieces[-2]["choices"] == []
    assert "".join(p["choices"][0]["text"] for p in pieces[:-2]) == whole["choices"][0]["text"]
    assert [p["choices"][0]["finish_reason"] for p in pieces[:-2]][-1] == "length"
    assert len({p["id"] for p in pieces[:-1]}) == 1
    chat = events(server.chat(**more, stream=True))
    assert chat[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(p["choices"][0]["delta"].get("content", "") for p in chat[:-1])
    assert text == server.chat(**more).json()["choices"][0]["message"]["content"]


def test_a_stop_ends_an_answer(server):
    more = {"seed": 5, "max_tokens": 40, "ignore_eos": True}
    text = server.complete(**more).json()["choices"][0]["text"]
    stop = text[5:7]
    found = server.complete(**more, stop=[stop, "never said"]).json()
    assert found["choices"][0] | {"text": ""} == {"index": 0, "logprobs": None, "finish_reason": "stop", "text": ""}
    assert found["choices"][0]["text"] == text[: text.find(stop)]
    assert found["usage"]["completion_tokens"] < 40


def test_prompts_are_found_again(server):
    prompt = "one beginning for two requests, longer than some blocks of the cache"
    assert server.complete(prompt=prompt).json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    before = server.metrics()
    assert server.complete(prompt=prompt + "!").json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 64
    assert server.metrics()["prefix_cache_hits_total"] - before["prefix_cache_hits_total"] == 64


def test_the_urgent_go_first(server):
    order = []
    for _ in range(4):  # on a busy machine somebody may have ended before the next has come
        order = urgent_behind_others(server)
        if order:
            break
    assert order.index("urgent") < order.index("usual")
    assert order.index("urgent") < order.index("flex")


def urgent_behind_others(server):
    """Who ended when; nobody where they were not there together."""
    order, threads = [], []
    server.until(lambda: server.metrics()["num_requests_running"] == 0)

    def ask(name, **more):
        assert server.complete(ignore_eos=True, **more).status_code == 200
        order.append(name)

    def later(*given, **more):
        thread = threading.Thread(target=ask, args=given, kwargs=more)
        thread.start()
        threads.append(thread)

    together = True
    try:
        for i in range(4):
            later(f"seat {i}", max_tokens=100)
        server.until(lambda: server.metrics()["num_requests_running"] == 4, 3)
        later("flex", service_tier="flex", max_tokens=30)
        server.until(lambda: server.metrics()["num_requests_waiting"] == 1, 3)
        later("usual", max_tokens=30)
        server.until(lambda: server.metrics()["num_requests_waiting"] == 2, 3)
        later("urgent", priority=0, max_tokens=10)
        server.until(lambda: server.metrics()["num_requests_waiting"] == 3, 3)
    except AssertionError:
        together = False
    for thread in threads:
        thread.join()
    return order if together else []


def test_too_many_are_turned_away(server):
    codes, threads = [], []
    for _ in range(16):
        thread = threading.Thread(
            target=lambda: codes.append(server.complete(max_tokens=60, ignore_eos=True).status_code)
        )
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 6  # places; and seats, as passes come by


@pytest.mark.parametrize("waits", [False, True])
def test_who_leaves_frees_its_place(server, waits):
    """In the middle of a stream, or before a seat was free."""
    server.until(lambda: server.metrics()["num_requests_running"] == 0)
    streams = [server.client.stream("POST", "/v1/completions", json={
        "model": MODEL, "prompt": "leaving", "max_tokens": 110, "stream": True, "ignore_eos": True}) for _ in range(4)]  # fmt: skip
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(s).iter_lines() for s in streams]
        for one in lines:
            next(one)
        if waits:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{server.client.base_url}v1/completions", timeout=0.2, trust_env=False,
                           json={"model": MODEL, "prompt": "too long a wait", "max_tokens": 100})  # fmt: skip
            server.until(lambda: server.metrics()["num_requests_waiting"] == 0, 0.5)
        found = server.metrics()
        assert found["num_requests_running"] == 4
        assert found["kv_cache_usage_perc"] > 0
    server.until(lambda: server.metrics()["num_requests_running"] == 0, 0.5)  # their answers would take longer
    assert server.metrics()["kv_cache_usage_perc"] == 0
    assert server.complete().status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "gpt-5"}, 404, "model"), ({"prompt": 5}, 400, "prompt"), ({"prompt": ["a", "b"]}, 400, "prompt"),
        ({"prompt": ""}, 400, "prompt"), ({"prompt": [1, 300]}, 400, "prompt"), ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 400, "max_tokens"), ({"max_tokens": True}, 400, "max_tokens"), ({"max_tokens": 500}, 400, "max_tokens"),
        ({"prompt": "x" * 128}, 400, "max_tokens"), ({"temperature": -1}, 400, "temperature"), ({"temperature": "1"}, 400, "temperature"),
        ({"seed": "x"}, 400, "seed"), ({"stop": ["a"] * 5}, 400, "stop"), ({"stop": [""]}, 400, "stop"), ({"stop": 3}, 400, "stop"),
        ({"stream": "yes"}, 400, "stream"), ({"stream_options": {}}, 400, "stream_options"), ({"n": 2}, 400, "n"),
        ({"logprobs": 1}, 400, "logprobs"), ({"top_p": 0.5}, 400, "top_p"), ({"service_tier": "gold"}, 400, "service_tier"),
        ({"priority": 9}, 400, "priority"), ({"priority": 1, "service_tier": "flex"}, 400, "priority"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_in_one_line(server, body, status, param):
    found = server.complete(**body)
    assert found.status_code == status
    error = found.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert "\n" not in error["message"]


def test_what_asks_for_nothing_passes(server):
    more = {
        "n": 1,
        "top_p": 1.0,
        "logprobs": None,
        "tools": [],
        "user": "me",
        "presence_penalty": 0,
        "stop": None,
        "seed": None,
    }
    assert server.complete(**more).status_code == 200
    parts = [{"role": "user", "content": [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]}]
    assert (
        server.chat(messages=parts, max_tokens=None, max_completion_tokens=3).json()["usage"]["completion_tokens"] <= 3
    )


@pytest.mark.parametrize(
    ("path", "given", "status", "says"),
    [
        ("/v1/completions", {"content": b"{broken", "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ("/v1/completions", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ("/v1/completions", {"json": [1]}, 400, "a JSON object"), ("/v1/completions", {"content": b"x=1"}, 415, "application/json"),
        ("/v1/completions", {"json": {}, "headers": {"host": "evil.example"}}, 403, "own names"),
        ("/v1/chat/completions", {"json": {"model": MODEL, "messages": []}}, 400, "at least one"),
        ("/v1/chat/completions", {"json": {"model": MODEL, "messages": [{"role": "cat", "content": "x"}]}}, 400, "messages[0]"),
        ("/v1/embeddings", {"json": {}}, 404, "no such thing"), ("/v1/batches", {"json": {"endpoint": "/v1/embeddings"}}, 400, "endpoint"),
        ("/v1/files", {"files": {"file": b"x"}}, 400, "purpose=batch"),
        ("/v1/files", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "form cannot be read"),
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_read(server, path, given, status, says):
    found = server.client.post(path, **given)
    assert found.status_code == status
    assert says in found.json()["error"]["message"]


def test_a_body_that_is_too_large(server):
    host, port = server.client.base_url.host, server.client.base_url.port
    with socket.create_connection((host, port), timeout=10) as line:
        head = f"POST /v1/files HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 99000000\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_models_and_health(server):
    found = server.client.get("/v1/models").json()["data"]
    assert [m["id"] for m in found] == [MODEL]
    assert found[0]["max_model_len"] == 128
    assert server.client.get(f"/v1/models/{MODEL}").json() == found[0]
    assert server.client.get("/v1/models/other").status_code == 404
    assert server.client.get("/health").status_code == 200
    assert server.client.get("/v1/completions").status_code == 405


def lines(count, **body):
    body = {"model": MODEL, "prompt": "Tickets", "max_tokens": 2} | body
    rows = [
        {"custom_id": f"r{i}", "method": "POST", "url": "/v1/completions", "body": body | {"seed": i}}
        for i in range(count)
    ]
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def queue(server, content, endpoint="/v1/completions"):
    file = server.client.post("/v1/files", files={"file": ("in.jsonl", content)}, data={"purpose": "batch"})
    assert file.status_code == 200, file.text
    asked = {"input_file_id": file.json()["id"], "endpoint": endpoint, "completion_window": "24h"}
    return server.client.post("/v1/batches", json=asked).json()


def ended(server, number, most=60.0):
    server.until(
        lambda: server.client.get(f"/v1/batches/{number}").json()["status"] not in ("in_progress", "cancelling"), most
    )
    return server.client.get(f"/v1/batches/{number}").json()


def output(server, batch, which="output_file_id"):
    text = server.client.get(f"/v1/files/{batch[which]}/content").text
    return [json.loads(line) for line in text.splitlines()]


def test_a_batch_and_its_files(server):
    content = (
        lines(12) + b'{"custom_id": "bad", "method": "POST", "url": "/v1/completions", "body": {"model": "other"}}\n'
    )
    batch = ended(server, queue(server, content)["id"])
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 13, "completed": 12, "failed": 1}
    rows = output(server, batch)
    assert [r["custom_id"] for r in rows] == [f"r{i}" for i in range(12)]
    alone = server.complete(prompt="Tickets", max_tokens=2, seed=3).json()
    assert rows[3]["response"]["body"]["choices"] == alone["choices"]
    (bad,) = output(server, batch, "error_file_id")
    assert bad["response"]["status_code"] == 404
    assert any(b["id"] == batch["id"] for b in server.client.get("/v1/batches").json()["data"])
    assert server.client.delete(f"/v1/files/{batch['input_file_id']}").json()["deleted"]
    assert server.client.get(f"/v1/files/{batch['input_file_id']}").status_code == 404
    assert server.client.post(f"/v1/batches/{batch['id']}/cancel").status_code == 409


def test_a_malformed_file_says_its_lines(server):
    content = (
        lines(1) + b"{no\n" + lines(1) + b'{"custom_id": "x", "method": "GET", "url": "/v1/completions", "body": {}}\n'
    )
    batch = queue(server, content)
    assert batch["status"] == "failed"
    said = [(e["line"], e["code"]) for e in batch["errors"]["data"]]
    assert said == [(2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "invalid_request")]


def test_a_batch_is_cancelled(server):
    number = queue(server, lines(200, max_tokens=20))["id"]
    found = server.client.post(f"/v1/batches/{number}/cancel").json()
    assert found["status"] in ("cancelling", "cancelled")
    batch = ended(server, number)
    assert batch["status"] == "cancelled"
    assert batch["request_counts"]["completed"] < 200


def test_a_full_database_says_so_and_loses_nothing(server):
    """SQLite's own refusal, at the room that the server was given."""
    before = {b["id"]: b for b in server.client.get("/v1/batches").json()["data"]}
    found = server.client.post("/v1/files", files={"file": ("big", b"x" * 2_000_000)}, data={"purpose": "batch"})
    assert found.status_code == 507
    assert "database or disk is full" in found.json()["error"]["message"]
    assert {b["id"]: b for b in server.client.get("/v1/batches").json()["data"]} == before
    assert ended(server, queue(server, lines(3))["id"])["request_counts"]["completed"] == 3


def test_a_kill_in_the_middle_loses_and_repeats_nothing(tmp_path):
    """1,000 lines, two servers on one database: one is killed, then the other, then a third ends the batch."""
    file = str(tmp_path / "jobs.db")
    options = ("--database", file, "--delay-pass", "8ms", "--max-context", "32", "--max-tokens", "16")
    processes = [start(*options) for _ in range(2)]
    try:
        first, second = map(ready, processes)
        number = queue(first, lines(1000))["id"]

        def counts(server):
            return server.client.get(f"/v1/batches/{number}").json()["request_counts"]

        first.until(lambda: counts(first)["completed"] >= 150)
        first.process.kill()
        before = counts(second)["completed"]
        second.until(lambda: counts(second)["completed"] >= before + 150)
        processes.append(start(*options))
        second.process.kill()
        second.process.wait()
        jobs = Jobs(file)
        kept = dict(jobs._rows("SELECT number, answer FROM lines WHERE state = 'done'"))
        running = jobs._rows("SELECT count(*) FROM lines WHERE state = 'running'")[0][0]
        jobs.close()
        assert 300 <= len(kept) < 1000
        assert running > 0  # it was killed with work in its hands
        for server in (first, second):
            server.client.close()
        third = ready(processes[2])
        batch = ended(third, number)
        assert batch["request_counts"] == {"total": 1000, "completed": 1000, "failed": 0}
        rows = output(third, batch)
        assert [r["custom_id"] for r in rows] == [f"r{i}" for i in range(1000)]  # none lost, none twice
        assert all(
            rows[n]["response"] == json.loads(a) for n, a in kept.items()
        )  # what was answered was not asked again
    finally:
        for process in processes:
            end(process, signal.SIGKILL)


def test_two_servers_share_the_lines(tmp_path):
    a, b = Jobs(str(tmp_path / "j.db")), Jobs(str(tmp_path / "j.db"))
    batch = a.add_batch("file-1", "/v1/completions", None, [(f"r{i}", {}) for i in range(10)], [])["id"]
    mine, theirs = a.claim(4), b.claim(10)
    assert {n for _, n, _, _ in mine} | {n for _, n, _, _ in theirs} == set(range(10))
    assert len(mine) + len(theirs) == 10
    assert a.take_over() == 0  # the other lives
    assert not b.done(batch, mine[0][1], True, {})  # not its line
    b.close()  # ends in order: its lines are queued again
    again = a.claim(10)
    assert {n for _, n, _, _ in again} == {n for _, n, _, _ in theirs}
    for _, n, _, _ in [*mine, *again]:
        assert a.done(batch, n, True, {"n": n})
        assert not a.done(batch, n, True, {"n": n})  # once
    assert a.batch_of(batch)["status"] == "completed"
    a.close()


def test_a_database_that_is_full_keeps_what_it_has(tmp_path):
    jobs = Jobs(str(tmp_path / "j.db"), 200_000)
    batch = jobs.add_batch("file-1", "/v1/completions", None, [("r0", {}), ("r1", {})], [])["id"]
    assert len(jobs.claim(2)) == 2
    with pytest.raises(FullError, match="full"):
        jobs.done(batch, 0, True, {"text": "x" * 300_000})
    assert jobs.batch_of(batch)["request_counts"]["completed"] == 0
    assert jobs.done(batch, 0, True, {"text": "x"})  # its claim was not lost
    jobs.close()
    (tmp_path / "none.db").write_text("no database at all, but a text that is long enough to be read as one" * 20)
    with pytest.raises(InputError, match="cannot be used"):
        Jobs(str(tmp_path / "none.db"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("no-such-model",), "unknown model"), (("--policy", "chunk"), "chunked"), (("--policy", "engine"), "name a scheduler"),
        (("--port", "70000"), "0..65535"), (("--max-tokens", "4"), "fewer than the 8 sequences"), (("--seats", "gold=1"), "unknown tier"),
        (("--seats", "batch=x"), "like batch=4"), (("--trace", "/no/such/folder/x"), "cannot be written"),
        (("--database", "/no/such/folder/x.db"), "cannot be used"), (("--delay-pass", "soon"), "--delay-pass"),
        (("--layers", "0"), "1..32"),
        (("qwen3.5-35b-a3b",), "no recurrent states"),
    ],
)  # fmt: skip
def test_the_verb_refuses_in_one_line(words, says, capsys):
    from headway.cli import app

    if words[0] in (
        "qwen3.5-35b-a3b",
        "--trace",
        "--database",
        "--port",
    ):  # these start JAX, which a process of its own must do
        port = () if "--port" in words else ("--port", "0")
        asked = [sys.executable, "-m", "headway", "serve", *port, *words]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        code, said = done.returncode, done.stderr
    else:
        code, said = app.run(["serve", *words]), capsys.readouterr().err
    assert code == 2
    assert says in said
    assert said.count("\n") == 1


def test_without_jax_it_says_what_to_install():
    code = "import sys; sys.modules['jax'] = None\nfrom headway.cli import app\nprint(app.run(['serve']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert "pip install 'headway[" in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_reads_what_serve_wrote(tmp_path):
    from headway.cli import app

    log = tmp_path / "log.jsonl"
    with serving("--trace", str(log), "--policy", "departures:5ms") as server:
        for i in range(3):
            assert server.complete(prompt=f"passenger {i}", max_tokens=10).status_code == 200
    picture = tmp_path / "log.html"
    words = [sys.executable, "-m", "headway", "replay", str(log), "--json", "-o", str(picture)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["alike"]
    assert record["policy"] == "departures"
    assert "the simulator departs alike" in picture.read_text()
    assert app.run(["replay", str(tmp_path / "none")]) == 2
