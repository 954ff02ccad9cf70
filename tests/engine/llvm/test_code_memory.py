"""Loads, stores, gathers, masks, lanes and control flow of the vector code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from vector_kernels import run

from vires.engine.llvm import fragments, machine
from vires.engine.llvm.code import Code, memory_type, module, register_type

DTYPES = [
    np.dtype(d)
    for d in (
        bool, np.int8, np.uint16, np.int32, np.uint64, np.float16, np.float32, np.float64,
        ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4, np.complex64, np.complex128,
    )
]  # fmt: skip
ids = [d.name for d in DTYPES]


def build(write: Callable[[Code], None], parameters: list[str]) -> Callable[..., None]:
    """A function whose pointer parameters are arrays and whose others are integers."""
    code = Code()
    write(code)
    text = module([code.define("kernel", parameters)], [code])
    linked = machine.link(machine.compile_ir(text, verify=True), "memory")
    kinds = [ctypes.c_void_p if p.startswith("ptr") else ctypes.c_int64 for p in parameters]
    function = ctypes.CFUNCTYPE(None, *kinds)(linked.address("kernel"))

    def call(*arguments: Any) -> None:
        assert linked is not None
        function(*[a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments])

    return call


def data(dtype: np.dtype[Any], count: int = 16) -> np.ndarray[Any, Any]:
    numbers = np.arange(1, count + 1)
    if dtype.kind == "c":
        return (numbers - 1j * numbers).astype(dtype)
    return (numbers % 7).astype(np.int8).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=ids)
@pytest.mark.parametrize("lanes", [1, 2, 8, 16])
def test_masked_copy(dtype: np.dtype[Any], lanes: int) -> None:
    """Elements past the count are neither read nor written."""

    def write(code: Code) -> None:
        left = code.argument("%n", np.int64)
        mask = code.tail_mask(left, lanes) if lanes > 1 else left.compare("sgt", 0)
        code.store("%out", code.load("%x", dtype, lanes, mask), mask)
        code.ret()

    copy = build(write, ["ptr %x", "ptr %out", "i64 %n"])
    x = data(dtype)
    for count in {0, 1, lanes // 2, lanes}:
        out = np.zeros(16, dtype)
        copy(x, out, count)
        assert out[:count].tolist() == x[:count].tolist()
        assert out[count:].tolist() == np.zeros(16, dtype)[count:].tolist()


@pytest.mark.parametrize("dtype", DTYPES, ids=ids)
@pytest.mark.parametrize("lanes", [1, 4])
def test_gather_and_scatter(dtype: np.dtype[Any], lanes: int) -> None:
    def write(code: Code) -> None:
        index = code.load("%at", np.int64, lanes)
        mask = code.load("%mask", bool, lanes)
        code.scatter("%out", index, code.gather("%x", index, dtype, mask), mask)
        code.scatter("%all", index, code.gather("%x", index, dtype))
        code.ret()

    kernel = build(write, ["ptr %x", "ptr %at", "ptr %mask", "ptr %out", "ptr %all"])
    x, at = data(dtype), np.array([9, 3, 12, 0], np.int64)
    for chosen in ([True, False, True, True], [False] * 4):
        out, everything = np.zeros(16, dtype), np.zeros(16, dtype)
        kernel(x, at, np.array(chosen), out, everything)
        wanted = np.zeros(16, dtype)
        for index, use in zip(at[:lanes], chosen, strict=False):
            wanted[index] = x[index] if use else wanted[index]
        assert out.tolist() == wanted.tolist()
        assert everything[at[:lanes]].tolist() == x[at[:lanes]].tolist()


@pytest.mark.parametrize("name", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.complex64])
def test_reduce_lanes(name: str, dtype: Any) -> None:
    if name in ("max", "min") and dtype is np.complex64:
        return

    def write(code: Code) -> None:
        code.store("%out", code.reduce_lanes(code.load("%x", dtype, 8), name))
        code.ret()

    x, out = data(np.dtype(dtype), 8), np.zeros(1, dtype)
    build(write, ["ptr %x", "ptr %out"])(x, out)
    operation = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[name]
    halves = x
    while halves.size > 1:
        halves = operation(halves[: halves.size // 2], halves[halves.size // 2 :])
    assert out[0] == halves[0]


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, ml_dtypes.bfloat16])
def test_iota_and_lane(dtype: Any) -> None:
    def write(code: Code) -> None:
        lanes = code.iota(8, dtype)
        code.store("%out", lanes)
        code.store("%one", code.lane(lanes, 5))
        code.ret()

    out, one = np.zeros(8, dtype), np.zeros(1, dtype)
    build(write, ["ptr %out", "ptr %one"])(out, one)
    assert out.tolist() == list(range(8)) and one[0] == 5


def test_complex_phi() -> None:
    """A running product of complex numbers held in registers."""

    def write(code: Code) -> None:
        count = code.argument("%n", np.int64)
        code.br("loop")
        code.label("loop")
        index = code.phi(np.int64, 1, [(code.index(0), "entry")])
        total = code.phi(np.complex128, 1, [(code.constant(1, np.complex128), "entry")])
        product = code.op(
            "mul", total, code.load(code.gep("%x", np.complex128, index), np.complex128)
        )
        following = index + 1
        code.add_incoming(index, following, code.block)
        code.add_incoming(total, product, code.block)
        code.cond_br(following < count, "loop", "done")
        code.label("done")
        code.store("%out", product)
        code.ret()

    x, out = np.array([1 + 2j, 3 - 1j, 0.5j]), np.zeros(1, complex)
    build(write, ["ptr %x", "ptr %out", "i64 %n"])(x, out, 3)
    assert out[0] == x.prod()


def test_equal_values_share_a_name() -> None:
    code = Code()
    x = code.load("%x", np.float32, 8)

    def length() -> int:
        return "\n".join(code.lines).count("\n")

    before = length()
    first, second = code.op("sin", x), code.op("sin", x)
    assert first.name == second.name
    middle = length()
    code.op("cos", x)  # the reduction of the angle is shared
    assert length() - middle < 0.6 * (middle - before)
    code.label("next")
    assert code.op("sin", x).name != first.name


def test_rare_path_inside_a_sum() -> None:
    x = np.array([0.1, 1e6, 2.0, -3e7], np.float32)
    got = run(lambda code, v: code.op("add", code.op("sin", v), code.op("sin", v)), x, lanes=4)
    assert np.allclose(got, 2 * np.sin(x.astype(np.float64)), rtol=1e-6)


def test_type_names() -> None:
    assert register_type(np.float32, 8) == "<8 x float>" and register_type(bool) == "i1"
    assert register_type(np.complex64, 4) == "<4 x float>" and memory_type(bool) == "i8"
    assert memory_type(np.complex64) == "{float, float}"
    assert register_type(ml_dtypes.bfloat16, 2) == "<2 x i16>"


def test_unknown_dtype() -> None:
    with pytest.raises(
        TypeError, match="needs a bool or number dtype up to 64 bits; got datetime64"
    ):
        Code().constant(0, "datetime64[s]")


def test_text_depends_on_the_calls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk cache is keyed by the text: remembered fragments must not show in it."""

    def text() -> str:
        code = Code()
        x = code.load("%x", np.float32, 8)
        y = code.op("add", code.op("sin", x), code.op("pow", x, code.op("exp", x)))
        code.store("%out", code.convert(y, ml_dtypes.bfloat16))
        code.ret()
        return module([code.define("kernel", ["ptr %x", "ptr %out"])], [code])

    remembered = text()
    monkeypatch.setattr(fragments, "_templates", {})
    assert text() == remembered == text()
