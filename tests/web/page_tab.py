"""A tab of Debian's Chromium on the page, which keeps what it says and what it asks for."""

from __future__ import annotations

import shutil

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


class Tab:
    def __init__(self, chromium, page, **options):
        self.context = chromium.new_context(base_url=page.address, accept_downloads=True, **options)
        self.context.set_default_timeout(20_000)
        self.tab, self.said, self.asked = self.context.new_page(), [], []
        self.tab.on("console", lambda m: self.said.append(m.text))
        self.tab.on("pageerror", lambda e: self.said.append(str(e)))
        self.tab.on("request", lambda r: self.asked.append(r.url))

    def open(self, path, drawn=1):
        self.tab.goto(path)
        if drawn:
            self.tab.wait_for_selector("[data-drawn]")
        return self.tab

    def chart(self, n=0):
        return self.tab.locator(".plot").nth(n).inner_html()

    def moved(self, act, n=0):
        """Whether a chart is drawn anew, differently, by what `act` does."""
        before, turn = self.chart(n), self.tab.locator(".plot").nth(n).get_attribute("data-drawn")
        act(self.tab)
        self.tab.wait_for_function(
            "([n, turn]) => document.querySelectorAll('.plot')[n].dataset.drawn !== turn", arg=[n, turn]
        )
        return self.chart(n) != before

    def end(self, home):
        """Nothing has left the machine, and nothing was complained about but answers that are refusals."""
        away = [u for u in self.asked if not u.startswith((home, "data:", "blob:"))]
        self.context.close()
        assert away == []
        assert [s for s in self.said if "422" not in s and "400" not in s] == []
