"""The views beyond Batch, Lecture and Money, in Debian's Chromium: what each control moves, what the address keeps, what errors say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from page_tab import BROWSER, Tab

from headway.cli import app

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: `make browser` installs Debian's"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
LAYOUTS = "/layouts?model=llama-3.1-8b&systems=h100x2&prompt=500&output=100"
TRAFFIC = "/traffic?model=llama-3.1-8b&system=h100x1&prompt=500&output=50&traffic=poisson:20/s&requests=150&ttft=60ms"


def enter(name, value):
    def act(t):
        t.fill(f"[name={name}]", value)
        t.press(f"[name={name}]", "Enter")

    return act


def exports(t, kinds=("JSON", "CSV", "SVG", "PNG")):
    starts = {"JSON": b"{", "CSV": b"", "SVG": b"<svg", "PNG": b"\x89PNG"}
    for kind in kinds:
        with t.expect_download() as coming:
            t.click(f".samething [data-export={kind}] >> nth=0")
        found = Path(coming.value.path()).read_bytes()
        assert len(found) > 50, kind
        assert found.startswith(starts[kind]), kind


def test_layouts_open_an_option(tab, capsys):
    t = tab.open(LAYOUTS)
    assert t.locator(".headline").inner_text().startswith("Best:")
    best = t.input_value("#option")
    other = t.locator("#option option").nth(2).get_attribute("value")
    before = tab.chart()
    t.select_option("#option", other)
    t.wait_for_function("(n) => document.querySelector('.plot').dataset.shown === n", arg=other)
    assert tab.chart() != before
    assert "the cost" in t.locator(".facts tr:has-text('against the best')").inner_text()
    before = tab.chart()
    t.select_option("#role", "tensor")
    t.wait_for_function("() => document.querySelector('.plot').textContent.includes('chips by tensor slice')")
    assert tab.chart() != before
    assert "role=tensor" in t.url
    t.reload()
    t.wait_for_selector("[data-shown]")
    assert (t.input_value("#option"), t.input_value("#role")) == (other, "tensor")
    assert other != best
    exports(t)
    command = t.locator(".samething code").first.inner_text()
    assert app.run(command.split()[1:]) == 0
    capsys.readouterr()


def test_a_click_on_the_line_opens_what_stands_there(tab):
    t = tab.open(LAYOUTS)
    t.wait_for_selector("[data-shown]")
    best = t.input_value("#option")
    marks = t.locator(".plot .mark-symbol path[fill='#222']")
    assert marks.count() > 4
    for i in range(marks.count()):
        box = marks.nth(i).bounding_box()
        t.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        if t.input_value("#option") != best:
            break
    assert t.input_value("#option") != best
    assert "option=" in t.url
    assert t.locator(".facts caption").first.inner_text() == t.input_value("#option")


def test_layouts_follow_their_form_and_say_what_cannot_be(tab):
    t = tab.open(LAYOUTS)
    first = t.locator(".headline").inner_text()
    for name, value in (("output", "400"), ("tpot", "7ms"), ("precision", "fp8")):
        assert tab.moved(enter(name, value)), name
        assert f"{name}={value}" in t.url
    assert tab.moved(lambda t: t.select_option("[name=minimise]", "latency"))
    assert t.locator(".headline").inner_text() != first
    enter("tpot", "1us")(t)
    t.wait_for_selector(".refusal:has-text('It does not fit')")
    assert t.locator(".results").is_hidden()
    t.go_back()
    t.wait_for_selector(".results:visible")
    assert t.input_value("[name=tpot]") == "7ms"


def test_trains_leave_and_can_be_stopped(tab):
    t = tab.open(TRAFFIC)
    train = "() => document.querySelector('.trains > g:last-child').getAttribute('transform')"
    was = t.evaluate(train)
    t.wait_for_function(f"(was) => ({train})() !== was", arg=was)
    t.click("button:has-text('Pause')")
    was = t.evaluate(train)
    t.wait_for_timeout(150)
    assert t.evaluate(train) == was
    said = t.locator(".trainbox p.quiet").inner_text()
    t.click("button:has-text('Next train')")
    assert t.locator(".trainbox p.quiet").inner_text() != said
    number = int(re.match(r"Train (\d+) of", t.locator(".trainbox p.quiet").inner_text())[1])
    t.locator("#train-number").press("ArrowRight")
    assert t.locator(".trainbox p.quiet").inner_text().startswith(f"Train {number + 1} of")
    riders = t.locator(".carriage ~ .rider").count()
    assert riders >= int(
        re.search(r": (\d+) write answers", t.locator(".trainbox p.quiet").inner_text())[1].replace(",", "")
    )


def test_reduced_motion_has_a_still_picture(chromium, page):
    tab = Tab(chromium, page, reduced_motion="reduce")
    t = tab.open(TRAFFIC)
    assert t.locator("button:has-text('Play')").is_hidden()
    picture, said = t.locator(".trains").inner_html(), t.locator(".trainbox p.quiet").inner_text()
    t.wait_for_timeout(200)
    assert t.locator(".trains").inner_html() == picture
    assert t.locator(".trains .prompt").count() > 0
    t.click("button:has-text('Next train')")
    assert t.locator(".trainbox p.quiet").inner_text() != said
    tab.end(page.address)


def test_traffic_follows_its_form(tab):
    t = tab.open(TRAFFIC)
    assert "within" in tab.chart()
    kept = t.locator(".headline").inner_text()
    for name, value in (("ttft", "30ms"), ("traffic", "closed:4"), ("requests", "80")):
        assert tab.moved(enter(name, value)), name
    assert t.locator(".headline").inner_text() != kept
    assert "traffic=closed:4" in t.url
    enter("traffic", "rows.csv")(t)
    t.wait_for_selector(".refusal:has-text('is not known')")
    t.go_back()
    t.wait_for_selector(".results:visible")
    exports(t)


def test_long_work_can_be_cancelled(tab):
    t = tab.open("/traffic?model=llama-3.1-8b&system=h100x1&traffic=poisson:2/s&requests=400000", drawn=0)
    t.wait_for_selector("progress:visible")
    t.click("button:has-text('Cancel')")
    t.wait_for_selector("text=Cancelled.")


def test_renting_against_an_api(tab):
    t = tab.open("/money/self-host?models=llama-3.1-8b&against=h100x1&prompt=1k&output=200&tpot=30ms&hits=0")
    assert "requests/s" in tab.chart()
    assert "pays from, on demand" in t.locator(".facts").first.inner_text()
    assert tab.moved(enter("price", "9/h"))
    exports(t)
    t.goto("/money/self-host?models=gpt-5.5&prompt=1k&output=200")
    t.wait_for_selector("text=What providers ask for one request")
    assert t.locator("figure:visible").count() == 0
    t.click("nav.tabs a:has-text('Prices read backwards')")
    t.wait_for_selector("h1:has-text('Prices read backwards')")
    t.go_back()
    t.wait_for_selector("h1:has-text('Rent or an API')")


def test_prices_read_backwards(tab):
    t = tab.open("/money/infer?model=deepseek-v3&samples=5k")
    assert "in truth 37.6 B" in t.locator(".headline").inner_text()
    assert "all prices" in tab.chart()
    t.fill("[name=model]", "")
    assert tab.moved(lambda t: t.check("[name=validate]"))
    assert "true active parameters" in tab.chart()
    exports(t)


def test_a_chip_of_ones_own(tab, tmp_path, monkeypatch, capsys):
    t = tab.open("/yours?model=llama-3.1-8b&system=mychipx1")
    first = t.locator(".headline").first.inner_text()
    assert tab.moved(lambda t: (t.fill("#chip-bandwidth", "2TB/s"), t.press("#chip-bandwidth", "Enter")))
    assert t.locator(".headline").first.inner_text() != first
    assert "chip_bandwidth=2TB/s" in t.url
    text = t.locator("pre[aria-label='chips.csv']").inner_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "chips.csv").write_text(text)
    monkeypatch.chdir(tmp_path)
    command = t.locator(".samething code").first.inner_text().split()
    assert app.run([*command[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["system"]["name"] == "mychip"
    t.fill("#chip-memory", "9GB")
    t.press("#chip-memory", "Enter")
    t.wait_for_selector(".refusal:has-text('It does not fit')")
    t.go_back()
    t.wait_for_selector(".results:visible")
    assert t.input_value("#chip-memory") != "9GB"
    with t.expect_navigation():  # else the old page's field is filled
        t.click("header nav a:has-text('Batch')")
    t.fill("[name=system]", "mychipx8")
    t.press("[name=system]", "Enter")
    t.wait_for_selector("figcaption:has-text('on mychip x8')")
    t.evaluate("sessionStorage.clear()")  # as in a tab of somebody else
    t.reload()
    t.click(".refusal a:has-text('Yours')")
    t.wait_for_selector("h1:has-text('Your model')")


def test_a_log_of_ones_own(tab):
    t = tab.open("/yours", drawn=0)
    rows = "system,model,batch,isl,osl,mean_tpot_ms\nH100-SXM,llama-3.1-8b,8,1000,200,8.5\n<img src=x>,llama-3.1-8b,8,1000,200,8.5\n"
    t.set_input_files("#cases-file", {"name": "log.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    t.wait_for_selector("figcaption:has-text('Predicted against measured')")
    log = t.locator("#log")
    assert "2 of 2 rows" in log.inner_text()
    assert "<img src=x>" in log.inner_text()
    assert t.locator("main img").count() == 0
    t.fill("#cases", rows.replace("llama-3.1-8b", "/etc/hosts"))
    t.click("button:has-text('Lay it over')")
    t.wait_for_selector(".refusal:has-text('looks like a file')")


REPORTS = {
    "plan": "plan llama-3.1-8b --on h100x1",
    "plans": "plan llama-3.1-8b,qwen3-8b --on h100x1",
    "search": "search llama-3.1-8b --on h100x2 --prompt 500 --output 100",
    "simulate": "simulate llama-3.1-8b --on h100x1 --traffic closed:4 --requests 40 --ttft 60ms",
    "tiers": "tiers llama-3.1-8b --on h100x1 --prompt 500 --output 100",
    "infer": "infer deepseek-v3 --samples 5k",
}


def test_a_page_to_mail_is_the_view_and_asks_nobody(chromium, tmp_path, capsys):
    """Opened as files, without a network: drawn, accessible, silent; light and dark."""
    context = chromium.new_context(offline=True, reduced_motion="reduce")
    t, asked, said = context.new_page(), [], []
    t.on("request", lambda r: asked.append(r.url))
    t.on("console", lambda m: said.append(m.text))
    t.on("pageerror", lambda e: said.append(str(e)))
    for name, words in REPORTS.items():
        file = tmp_path / f"{name}.html"
        assert app.run([*words.split(), "-o", str(file)]) == 0
        t.goto(file.as_uri())
        t.wait_for_selector("[data-drawn]")
        t.wait_for_selector("table")
        assert f"headway {words} -o {file}" in t.locator(".samething code").first.inner_text()
        turn = t.locator(".plot").first.get_attribute("data-drawn")
        t.click("#theme")
        t.wait_for_function("(n) => document.querySelector('.plot').dataset.drawn !== n", arg=turn)
        bad = [v["id"] for v in Axe().run(t).response["violations"] if v["impact"] in ("serious", "critical")]
        assert bad == [], name
    capsys.readouterr()
    context.close()
    assert [u for u in asked if not u.startswith(("file:", "data:", "blob:"))] == []
    assert said == []
