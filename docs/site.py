"""Build the site: gather the pages, make the reference from docstrings, run zensical. `make site`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import headway
from headway.equations import equations, listed
from headway.learn.claims import claims
from headway.learn.lessons import lessons

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_SOURCE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?:src|tests|examples|fuzz|bench)/[^)]*\)")
_SHIM = re.compile(r'<script src="https://unpkg.com/iframe-worker/shim"[^>]*>\s*</script>')
_ROOMS = {
    "front": "Verbs", "plan": "Plans", "search": "Search", "serving": "Serving", "simulation": "Simulation", "batching": "Batching",
    "parallel": "Layouts", "roofline": "Roofline", "models": "Models", "hardware": "Chips and systems", "economics": "Money",
    "equations": "Equations", "lecture": "The lecture", "learn": "Cards and lessons", "questions": "Questions", "figures": "Figures",
    "catalog": "Catalogue", "lab": "The lab", "measure": "Measuring", "errors": "Errors",
}  # fmt: skip


_WORDS = re.compile(r"^\| (?!word |---)(.+?) \| (.+?) \| .*\|$", re.MULTILINE)
_SYSTEM = re.compile(r"\bSYS-[A-I]\d+\b")
_OTHERWISE = {"architecture.md": ("floor", "floors", "Floor", "Floors")}  # pages that use a word in its everyday sense


def glossary() -> dict[str, str]:
    """Return what the glossary's words of the field mean."""
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    return {
        word: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", meaning).replace("`", "")
        for words, meaning in _WORDS.findall(text[text.index("<!-- words -->") : text.index("<!-- end -->")])
        for word in words.split(", ")
    }


def explained(texts: list[str]) -> dict[str, str]:
    """Return what stands under the pointer, by word as it is written: the glossary's, equations and claims by number."""
    known = glossary()
    found = {s: known["SYS"] for t in texts for s in _SYSTEM.findall(t)}
    systems = listed._ELSEWHERE  # pyright: ignore[reportPrivateUsage] - those that are no closed form
    found |= {s: f"a system of the lecture, {what}: {verb}" for s, (what, verb) in systems.items()}
    for e in equations():
        found |= {
            x: f"the lecture's {e.title}: {e.formula}"
            for x in (e.id, *e.aliases)
            if re.fullmatch(r"(E|SYS-[A-I])\d+", x)
        }
    found |= {c.id: f"{c.topic}: {c.used}" for c in claims()}
    for word, meaning in known.items():
        many = (
            word
            if not word[-1].isalpha() or word.endswith("s")
            else word + ("es" if word.endswith(("ch", "x")) else "s")
        )
        found |= {x: meaning for w in (word, many) for x in (w, w[0].upper() + w[1:] if len(w) > 3 else w)}
    return found


def page(text: str) -> str:
    """Return a page with links into the source as plain names, and lists that begin after an empty line."""
    text = _SOURCE.sub(lambda m: m[1] if "`" in m[1] else f"`{m[1]}`", text)
    text = re.sub(
        r"^\|.*(?=\n\| ?-)", lambda m: re.sub(r"\| {1,2}(?=\|)", "| what ", m[0]), text, flags=re.MULTILINE
    )  # untitled columns
    out: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        before = out[-1] if out else ""
        item = re.match(r"(?:[-*]|\d+\.) ", line)
        if item and not fenced and before and not re.match(r"(?:[-*]|\d+\.) |\s", before):
            out.append("")
        out.append(line)
    return "\n".join(out)


def home() -> str:
    """Return README.md as the first page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/([^)]*)\)", r"](\1)", text)
    return page(
        re.sub(r"\[([^\]]+)\]\((?:CHANGELOG\.md|LICENSE|src/[^)]*|examples[^)]*|docs/examples[^)]*)\)", r"\1", text)
    )


def reference() -> dict[str, str]:
    """Return a page per room with the public names that live there."""
    homes = headway._HOME  # pyright: ignore[reportPrivateUsage] - where each public name lives
    rooms: dict[str, list[str]] = {}
    for name, (module, there) in sorted(homes.items(), key=lambda x: x[0].lower()):
        rooms.setdefault(module.split(".")[1], []).append(f"::: {module}.{there}\n")
        assert name == there
    unknown = set(rooms) - set(_ROOMS)
    assert not unknown, f"docs/site.py: no title for {unknown}"
    return {
        room: f"# {title}\n\nNames of `headway.{room}` that `import headway as hw` gives as `hw.NAME`.\n\n" + "\n".join(rooms[room])
        for room, title in _ROOMS.items() if room in rooms
    }  # fmt: skip


def gather(build: Path) -> None:
    """Put every page and the configuration into a folder."""
    pages = build / "pages"
    shutil.rmtree(build, ignore_errors=True)
    (pages / "reference").mkdir(parents=True)
    (pages / "lessons").mkdir()
    for file in [*DOCS.glob("*.md"), *DOCS.glob("lessons/*.md")]:
        (pages / file.relative_to(DOCS)).write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")
    for file in [*DOCS.glob("*.svg"), *DOCS.glob("*.png"), *DOCS.glob("gallery/*.svg")]:
        (pages / file.relative_to(DOCS)).parent.mkdir(exist_ok=True)
        shutil.copy(file, pages / file.relative_to(DOCS))
    for name in ("site.css", "site.js"):
        shutil.copy(DOCS / name, pages / name)
    (pages / "index.md").write_text(home(), encoding="utf-8")
    for name, words in _OTHERWISE.items():
        with (pages / name).open("a", encoding="utf-8") as file:
            file.write("".join(f'\n*[{word}]: ""\n' for word in words))
    rooms = reference()
    for room, text in rooms.items():
        (pages / "reference" / f"{room}.md").write_text(text, encoding="utf-8")
    told = (DOCS / "zensical.toml").read_text(encoding="utf-8").replace("SOURCE", (ROOT / "src").as_posix())
    of_lessons = [f'    {{ "{x.place}. {x.title}" = "lessons/{x.place:02d}-{x.id}.md" }},' for x in lessons()]
    of_rooms = [f'    {{ "{_ROOMS[room]}" = "reference/{room}.md" }},' for room in rooms]
    told = told.replace("    #lessons", "\n".join(of_lessons)).replace("    #reference", "\n".join(of_rooms))
    known = explained([f.read_text(encoding="utf-8") for f in pages.rglob("*.md")])
    told += "".join(f"{json.dumps(word)} = {json.dumps(meaning)}\n" for word, meaning in known.items())
    (build / "zensical.toml").write_text(told, encoding="utf-8")


def mended(text: str, path: str = "") -> str:
    """Return a built page that asks nobody for scripts, with landmarks of names of their own, and no words explained in headings."""
    text = text.replace("#glossary'", "../" * path.count("/") + "glossary.html'")
    where = ".*" if path == "glossary.html" else r"<(h[1-6])\b.*?</\1>"
    text = re.sub(where, lambda m: re.sub(r"</?abbr\b[^>]*>", "", m[0]), text, flags=re.DOTALL)
    seen: dict[str, int] = {}

    def own(match: re.Match[str]) -> str:
        name = match[1].casefold()  # readers do not hear capitals
        seen[name] = seen.get(name, 0) + 1
        return match[0] if seen[name] == 1 else f'<nav class="md-nav" aria-label="{match[1]} ({seen[name]})"'

    return re.sub(r'<nav class="md-nav" aria-label="([^"]*)"', own, _SHIM.sub("", text))


def main() -> int:
    """Build into the folder named, or build/site."""
    build = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    gather(build)
    done = subprocess.run([Path(sys.executable).parent / "zensical", "build", "--clean"], cwd=build, check=False)
    if done.returncode == 0:
        for file in (build / "html").rglob("*.html"):
            path = file.relative_to(build / "html").as_posix()
            file.write_text(mended(file.read_text(encoding="utf-8"), path), encoding="utf-8")
        print(f"the site is in {build / 'html' / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
