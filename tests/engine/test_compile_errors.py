"""A program that cannot be compiled: the message names the operations and the user's lines."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax
from vires.engine.llvm.code import Code
from vires.engine.llvm.machine import CompileError
from vires.ops.math import sin

X = onp.ones(100, onp.float32)


def line_of(function, offset):
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


def program(x):
    y = x * 2
    return np.sin(y) + 1


def no_rule(b, x):
    raise KeyError("a mistake")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (no_rule, "KeyError: 'a mistake'"),
        (lambda b, x: b.pull(lambda i: 1 // 0), "ZeroDivisionError"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        program,
        lambda x: lax.fori_loop(0, 3, lambda i, c: program(c), x),
        lambda x: lax.cond(x[0] > 0, program, lambda x: x, x),
        lambda x: np.sum(program(x)),
    ],
)
def test_a_mistake_in_the_compiler(monkeypatch, rule, said, function):
    monkeypatch.setattr(sin, "loops", rule)
    with pytest.raises(CompileError) as caught:
        vires.jit(function)(X)
    message = str(caught.value)
    assert "cannot compile sin" in message and said in message
    assert line_of(program, 2) in message
    assert isinstance(caught.value.__cause__, (KeyError, ZeroDivisionError))


@pytest.mark.parametrize("shape", [(100,), (300, 1000)])
def test_text_that_llvm_refuses(monkeypatch, shape):
    define = Code.define

    def wrong(self, name, *args):
        text = define(self, name, *args)
        return text.replace("fmul <", "fmul nonsense <") if name == "kernel" else text

    monkeypatch.setattr(Code, "define", wrong)
    x = onp.full(shape, onp.float32(0.75))

    def other(x):
        return program(x), np.sort(x - 1.5, axis=0)

    with pytest.raises(CompileError) as caught:
        vires.jit(other)(x)
    message = str(caught.value)
    assert message.startswith("other: cannot compile")
    assert "LLVM cannot parse" in message and "nonsense" in message
    assert "mul" in message and line_of(program, 1) in message
    assert "sort" not in message


def test_memory_errors_stay(monkeypatch):
    def large(b, x):
        raise MemoryError("too large")

    monkeypatch.setattr(sin, "loops", large)
    with pytest.raises(MemoryError, match="too large"):
        vires.jit(program)(X)
