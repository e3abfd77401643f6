"""Pages of the built site in Chromium. `site_pages.py [FOLDER]`, or `make site-check`: all of them, light and dark, wide and narrow."""

from __future__ import annotations

import contextlib
import functools
import http.server
import sys
import threading
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from page_tab import BROWSER

SCHEMES, WIDTHS = ("light", "dark"), (1280, 360)


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """Serve a folder on this machine, and give its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def faults(browser, address, paths, scheme, width):
    """Return what is wrong with pages: what axe finds, pictures unnamed, text wider than the screen, complaints, requests to others."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    tab, found, asked = context.new_page(), [], []
    tab.on("console", lambda m: found.append((tab.url, "console", m.text)))
    tab.on("pageerror", lambda e: found.append((tab.url, "error", str(e))))
    tab.on("request", lambda r: asked.append(r.url))
    for path in paths:
        tab.goto(address + path)
        tab.wait_for_selector("h1")
        for v in Axe().run(tab).response["violations"]:
            found.append((path, v["id"], v["impact"], len(v["nodes"]), [n["html"][:120] for n in v["nodes"][:3]]))
        wide, unnamed = tab.evaluate(
            "[document.documentElement.scrollWidth, [...document.images].filter((x) => !x.alt).map((x) => x.src)]"
        )
        if wide > width:
            found.append((path, "wider than the screen", wide))
        found += [(path, "no alt text", x) for x in unnamed]
    context.close()
    return found + [("asked of others", u) for u in asked if not u.startswith((address, "data:", "blob:"))]


def main():
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/site/html")
    paths = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*.html") if f.name != "404.html")
    wrong = 0
    with served(folder) as address, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for scheme in SCHEMES:
            for width in WIDTHS:
                found = faults(browser, address, paths, scheme, width)
                wrong += len(found)
                for fault in found:
                    print(scheme, width, *fault)
                print(f"{len(paths)} pages, {scheme}, {width} px: {len(found)} faults", flush=True)
        browser.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
