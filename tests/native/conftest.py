"""Fixtures of the native core's tests."""

from __future__ import annotations

import numpy as np
import pytest

from native_code import EagerAdd
from vires import _native


@pytest.fixture
def eager_add() -> EagerAdd:
    return EagerAdd()


@pytest.fixture(autouse=True)
def settings() -> object:
    """Puts back the native core's global settings after a test."""
    context = _native.set_context(0)
    converter, flattener = _native.set_converter(None), _native.set_flattener(None)
    threads = _native.num_threads()
    _native.set_converter(lambda x: _native.from_numpy(np.asarray(x)))
    yield
    _native.set_context(*context)
    _native.set_converter(converter)
    _native.set_flattener(flattener)
    _native.set_tracing(False)
    _native.set_num_threads(threads)
