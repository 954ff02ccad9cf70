"""Elementary functions that programs share: the same bits as those written into a kernel."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires.dialect.loops import MATH_OPS
from vires.engine.llvm import background, machine, math_library
from vires.engine.llvm.code import Code, module
from vires.engine.llvm.kinds import kind_of

POINTS = [
    0.0, -0.0, 1.0, -1.0, 0.3, -2.7, 1e-40, 3.5, 17.25, 88.0, -88.0, 1e5, 3e7, -4e22, 1e-3, 0.999,
    onp.inf, -onp.inf, onp.nan, 2.5, 0.5, -0.5, 7.0, 100.5,
]  # fmt: skip


def bits(x: onp.ndarray) -> bytes:
    """The bits of an array, but those of nan: its sign depends on the order of operands."""
    return onp.where(onp.isnan(x), onp.nan, x).astype(x.dtype).tobytes()


def compiled(name: str, dtype: type, lanes: int, *, outlined: bool):
    """A function of arrays, written with calls of the library or without."""
    code = Code()
    code.outlined = outlined
    operands = [code.load(f"%x{i}", dtype, lanes) for i in range(MATH_OPS[name])]
    code.store("%out", code.op(name, *operands))
    code.ret()
    parameters = ["ptr %out", *[f"ptr %x{i}" for i in range(len(operands))]]
    image = machine.compile_ir(module([code.define("f", parameters)], [code]), 0, verify=True)
    names = {symbol: math_library.address(symbol) for symbol in code.shared}
    loaded = machine.load(image, "f", ["f"], names)

    def run(*arrays: onp.ndarray) -> onp.ndarray:
        out = onp.zeros(lanes, dtype)
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (out, *arrays)]
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers))(loaded.address("f"))(*pointers)
        return out

    return run, code.shared


@pytest.mark.parametrize("dtype", [onp.float32, onp.float64])
@pytest.mark.parametrize("name", sorted(MATH_OPS))
def test_calls_give_the_same_bits(name: str, dtype: type) -> None:
    full = machine.host().vector_bytes // onp.dtype(dtype).itemsize
    x = onp.resize(onp.array(POINTS, dtype), 32)
    y = onp.roll(x, 5)
    for lanes in (1, 2, full // 2, full, 2 * full):
        width = 1 if lanes == 1 else full
        math_library.address(math_library._symbol(name, kind_of(dtype), width))
        called, shared = compiled(name, dtype, lanes, outlined=True)
        written, none = compiled(name, dtype, lanes, outlined=False)
        assert shared and not none
        for start in range(0, 32, lanes):
            operands = [onp.ascontiguousarray(v[start : start + lanes]) for v in (x, y)]
            operands = operands[: MATH_OPS[name]]
            assert bits(called(*operands)) == bits(written(*operands))


def test_programs_share_functions_across_processes(tmp_path) -> None:
    program = """
        import sys
        import vires, vires.numpy as np
        from vires.engine.llvm import background, machine, math_library
        x = np.linspace(-3.0, 3.0, 100)
        compiled = []
        original = machine.submit
        machine.submit = lambda *args, **options: (
            compiled.append(args[2]) or original(*args, **options)
        )
        math_library.address(f"vires_math_sin_float32_{machine.host().vector_bytes // 4}")
        y = vires.jit(lambda x: np.sin(x) * 2)(x)
        print(y.sum(), len(compiled), sorted(s for s in math_library._addresses))
    """
    outputs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={**os.environ, "VIRES_CACHE_DIR": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        outputs.append(done.stdout.split(maxsplit=2))
    assert outputs[0][0] == outputs[1][0] == outputs[2][0]
    assert outputs[2][1] == "0" and "vires_math_sin" in outputs[2][2]


def test_common_functions_are_loaded_while_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    background.finish()  # what other tests began may load others
    for table in ("_addresses", "_jobs"):
        monkeypatch.setattr(math_library, table, {})
    math_library.prepare()
    first = {*math_library._jobs}
    math_library.settle()
    background.finish()
    loaded = {symbol.removeprefix(math_library.PREFIX) for symbol in math_library._addresses}
    lanes = machine.host().vector_bytes // 4
    common = (*math_library._FIRST, *math_library._NEXT)
    assert first and loaded == {f"{name}_float32_{lanes}" for name in common}
    assert not math_library._jobs


def test_work_in_the_background() -> None:
    done: list[int] = []
    background.run(lambda: done.append(1))
    background.run(lambda: done.append(2))
    background.finish()
    assert done == [1, 2]
    background.run(lambda: [][0])  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        background.finish()


def test_eager_and_jitted_calls_agree_bit_for_bit() -> None:
    x = np.array(onp.resize(onp.array(POINTS, "float32"), 1001))
    f = lambda x: np.sin(x) + np.exp(-np.abs(x)) * np.tanh(x)
    first = vires.jit(f)(x)
    again = vires.jit(lambda x: f(x))(x)
    assert bits(onp.asarray(first)) == bits(onp.asarray(again)) == bits(onp.asarray(f(x)))
