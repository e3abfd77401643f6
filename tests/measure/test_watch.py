"""`headway watch`: a real server's metrics against its client's own log, the roofline behind them, and whatever can go wrong."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path

import httpx
import pytest
from loading import load, seen, whole_first_tokens
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from headway.cli import app
from headway.errors import InputError
from headway.hardware.cpu import measured_cpu
from headway.lab.widths import tiny_config
from headway.measure.exported import METRICS, TOLD, UP, Exporter, dashboard
from headway.measure.scrapes_source import Source
from headway.measure.watching import reading, watched
from headway.measure.watching_loop import Asked, watch
from headway.measure.watching_past import Past
from headway.parallel import Layout, build_step
from headway.questions import Request
from headway.roofline import Load, step_time
from lab_server import serving

SECONDS = 7.0


@pytest.fixture
def model(tmp_path):
    return str(tmp_path / "tiny.json")


def request(model):
    return Request(model, "cpu", precision="fp32", kv_precision="fp32", price="2/h")


def watched_and_loaded(model):
    """What the server's metrics say of some seconds, what its client's log does, and who was watched."""
    with serving("--delay-pass", "20ms", "--config", model) as server:
        address = str(server.client.base_url)
        bodies = whole_first_tokens(address, 60)
        log, stop = [], threading.Event()
        client = threading.Thread(target=lambda: log.extend(load(address, bodies, 6, stop)))
        client.start()
        time.sleep(0.7)
        with Source(address) as source:
            (before,) = source.scrape()
            time.sleep(SECONDS)
            (after,) = source.scrape()
        time.sleep(0.2)
        stop.set()
        client.join()
    assert json.loads(Path(model).read_text()) == tiny_config("llama-3.1-8b", 1)  # what `serve --config` wrote
    who = watched(request(model), before.engine, 0.2, 0.05)
    return reading(who, before, after, time.time()), seen(log, before.at, after.at), who


def test_a_real_server_under_load(model):
    """One server for all that is asked of it: processes of the lab take seconds to start."""
    found, client, who = watched_and_loaded(model)
    as_the_client_saw(found, client)
    roofline_at_this_very_load(found, who)
    money_adds_up(found, who)
    room_is_where_a_token_takes_the_limit(found, who)
    own_metrics_and_their_dashboard(found)


def as_the_client_saw(found, client):
    """Within 3 %, or the two requests that may stand on an edge. A first token takes the way through HTTP, twice."""
    edge = 2.1 / SECONDS
    for what, whole in (
        ("output_rate", 0), ("prompt_rate", client["prompt_rate"] / client["requests"]), ("requests", 1), ("batch", 0), ("pass_seconds", 0),
    ):  # fmt: skip
        assert getattr(found.met, what) == pytest.approx(client[what], rel=0.03, abs=edge * whole), what
    assert client["ttft"] - 0.03 < found.met.ttft < client["ttft"]


def roofline_at_this_very_load(found, who):
    """Against `step_time` itself: FLOPs and bytes of the mean pass, times the passes, over all the time."""
    at, met, chip = found.at, found.met, measured_cpu()
    step = build_step(who.setting.model, Layout())
    mean = Load.decode(at.riders, met.context) + Load.prefill(1.0, at.prompts, cached=met.found_rate / met.passes)
    floor = step_time(step, mean, chip)
    assert at.floor == pytest.approx(float(floor.seconds), rel=1e-6)
    assert at.mfu == pytest.approx(float(floor.work.flops) * met.passes / chip.peak(("bf16",)), rel=1e-6)
    assert at.mbu == pytest.approx(float(floor.work.bytes) * met.passes / chip.bandwidth, rel=1e-6)
    assert at.floor < at.low < at.estimate < at.high
    assert at.riders * met.passes + met.requests == pytest.approx(met.output_rate)
    assert at.prompts * met.passes + met.found_rate == pytest.approx(met.prompt_rate)
    assert met.context_from == "cache"
    assert 20 < met.context < 130
    assert found.over_floor == pytest.approx(met.pass_seconds / at.floor)
    assert found.over_floor > 1  # SYS-H1: never below the roofline of the measured machine
    assert 0.9 < met.busy <= 1


def money_adds_up(found, who):
    """Prices times their volumes are the rent; what passes do not use is the difference of the two bases."""
    met, rent = found.met, who.rent
    assert rent == pytest.approx(2 / 3600)
    assert found.allocation * met.output_rate / 1e6 == pytest.approx(rent)
    assert found.usage / found.allocation == pytest.approx(met.busy)
    fresh, made = found.split
    assert fresh * (met.prompt_rate - met.found_rate) / 1e6 + made * met.output_rate / 1e6 == pytest.approx(rent)
    assert met.found_rate > 0
    assert 0 < found.saved_dollars_rate < rent


def room_is_where_a_token_takes_the_limit(found, who):
    at, met = found.at, found.met
    real = who.setting.passes_of(who.layout)
    count = at.room
    assert count > at.riders

    def takes(n):
        groups = Load.decode(n, met.context) + Load.prefill(1.0, at.prompts * n / at.riders)
        return float(real.seconds(groups))

    assert takes(count) / takes(at.riders) == pytest.approx(0.05 / met.pass_seconds, rel=0.01)
    assert found.within[1] > 0.9


def own_metrics_and_their_dashboard(found):
    exporter = Exporter("llama", "cpu")
    exporter.show(found)
    exporter.failed()
    exporter.show(found)
    port = exporter.serve(0)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    samples = {
        (s.name, *sorted(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }
    names = {name for name, *_ in samples}
    common = (("model", "llama-3.1-8b"), ("system", "cpu"))
    for basis, value in (("allocation", found.allocation), ("usage", found.usage)):
        assert samples[("llm_cost_per_million_tokens", ("cost_basis", basis), *common)] == pytest.approx(value)
    assert samples[("headway_mfu", *common)] == pytest.approx(found.at.mfu)
    assert samples[("headway_failed_scrapes_total", *common)] == 1
    drawn = dashboard()["panels"]
    shown = {t["expr"].partition("{")[0] for p in drawn for t in p["targets"]}
    assert shown == {m.name for m in METRICS} | {UP.name} | {f"{n}_total" for n, _ in TOLD}
    assert names >= shown - {"headway_drift", "headway_drifted"}  # there is no past yet
    assert names <= shown
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in drawn]
    assert len(set(places)) == len(places)


class Engine:
    """Metrics of an engine as `prometheus_client` serves them, which may be restarted and may fall silent."""

    def __init__(self, names=("m",)):
        self.server = None
        self.start(names)
        self.port = self.server.server_port

    def start(self, names=("m",), port=0, leave_out=()):
        self.end()
        registry = CollectorRegistry()
        kinds = {
            "num_requests_running": Gauge, "prompt_tokens": Counter, "generation_tokens": Counter, "prefix_cache_hits": Counter,
            "inter_token_latency_seconds": Histogram, "time_to_first_token_seconds": Histogram,
        }  # fmt: skip
        made = {
            k: c(f"vllm:{k}", k, ["model_name", "engine"], registry=registry)
            for k, c in kinds.items()
            if k not in leave_out
        }
        self.of = {(k, n): m.labels(n, "0") for k, m in made.items() for n in names}
        self.server, self.thread = start_http_server(port, "127.0.0.1", registry)

    def run(self, name="m", tokens=100, gap=0.02, **others):
        """So many tokens of ten requests, in passes that take so long."""
        self.of["num_requests_running", name].set(4)
        self.of["generation_tokens", name].inc(tokens)
        if ("prompt_tokens", name) in self.of:
            self.of["prompt_tokens", name].inc(10 * tokens)
        for _ in range(tokens // 10):
            self.of["time_to_first_token_seconds", name].observe(0.1)
        for _ in range(tokens - tokens // 10):
            self.of["inter_token_latency_seconds", name].observe(gap)

    def end(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.end()


def told(engine, *steps, asked_with=None, **asked):
    """What `watch` tells while these things happen between its scrapes; time passes in a wink."""
    left = iter(steps)

    def wait(_):
        next(left)()
        time.sleep(0.05)

    with Source(f"127.0.0.1:{engine.port}") as source:
        return list(
            watch(source, Asked(Request("llama-3.1-8b", "h100", **asked_with or {}), count=len(steps), **asked), wait)
        )


def test_whatever_fails_is_said_and_it_goes_on(engine):
    port = engine.port
    steps = (
        engine.run, engine.end, lambda: engine.start(port=port), engine.run, lambda: engine.start(port=port), engine.run,
        lambda: engine.start(port=port, leave_out=("prompt_tokens", "prefix_cache_hits")), engine.run,
    )  # fmt: skip
    found = told(engine, *steps)
    assert [t.kind for t in found] == ["reading", "failed", "reading", "restarted", "reading", "restarted", "reading"]
    assert found[1].text == f"http://127.0.0.1:{port}/metrics: nobody listens there (connection refused)"
    whole, last = found[0].reading, found[-1].reading
    assert whole.met.gaps == last.met.gaps == 90
    assert whole.at.prompts > 0
    assert math.isnan(last.met.prompt_rate)
    assert any("have no prompt_tokens: so not tokens in" in x for x in last.remarks)
    assert last.at is None  # without prompts nobody knows how long contexts are
    assert any("--context gives the roofline" in x for x in last.remarks)
    assert f"{last.met.output_rate:.3g}"[:3] in last.text().replace(",", "")  # what can be said is said
    given = told(engine, engine.run, asked_with={"context": "2k"})
    assert given[0].reading.met.context_from == "given"
    assert given[0].reading.at.floor > 0


def test_a_restart_that_has_caught_up_is_noticed(engine):
    """Counters that are higher than before all the same: a histogram's or another's tells."""
    engine.run(tokens=100)

    def again():
        engine.start(port=engine.port)
        engine.run(tokens=200, gap=0.001)
        engine.of["prompt_tokens", "m"].inc(-0.0)
        engine.of["time_to_first_token_seconds", "m"].observe(0.1)

    kinds = [t.kind for t in told(engine, lambda: engine.run(tokens=300), again)]
    assert kinds == ["reading", "restarted"]


def test_two_models_on_one_port(engine):
    engine.start(("llama-3.1-8b", "other"), port=engine.port)

    def run():
        engine.run("llama-3.1-8b", 100)
        engine.run("other", 500)

    found = told(engine, run, run)
    assert [t.kind for t in found] == ["note", "reading", "reading"]  # it is said once
    assert "llama-3.1-8b is watched, --served NAME takes another" in found[0].text
    assert found[1].reading.met.gaps == 90
    assert told(engine, run, served="other")[0].reading.met.gaps == 450
    assert "this port serves 'llama-3.1-8b', 'other'" in told(engine, run, served="third")[0].text


def test_drift_is_against_its_own_past_at_each_load(engine, tmp_path):
    past = str(tmp_path / "past.jsonl")
    usual = [
        lambda g=g: engine.run(gap=g)
        for g in (0.020, 0.021, 0.019, 0.020, 0.0205, 0.0195, 0.02, 0.02, 0.02, 0.02, 0.02)
    ]
    found = told(engine, *usual, past=past)
    assert found[-1].reading.drift.readings == 8
    assert not found[-1].reading.drift.drifted
    later = told(engine, *[lambda: engine.run(tokens=70, gap=0.03)] * 3, past=past)  # another process, a day later
    drift = later[-1].reading.drift
    assert drift.drifted
    assert drift.ratio == pytest.approx(1.5, rel=0.1)
    assert drift.readings == 11
    assert "50 % slower than its past" in later[-1].reading.text() or "slower than its past" in later[-1].reading.text()
    lines = Path(past).read_text().splitlines()
    assert len(lines) == 14
    Path(past).write_text(Path(past).read_text() + '{"broken')  # a kill
    assert len(Past(past, ("m", "H100 SXM", "tp1")).ratios) == 14
    assert Path(past).read_text().splitlines() == lines
    assert Past(past, ("m", "H200 SXM", "tp1")).ratios == []
    Path(past).write_text(Path(past).read_text() + "nothing\n")
    with pytest.raises(InputError, match=r"past.jsonl line 15: is no reading"):
        Past(past, ("m", "H100 SXM", "tp1"))


def test_a_larger_batch_is_no_drift():
    past = Past(None, ("m", "s", "tp1"))
    assert [past.drift(1.0) for _ in range(10)] == [None] * 10
    assert not past.drift(1.09).drifted
    for _ in range(2):
        last = past.drift(0.8)
    assert last.drifted
    assert last.ratio == pytest.approx(0.8)


def run(capsys, *words):
    code = app.run(["watch", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_in_the_terminal(capsys, monkeypatch, engine):
    words = [f"127.0.0.1:{engine.port}", "--model", "llama-3.1-8b", "--on", "h100", "--every", "400ms"]
    done = threading.Event()
    busy = threading.Thread(target=lambda: [engine.run() for _ in iter(lambda: done.wait(0.1), True)])
    busy.start()
    code, out, err = run(capsys, *words, "--count", "2", "--tpot", "30ms")
    lines = out.splitlines()
    assert lines[0].startswith("! estimates as of vllm")
    assert "x floor" in lines[-1]
    assert "MBU" in lines[-1]
    code, out, err = run(capsys, *words, "--once", "--json")
    done.set()
    busy.join()
    assert code == 0, err
    found = json.loads(out)
    assert found["gap"]["count"] > 0
    assert found["layout"] == "tp1"
    described = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    described = described.split("## `headway watch --json`")[1].split("\n## ")[0]
    inner = {n for v in found.values() if isinstance(v, dict) for n in v}
    assert {n for n in {*found, *inner} if f"`{n}`" not in described} == set()


@pytest.mark.parametrize(("words", "said"), [
    ([], "watch needs URL, --model and --on"),
    (["127.0.0.1:9", "--model", "llama-3.1-8b", "--on", "h100", "--once", "--every", "10ms"], "http://127.0.0.1:9/metrics: nobody listens"),
    (["me:secret@127.0.0.1:9/metrics?key=hidden", "--model", "llama-3.1-8b", "--on", "h100", "--once", "--every", "10ms"], "127.0.0.1:9"),
    (["nowhere://x", "--model", "llama-3.1-8b", "--on", "h100"], "URL: is no address of a server"),
    (["x", "--model", "lama-3.1-8b", "--on", "h100"], "llama-3.1-8b"), (["x", "--model", "llama-3.1-8b", "--on", "h1000"], "h1000"),
    (["x", "--model", "llama-3.1-8b", "--on", "h100", "--count", "0"], "--count: 0"),
    (["x", "--model", "llama-3.1-8b", "--on", "h100", "--every", "now"], "--every"),
    (["x", "--model", "llama-3.1-8b", "--on", "h100", "--export", "here"], "--export here: is no port"),
    (["--dashboard", "/nowhere/x.json"], "--dashboard /nowhere/x.json"), (["--dashboard", "x.txt"], "reads like headway.json"),
])  # fmt: skip
def test_bad_words(capsys, words, said):
    code, out, err = run(capsys, *words)
    assert code == 2
    assert said in err
    assert "secret" not in out + err
    assert "hidden" not in out + err
    assert err.count("\n") == 1


def test_physics_is_asked_first(capsys):
    code, _, err = run(capsys, "127.0.0.1:9", "--model", "llama-3.1-405b", "--on", "h100", "--once")
    assert code == 3
    assert "does not fit on H100 SXM" in err


def test_a_token_is_sent_and_never_shown(capsys, monkeypatch):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append((self.path, self.headers.get("authorization")))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HEADWAY_METRICS_TOKEN", "s3cret")
    code, out, err = run(
        capsys,
        f"http://127.0.0.1:{server.server_port}/v1",
        "--model",
        "llama-3.1-8b",
        "--on",
        "h100",
        "--once",
        "--every",
        "1ms",
    )
    server.shutdown()
    server.server_close()
    assert code == 2
    assert heard[0] == ("/metrics", "Bearer s3cret")
    assert "answers 401" in err
    assert "s3cret" not in out + err


def test_the_dashboard_is_written_without_a_server(capsys, tmp_path):
    code, _, _ = run(capsys, "--dashboard", str(tmp_path / "d.json"))
    assert code == 0
    assert json.loads((tmp_path / "d.json").read_text()) == dashboard()


def test_replicas_share_what_is_summed(engine):
    """The same counters are of one replica or of two: passes are as many in each, half as large, and each chip is as busy."""
    found = {}
    for layout in ("tp1", "tp2"):
        asked = Asked(Request("llama-3.1-8b", "h100x2", layout=layout), count=1)
        with Source(f"127.0.0.1:{engine.port}") as source:
            steps = watch(source, asked, lambda _: (engine.run(tokens=200, gap=0.005), time.sleep(0.1)))
            found[layout] = next(t.reading for t in steps if t.kind == "reading")
    two, one = found["tp1"], found["tp2"]
    assert two.met.passes * two.met.pass_seconds == pytest.approx(2 * two.met.busy)
    assert one.met.passes * one.met.pass_seconds == pytest.approx(one.met.busy)
    assert two.at.riders == pytest.approx(two.met.batch / 2, rel=0.2)
    assert two.at.mbu == pytest.approx(two.met.passes / 2 * two.at.floor, rel=0.2)  # reads take most of its floor
    assert one.at.mbu == pytest.approx(one.met.passes * one.at.floor, rel=0.3)


def test_llama_cpp_s_own_server(tmp_path):
    """The real llama-server, whose counters move when a request ends: everything between two quiet moments is in them."""
    pytest.importorskip("xllamacpp")
    import llama

    file = llama.write(tmp_path / "small.gguf", hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512)
    bodies = [
        {"model": "random-llama", "prompt": f"{i} " + "abc" * (5 + i % 7), "max_tokens": 20 + i % 5, "ignore_eos": True}
        for i in range(60)
    ]
    with llama.serving(file, parallel=4) as address:
        load(address, bodies[:1], 1, threading.Event(), once=True)
        with Source(address) as source:
            (before,) = source.scrape()
            log = load(address, bodies, 4, threading.Event(), once=True)
            (after,) = source.scrape()
    who = watched(Request(str(file), "cpu", context=60, price="1/h"), before.engine)
    found = reading(who, before, after, time.time())
    met, passed = found.met, after.at - before.at
    assert found.family == "llama.cpp"
    assert met.output_rate * passed == pytest.approx(sum(r.output for r in log))
    assert met.prompt_rate * passed == pytest.approx(sum(r.prompt for r in log))
    decoded = sum(r.last - r.first for r in log)
    assert met.batch * passed == pytest.approx(decoded, rel=0.1)
    assert met.pass_seconds == pytest.approx(decoded / sum(r.output for r in log), rel=0.1)
    assert met.context_from == "given"
    assert found.over_floor > 1
    assert "llama.cpp" in found.text()
