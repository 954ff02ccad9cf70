"""Formulas written once, for NumPy, for one element of a kernel, and for whole arrays.

A formula is a Python function of `Number`s. What a number is made of, its `Words` know; their names
of operations are those of the primitives and of the loop dialect, which agree. `Dual` numbers carry
a derivative through a formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.staging import stage
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand, Value
from vires.ops.composed import composed
from vires.ops.convert import convert
from vires.ops.filled import full_like
from vires.ops.linear import declared


class Words(Protocol):
    """What numbers are made of."""

    def apply(self, name: str, *values: Any) -> Any: ...
    def constant(self, value: float) -> Any: ...


class Number:
    """An element, a NumPy array or an array, with Python's arithmetic."""

    __slots__ = ("value", "words")

    def __init__(self, words: Words, value: Any) -> None:
        self.words = words
        self.value = value

    def call(self, name: str, *others: Any) -> Number:
        """An operation by name; Python scalars among the operands are converted."""
        rest = (x.value if isinstance(x, Number) else self.words.constant(x) for x in others)
        return Number(self.words, self.words.apply(name, self.value, *rest))

    def _reflected(self, name: str, other: float) -> Number:
        return Number(self.words, self.words.apply(name, self.words.constant(other), self.value))

    def __add__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Dual) else self.call("add", other)

    def __sub__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Dual) else self.call("sub", other)

    def __mul__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Dual) else self.call("mul", other)

    def __truediv__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Dual) else self.call("div", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: float) -> Number:
        return self._reflected("sub", other)

    def __rtruediv__(self, other: float) -> Number:
        return self._reflected("div", other)

    def __neg__(self) -> Number:
        return self.call("neg")

    def __lt__(self, other: Any) -> Number:
        return self.call("lt", plain(other))

    def __le__(self, other: Any) -> Number:
        return self.call("le", plain(other))

    def __gt__(self, other: Any) -> Number:
        return self.call("gt", plain(other))

    def __ge__(self, other: Any) -> Number:
        return self.call("ge", plain(other))

    def equals(self, other: Any) -> Number:
        return self.call("eq", plain(other))

    def __and__(self, other: Number) -> Number:
        return self.call("and", other)

    def __or__(self, other: Number) -> Number:
        return self.call("or", other)

    def __invert__(self) -> Number:
        return self.call("not")


class Dual:
    """A number and its derivative."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Number, slope: Number) -> None:
        self.value = value
        self.slope = slope

    def call(self, name: str) -> Dual:
        """A function of one operand, by name."""
        out = self.value.call(name)
        return Dual(out, self.slope * _SLOPES[name](self.value, out))

    def __add__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        return Dual(self.value + value, self.slope if slope is None else self.slope + slope)

    def __sub__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        return Dual(self.value - value, self.slope if slope is None else self.slope - slope)

    def __mul__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        own = self.slope * value
        return Dual(self.value * value, own if slope is None else own + self.value * slope)

    def __truediv__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        out = self.value / value
        return Dual(out, (self.slope if slope is None else self.slope - out * slope) / value)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Dual:
        return Dual(other - self.value, -self.slope)

    def __rtruediv__(self, other: Any) -> Dual:
        out = other / self.value
        return Dual(out, -out / self.value * self.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __lt__(self, other: Any) -> Number:
        return self.value < other

    def __le__(self, other: Any) -> Number:
        return self.value <= other

    def __gt__(self, other: Any) -> Number:
        return self.value > other

    def __ge__(self, other: Any) -> Number:
        return self.value >= other

    def equals(self, other: Any) -> Number:
        return self.value.equals(other)


_SLOPES: dict[str, Callable[[Number, Number], Any]] = {
    "exp": lambda x, out: out,
    "expm1": lambda x, out: out + 1,
    "log": lambda x, out: 1 / x,
    "sqrt": lambda x, out: 0.5 / out,
    "lgamma": lambda x, out: x.call("digamma"),
    "erfc": lambda x, out: -2 / math.sqrt(math.pi) * (-x * x).call("exp"),
    "abs": lambda x, out: x.call("sign"),
}


def _parts(x: Any) -> tuple[Any, Number | None]:
    return (x.value, x.slope) if isinstance(x, Dual) else (x, None)


def plain(x: Any) -> Any:
    """A number without its derivative."""
    return x.value if isinstance(x, Dual) else x


def where(condition: Number, x: Any, y: Any) -> Any:
    """x where the condition holds, else y."""
    if isinstance(x, Dual) or isinstance(y, Dual):
        (x, dx), (y, dy) = _parts(x), _parts(y)
        return Dual(where(condition, x, y), where(condition, _zero(dx), _zero(dy)))
    words = condition.words
    x, y = (v.value if isinstance(v, Number) else words.constant(v) for v in (x, y))
    return Number(words, words.apply("select", condition.value, x, y))


def _zero(slope: Number | None) -> Any:
    return 0.0 if slope is None else slope


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's rule, the constant term first."""
    if isinstance(x, Dual) and all(isinstance(c, float) for c in coefficients):
        slopes = [k * c for k, c in enumerate(coefficients)][1:]
        return Dual(polynomial(x.value, coefficients), polynomial(x.value, slopes) * x.slope)
    total: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


# --- repetition

Step = Callable[[list[Any], list[Any]], tuple[list[Any], Number]]


def repeat(fixed: Sequence[Any], state: Sequence[Any], step: Step, limit: int) -> list[Any]:
    """Apply `new_state, going_on = step(fixed, state)` to each element until it is done, at most
    `limit` times.

    Numbers that the step uses and does not change are in `fixed`. Not for kernels of one element.
    """
    words = next(plain(x).words for x in (*fixed, *state) if not isinstance(x, float))
    layout = [isinstance(x, Dual) for x in (*fixed, *state)]
    flat: list[Any] = []
    for x in (*fixed, *state):
        parts = (x.value, x.slope) if isinstance(x, Dual) else (x,)
        flat += [p.value if isinstance(p, Number) else words.constant(p) for p in parts]
    count = sum(1 + dual for dual in layout[: len(fixed)])

    def flat_step(words: Any, values: Sequence[Any]) -> tuple[list[Any], Any]:
        numbers = iter(Number(words, v) for v in values)
        rebuilt = [Dual(next(numbers), next(numbers)) if dual else next(numbers) for dual in layout]
        new, going_on = step(rebuilt[: len(fixed)], rebuilt[len(fixed) :])
        out: list[Any] = []
        for x in new:
            out += [x.value.value, x.slope.value] if isinstance(x, Dual) else [x.value]
        return out, going_on.value

    results = iter(
        Number(words, v) for v in words.repeat(flat[:count], flat[count:], flat_step, limit)
    )
    return [
        Dual(next(results), next(results)) if dual else next(results)
        for dual in layout[len(fixed) :]
    ]


# --- the three kinds of words


class NumpyWords:
    """NumPy arrays of one shape and dtype float64: each operation by its reference."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def apply(self, name: str, *values: Any) -> Any:
        if name == "select":
            return np.where(*values)
        return declared(name).reference(*values)

    def constant(self, value: float) -> Any:
        return np.full(self.shape, value, np.float64)

    def repeat(self, fixed: Any, state: list[Any], step: Any, limit: int) -> list[Any]:
        going_on = np.full(self.shape, True)
        for _ in range(limit):
            if not going_on.any():
                break
            new, more = step(self, [*fixed, *state])
            state = [np.where(going_on, n, s) for n, s in zip(new, state, strict=True)]
            going_on = going_on & more
        return state


class ElementWords:
    """One element of a kernel, in float64."""

    def __init__(self, builder: LoopBuilder) -> None:
        self.builder = builder

    def apply(self, name: str, *values: Any) -> Value:
        return self.builder.op(name, *values)

    def constant(self, value: float) -> Value:
        return self.builder.constant(value, dtypes.float64)


class ArrayWords:
    """Whole arrays of dtype float64 in a program."""

    def __init__(self, like: Any) -> None:
        self.like = like

    def apply(self, name: str, *values: Any) -> Any:
        if name == "select":
            condition, x, y = values
            return declared("select_n")(condition, y, x)
        return declared(name)(*values)

    def constant(self, value: float) -> Any:
        return full_like(self.like, value)

    def repeat(self, fixed: list[Any], state: list[Any], step: Any, limit: int) -> list[Any]:
        axes = tuple(range(len(aval_of(self.like).shape)))
        going_on = declared("eq")(self.like, self.like)  # all that are not nan

        def condition(*operands: Any) -> list[Any]:
            steps, going_on, *_ = operands
            some = declared("reduce_or")(going_on, axes=axes)
            return [declared("and")(declared("lt")(steps, full_like(steps, limit)), some)]

        def body(*operands: Any) -> list[Any]:
            steps, going_on, *state = operands[len(fixed) :]
            new, more = step(ArrayWords(state[0]), [*operands[: len(fixed)], *state])
            kept = [declared("select_n")(going_on, s, n) for n, s in zip(new, state, strict=True)]
            ahead = declared("add")(steps, full_like(steps, 1))
            return [ahead, declared("and")(going_on, more), *kept]

        init = [full_like(np.int32(0), 0), going_on, *state]
        types = [ShapedArray(aval_of(x).shape, aval_of(x).dtype) for x in (*fixed, *init)]
        results = declared("while")(
            *fixed,
            *init,
            cond_nconsts=0,
            cond_jaxpr=stage(condition, types[len(fixed) :]),
            body_nconsts=len(fixed),
            body_jaxpr=stage(body, types),
        )
        return list(results[2:])


# --- rules of primitives from formulas


def on_numpy(formula: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """The `reference` rule, computed in float64."""

    def reference(*arrays: np.ndarray) -> np.ndarray:
        words = NumpyWords(arrays[0].shape)
        numbers = (Number(words, x.astype(np.float64)) for x in arrays)
        return plain(formula(*numbers)).value.astype(arrays[0].dtype)

    return reference


def on_elements(formula: Callable[..., Any]) -> Callable[..., Value]:
    """The `loops` rule of an elementwise primitive, computed in float64."""

    def loops(b: LoopBuilder, *elements: Value) -> Value:
        words = ElementWords(b)
        numbers = (Number(words, b.convert(x, dtypes.float64)) for x in elements)
        return b.convert(formula(*numbers).value, elements[0].dtype)

    return loops


def on_arrays(formula: Callable[..., Any]) -> Callable[..., Definition | list[Definition]]:
    """The lowering of a formula with repetition: a program on whole arrays, computed in float64."""

    def program(*arrays: Any) -> Any:
        wide = [convert(x, dtypes.float64) for x in arrays]
        words = ArrayWords(wide[0])
        return convert(formula(*(Number(words, x) for x in wide)).value, aval_of(arrays[0]).dtype)

    lowering = composed(program)

    def loops(b: LoopBuilder, *operands: Operand) -> Definition | list[Definition]:
        return lowering(b, *operands)

    return loops
