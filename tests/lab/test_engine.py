"""The lab engine against the networks that it serves, and the simulator against the lab engine."""

from __future__ import annotations

import contextlib
import io
import random
import threading

import numpy as np
import pytest

from headway.errors import InputError
from headway.lab import demonstrate, tiny
from headway.lab.engine.checked import checked
from headway.lab.engine.core import Ask, Engine
from headway.lab.engine.pages import Pages, Seat, identities
from headway.lab.engine.scheduling import Scheduler
from headway.lab.engine.settings import POLICIES, Delays, Settings, limits_of, policy_of
from headway.lab.engine.text import END, Told, allowed, encoded, state_after
from headway.lab.engine.tracing import Kept, Trace, recorded
from lab_child import there


def ran(name, requests=24, mutation="", blocks=40, delay=1e-3, file="", burst=False):
    """A run of the engine under a policy, in a thread of its own, with requests that come over time; what the simulator says."""
    policy = policy_of(name, 0.01, 4, 0.05)
    settings = Settings(
        tiny("llama-3.1-8b"),
        limits_of(policy, 48, 6, 400 if policy.padded else blocks, 8, 160),
        policy,
        delays=Delays(delay),
    )
    kept = Kept(settings)
    engine = Engine(settings, (kept, Trace(settings, file)) if file else (kept,))
    whole = Scheduler._preempt, Pages.computed
    if mutation == "the first to board loses its place":

        def first(self):
            self.running = dict(reversed(self.running.items()))
            whole[0](self)
            self.running = dict(reversed(self.running.items()))

        Scheduler._preempt = first
    elif mutation == "finds no prompt again":
        Pages.computed = lambda self, seat: None
    try:
        thread = threading.Thread(target=engine.run, daemon=True)
        if not burst:
            thread.start()
        rng, done = random.Random(3), threading.Semaphore(0)
        shared = "a prompt that begins alike for all of them "
        for i in range(requests):
            prompt = tuple(encoded(shared[: 20 * (i % 3)] + "x" * rng.randint(1, 60)))
            ask = Ask(
                prompt,
                rng.randint(1, 50),
                seed=i,
                ends=i % 2 == 0,
                tier=rng.randint(0, 3),
                stops=("a",) if i % 5 == 0 else (),
            )
            engine.submit(ask, lambda said: done.release() if said.why else None)
            threading.Event().wait(0 if burst else rng.expovariate(400))
        if burst:
            thread.start()
        for _ in range(requests):
            assert done.acquire(timeout=60), engine.fault
        engine.close()
        thread.join()
    finally:
        Scheduler._preempt, Pages.computed = whole
    free = engine.scheduler.pages.used, len(engine.scheduler.seats)
    return checked(kept.recorded()), engine.scheduler.preemptions, free


@pytest.mark.parametrize("name", POLICIES)
def test_the_simulator_departs_alike(name):
    c, preempted, left = there(ran, name)
    assert c.alike, c.difference
    assert c.apart < 0.1
    assert c.passes
    assert left == (0, 0)  # every block and seat is back
    rows = c.run.requests
    assert len(rows) == 24
    assert {r["tier"] for r in rows} == {0, 1, 2, 3}
    if name != "static":
        assert sum(r["cached_tokens"] for r in rows) > 0
    if name in ("chunked", "prefill-first"):
        assert preempted > 0
    if name == "chunked":
        assert any(p["riders"] and p["chunks"] for p in c.run.passes)
        assert max(p["tokens"] for p in c.run.passes) <= 48


@pytest.mark.parametrize("name", ["chunked", "prefill-first", "decode-first", "static"])
def test_costs_by_kind_tell_the_times(name):
    """Requests that all are there: who rides does not hang on the noise of the passes before."""
    apart = []
    for _ in range(4):  # whatever else the machine does lies in single passes: one quiet run tells
        c, _, _ = there(ran, name, burst=True, delay=3e-3)
        assert c.alike, c.difference
        assert c.by_kind.passes == c.engine.passes
        apart.append(c.kinds_apart)
        if c.kinds_apart < 0.1:
            break
    assert min(apart) < 0.1


@pytest.mark.parametrize("mutation", ["the first to board loses its place", "finds no prompt again"])
def test_an_engine_that_departs_otherwise_is_noticed(mutation):
    c, _, _ = there(ran, "chunked", mutation=mutation)
    assert not c.alike
    assert not c.passes
    assert c.difference.startswith("pass ")


def answers(model, prompts, most, **named):
    """Greedy answers of an engine, and their tokens."""
    policy = policy_of(named.pop("policy", "chunked"))
    tokens, blocks = named.pop("tokens", 32), named.pop("blocks", 64)
    settings = Settings(
        tiny(model), limits_of(policy, tokens, 4, blocks, 8, 128), policy, keeps=named.pop("keeps", True)
    )
    engine = Engine(settings)
    told = {}
    for i, prompt in enumerate(prompts):
        under = engine.submit(Ask(tuple(encoded(prompt)), most, 0.0, ends=False), lambda said: None)
        told[under] = i
    seats = {}
    arrive = engine.scheduler.arrive

    def watching(left, made, stops):
        for seat in (*left.riders, *(s for s, _ in left.chunks)):
            seats[seat.who] = seat
        return arrive(left, made, stops)

    engine.scheduler.arrive = watching
    engine.finish()
    return [list(seats[who].made) for who in sorted(told)], engine.scheduler.preemptions


def recomputed(model, prompts, most):
    """The same by the network itself: everything computed again for every token."""
    import jax
    import jax.numpy as jnp

    from headway.lab.networks import network

    net = network(tiny(model))
    weights = jax.tree.map(jnp.asarray, net.weights())
    found = []
    for prompt in prompts:
        tokens, state = encoded(prompt), (0, 0, 0)
        made = []
        for i in range(most):
            row = jnp.asarray([(tokens + made + [0] * 128)[:64]])
            scores = np.asarray(net.prefill(weights, row, 64)[0][0, len(tokens) + i - 1])
            made.append(int(np.argmax(np.where(allowed(state, min(most - i, 4), False), scores, -np.inf))))
            state = state_after(state, made[-1])
        found.append(made)
    return found


PROMPTS = ["the train leaves", "the train leaves at nine", "a", "whoever is there boards"]


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3.2", "gpt-oss-20b"])
def test_the_engine_says_what_the_network_says(model):
    """Paged, in chunks, together with others, prompts found again: the same tokens as one at a time from nothing."""
    found, _ = there(answers, model, PROMPTS, 12)
    assert found == there(recomputed, model, PROMPTS, 12)


def test_who_loses_its_place_says_the_same():
    prompts = ["x" * n for n in (20, 25, 30, 35)]
    roomy, none = there(answers, "llama-3.1-8b", prompts, 60)
    tight, lost = there(answers, "llama-3.1-8b", prompts, 60, blocks=26)
    assert none == 0
    assert lost > 0
    assert tight == roomy
    assert there(answers, "llama-3.1-8b", prompts, 60, policy="static")[0] == roomy


def delayed():
    policy = policy_of("chunked")
    delays = Delays(4e-3, 1e-3, 1e-4, 1e-5)
    settings = Settings(tiny("llama-3.1-8b"), limits_of(policy, 64, 4, 64, 8, 128), policy, delays=delays)
    kept = Kept(settings)
    engine = Engine(settings, (kept,))
    for i in range(8):
        engine.submit(Ask(tuple(encoded("y" * (10 + 5 * i))), 20, 0.0, ends=False), lambda said: None)
    engine.finish()
    return [(p, delays.seconds(p["sequences"], p["tokens"], p["context_tokens"])) for p in kept.passes]


def test_delays_are_in_the_passes():
    rows = there(delayed)
    beside = [p["seconds"] - p["computed_s"] - d for p, d in rows]
    assert min(beside) > 0
    assert np.median(beside) < 1e-3
    assert len({p["sequences"] for p, _ in rows}) >= 3


def refused():
    policy = policy_of("chunked")
    engine = Engine(Settings(tiny("llama-3.1-8b"), limits_of(policy, 16, 2, 4, 8, 64), policy))
    said = []
    for prompt, most in (((), 4), ((65,) * 60, 5), ((65,) * 20, 20), ((65,), 0)):
        try:
            engine.submit(Ask(prompt, most), lambda one: None)
        except InputError as error:
            said.append(str(error))
    return said


def test_what_can_never_run_is_refused():
    said = there(refused)
    assert len(said) == 4
    assert "empty prompt" in said[0]
    assert "more than this model's 64" in said[1]
    assert "4 blocks of 8" in said[2]
    assert "max_tokens" in said[3]


def states(model):
    Engine(Settings(tiny(model), limits_of(policy_of("chunked"))))


def test_recurrent_states_are_refused():
    with pytest.raises(InputError, match="no recurrent states"):
        there(states, "qwen3.5-35b-a3b")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: limits_of(policy_of("chunked"), 4, 8), "fewer than the 8 sequences"),
        (lambda: limits_of(policy_of("chunked"), sequences=0), "must be in 1..256"),
        (lambda: policy_of("chunk"), "did you mean chunked"),
        (lambda: Delays(-1.0), "must be in 0..1 h"),
    ],
)
def test_settings_say_what_they_take(made, says):
    with pytest.raises(InputError, match=says):
        made()


def test_every_answer_is_text():
    rng = np.random.default_rng(0)
    for _ in range(300):
        told, most, shown = Told(), int(rng.integers(1, 30)), ""
        for i in range(most):
            may = np.flatnonzero(allowed(told.state, min(most - i, 4), False))
            assert len(may)
            shown += told.add(int(rng.choice(may)))
            assert "\ufffd" not in shown
        shown += told.rest()
        assert "\ufffd" not in shown
        assert shown == told.text
        assert all(c in "\t\n" or c.isprintable() or ord(c) > 0x9F for c in shown)


def test_a_stop_is_held_back_and_never_shown():
    told = Told(stops=("END", "Ne"))
    shown = [told.add(b) for b in b"The EN is no END at"[:16]]
    assert "".join(shown) == "The EN is no "
    assert told.stopped
    assert told.rest() == ""
    euro = Told()
    assert [euro.add(b) for b in "€".encode()] == ["", "", "€"]
    assert END not in encoded("a\0b")


def test_a_pool_of_blocks():
    pages = Pages(4, 8, keeps=True)
    a, b = (Seat(i, [1] * 20, 4, units=identities([1] * 20, 8)) for i in range(2))
    assert pages.board(a, 0)
    assert len(a.blocks) == 3
    assert not pages.board(b, 0)  # its third block does not fit, and nothing is computed yet
    a.done = 20
    pages.computed(a)
    assert pages.board(b, 0)  # two of its blocks are the other's
    assert b.blocks[:2] == a.blocks[:2]
    assert b.done == 16
    pages.leave(a)
    pages.leave(b)
    assert pages.used == 0
    c = Seat(2, [2] * 32, 1, units=identities([2] * 32, 8))
    assert pages.board(c, 0)  # what nobody uses is given up
    assert sorted(c.blocks) == [0, 1, 2, 3]


def test_a_log_is_read_back(tmp_path):
    file = tmp_path / "log.jsonl"
    c, _, _ = there(ran, "chunked", requests=6, file=str(file))
    found = recorded(str(file))
    assert found.passes == c.run.passes
    assert found.requests == c.run.requests
    assert checked(found).alike
    text = file.read_text()
    file.write_text(text + '{"pass": 9, "start')  # cut off by a kill
    assert checked(recorded(str(file))).alike
    file.write_text(text.replace('"riders"', '"rider"', 1))
    with pytest.raises(InputError, match=r"line 2: no line of a lab engine's log"):
        recorded(str(file))
    file.write_text("{}\n")
    with pytest.raises(InputError, match="line 1"):
        recorded(str(file))
    file.write_text("\n".join(line for line in text.split("\n") if '"request": 3' not in line))
    with pytest.raises(InputError, match="request 3 left"):
        checked(recorded(str(file)))


def full():
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        return ran("chunked", requests=4, file="/dev/full")[0], said.getvalue()


def test_a_full_disk_ends_the_log_not_the_engine():
    c, said = there(full)
    assert c.alike
    assert said == "headway: /dev/full: the log of passes ends here (No space left on device)\n"


def test_the_engine_in_the_lectures_variables():
    """SYS-H1: no step below the roofline; cost per token falls with B, then flattens.."""
    for turn in range(6):
        d = there(demonstrate, "SYS-H1")
        assert d.checks[0].passes  # the roofline is no matter of noise
        assert [r["B"] for r in d.rows] == [1, 2, 4, 8, 16, 32, 64]
        assert all(r["t_s"] >= r["fastest_s"] >= r["roofline_s"] > 0 for r in d.rows)
        assert d.rows[3]["dollars_per_Mtok"] == pytest.approx(
            2 / 3600 * d.rows[3]["t_s"] / 8 * 1e6
        )  # lecture 1.2: $2/h
        if d.passes or turn == 5:
            break
    assert d.passes, [c for c in d.checks if not c.passes]
