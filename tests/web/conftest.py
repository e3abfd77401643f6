from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from page_server import serving


@pytest.fixture(scope="session")
def page():
    with serving() as found:
        yield found
