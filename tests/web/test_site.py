"""The site of the documentation: built, read in Chromium in light and dark, searched, and followed link by link."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from cyclopts import CycloptsError
from page_tab import BROWSER
from site_pages import faults, served

from headway.cli.app import app

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "built"
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "site.py", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr  # links and anchors, as zensical sees them
    return folder / "html"


def test_every_page_has_its_place():
    told = (ROOT / "docs" / "zensical.toml").read_text(encoding="utf-8")
    assert [f.name for f in (ROOT / "docs").glob("*.md") if f'"{f.name}"' not in told] == []


@pytest.fixture(scope="module")
def address(site):
    with served(site) as found:
        yield found


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.names, self.pictures = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if "id" in told:
            self.names.add(told["id"])
        if tag == "img":
            self.pictures.append(told)
        for key in ("href", "src"):
            if told.get(key):
                self.links.append((tag, told[key]))


def test_links_lead_somewhere_and_pictures_say_what_they_show(site):
    found = {f: Links(f.read_text(encoding="utf-8")) for f in site.rglob("*.html") if f.name != "404.html"}
    assert len(found) > 50
    for file, page in found.items():
        for tag, link in page.links:
            if re.match(r"[a-z]+:", link):
                assert tag == "a", f"{file}: {link} is asked for from elsewhere"
                continue
            path, anchor = urldefrag(link)
            there = (file.parent / unquote(path)).resolve() if path else file
            assert there.exists(), f"{file}: {link}"
            if anchor and there in found and not anchor.startswith("__"):
                assert unquote(anchor) in found[there].names, f"{file}: {link}"
        assert all(p.get("alt") for p in page.pictures), file


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_pages_in_a_browser(chromium, address, scheme, width):
    """A page of each kind; `make site-check` looks at all."""
    pages = ("index.html", "lessons/02-batch.html", "reference/batching.html", "glossary.html")
    assert faults(chromium, address, pages, scheme, width) == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_search_finds_and_words_are_explained_under_the_pointer_and_on_a_tap(chromium, address):
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto(address + "lessons/02-batch.html")
    assert tab.locator("h1 abbr, h2 abbr, code abbr, nav abbr").count() == 0
    word = tab.locator("article abbr", has_text="sparsity").first
    word.hover()
    told = tab.locator(".md-tooltip2--active", has_text="total over active parameters")
    told.wait_for()
    tab.keyboard.press("Control+k")
    tab.keyboard.type("balance batch")
    tab.wait_for_selector("mark")
    context.close()
    phone = chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 900})
    tab = phone.new_page()
    tab.goto(address + "lessons/02-batch.html")
    tab.locator("article abbr", has_text="sparsity").first.tap()
    tab.locator(".md-tooltip2--active").wait_for()
    tab.locator("footer a", has_text="glossary").click()
    tab.wait_for_url("**/glossary.html")
    phone.close()


def commands():
    """Every command that a page shows indented or after a prompt."""
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for line in re.findall(r"^(?:    |\$ )headway (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{file.relative_to(ROOT)}: {line}"


def test_commands_of_pages_are_commands():
    """Verbs and options are there; those whose output stands on a page are run by docs/generate.py."""
    wrong = []
    for told in dict.fromkeys(commands()):
        command = told.partition(": ")[2].split("  #")[0].split(" > ")[0].split(" | ")[0].split(" && ")[0]
        try:
            app.parse_args(shlex.split(command), exit_on_error=False, print_error=False)
        except CycloptsError as error:
            wrong.append(f"{told}: {error}")
    assert wrong == []


def test_pictures_of_the_gallery_are_there_and_drawn(tmp_path):
    import gallery

    assert (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8") == gallery.page()
    systems = [s for s, _, _ in gallery.PICTURES]
    assert len(set(systems)) == len(systems) >= 35
    for system, alt, _ in gallery.PICTURES:
        assert (gallery.FOLDER / gallery.file_of(system)).stat().st_size > 1000
        assert len(alt) > 20
    for system, _, command in [p for p in gallery.PICTURES if not p[2].startswith("lab")][::13]:
        assert gallery.draw(system, command, tmp_path) == 0
        assert (tmp_path / gallery.file_of(system)).read_text().startswith("<svg")
