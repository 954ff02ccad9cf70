"""Programs compiled and compared with their NumPy reference."""

from __future__ import annotations

import pytest

import vires
from vires.engine.llvm import cache


@pytest.fixture(autouse=True)
def own_cache(monkeypatch):
    """Tests neither use nor fill the user's cache, and check the compiler's passes."""
    monkeypatch.setenv("VIRES_CACHE_DIR", "off")
    clear = cache.directory.cache_clear
    clear()
    with vires.config.override("enable_checks", True):
        yield
    clear()
