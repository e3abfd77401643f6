"""Shared fixtures: every test sees the shipped catalogue only, never the user's."""

from __future__ import annotations

import os

import pytest

# Annotations are checked at run time only by `make types`: it costs several times what the tests themselves do.
if os.environ.get("HEADWAY_TYPES"):
    from jaxtyping import install_import_hook

    import headway.questions  # before the hook: a question's fields take text and convert it, pyright sees what comes out

    with install_import_hook("headway", "checker.checked"):
        import headway.cli.app
        import headway.figures
        import headway.lecture
        import headway.plan
        import headway.report.plans  # noqa: F401

from headway.catalog import loader


@pytest.fixture(autouse=True)
def shipped_catalogue(monkeypatch, tmp_path):
    monkeypatch.setattr(loader, "user_folder", lambda: tmp_path / "none")
    monkeypatch.delenv("COLUMNS", raising=False)  # output as into a pipe: nothing is wrapped
    loader._current.set(None)
    loader._shared_default.cache_clear()
    yield
    loader._current.set(None)


@pytest.fixture(scope="session")
def data():
    """All shipped evidence with its cases; read once."""
    from headway.fitting.data import evidence

    return evidence()
