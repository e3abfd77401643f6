from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from page_server import serving
from page_tab import BROWSER, Tab


@pytest.fixture(scope="session")
def page():
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, page):
    found = Tab(chromium, page)
    yield found
    found.end(page.address)
