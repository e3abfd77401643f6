"""Shared fixtures: every test sees the shipped catalogue only, never the user's."""

from __future__ import annotations

import pytest

from headway.catalog import loader


@pytest.fixture(autouse=True)
def shipped_catalogue(monkeypatch, tmp_path):
    monkeypatch.setattr(loader, "user_folder", lambda: tmp_path / "none")
    loader._current.clear()
    loader._shared_default.cache_clear()
    yield
    loader._current.clear()
