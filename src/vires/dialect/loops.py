"""The loop dialect: the words in which an operation says how a CPU kernel computes it.

An operation's ``loops`` rule receives a :class:`LoopBuilder` and its operands and answers with a
*definition* of its results. There are three kinds of definition:

* a **pull** says what the element at an output index is: ``b.pull(lambda index: ...)``. Elementwise
  operations, views (reshape, transpose, slice, ...), generators (iota) and gathers are pulls. They
  own no memory; the engine inlines them into whatever consumes them.
* a **reduction** says which axes of a pulled source are combined, and how: ``b.reduce(...)``.
* a **block** names an algorithm that needs its operands in memory: contraction, sort, scatter,
  cumulative scan, loops and branches over programs, a call of a library or of the host.

Elements are :class:`Value` objects: typed, immutable expressions without a place in memory. An index
is a tuple of values of dtype ``int64``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

#: Scalar operations that a builder's ``op`` accepts, with their number of operands. All operands and the
#: result have one dtype unless the comment says otherwise. Integer arithmetic wraps around. Integer
#: division or remainder by zero gives -1 (all bits set) or the dividend and never traps;
#: INT_MIN / -1 gives INT_MIN. Shifts by the width or more give 0 (or the sign). Complex dtypes support
#: add sub mul div neg eq ne, select, convert, real, imag, complex, conj, abs and the math functions
#: that NumPy defines for them.
SCALAR_OPS: dict[str, int] = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "div": 2,  # integer div truncates
    "rem": 2,  # sign of the dividend, as C's fmod and %
    "neg": 1,
    "abs": 1,  # abs of complex gives its real dtype
    "sign": 1,
    "max": 2,
    "min": 2,  # max and min: nan if either is nan; max(-0.0, 0.0) is 0.0
    "fma": 3,  # a * b + c, rounded once
    "and": 2,
    "or": 2,
    "xor": 2,
    "not": 1,  # bool and integers
    "shift_left": 2,
    "shift_right_logical": 2,
    "shift_right_arithmetic": 2,
    "population_count": 1,
    "clz": 1,
    "eq": 2,
    "ne": 2,
    "lt": 2,
    "le": 2,
    "gt": 2,
    "ge": 2,  # result bool; IEEE; bool as 0 < 1
    "eq_to": 2,
    "le_to": 2,
    "lt_to": 2,  # total order: -nan < -inf < ... < -0.0 < 0.0 < ... < nan
    "select": 3,  # (bool, a, b): a where true
    "floor": 1,
    "ceil": 1,
    "trunc": 1,
    "round_even": 1,
    "round_away": 1,
    "is_finite": 1,
    "is_nan": 1,
    "is_inf": 1,
    "sign_bit": 1,  # result bool
    "nextafter": 2,
    "copysign": 2,
    "sqrt": 1,  # correctly rounded
    "real": 1,
    "imag": 1,
    "conj": 1,
    "complex": 2,
    "mulhi": 2,  # upper half of the product of two unsigned or signed integers
}

#: Elementary functions that ``op`` accepts too, over float dtypes (float16 and bfloat16 compute in
#: float32), with their number of operands. Those in ``COMPLEX_MATH`` also take complex dtypes.
MATH_OPS: dict[str, int] = {
    "exp": 1,
    "exp2": 1,
    "expm1": 1,
    "log": 1,
    "log1p": 1,
    "log2": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "asin": 1,
    "acos": 1,
    "atan": 1,
    "atan2": 2,
    "sinh": 1,
    "cosh": 1,
    "tanh": 1,
    "asinh": 1,
    "acosh": 1,
    "atanh": 1,
    "rsqrt": 1,
    "cbrt": 1,
    "pow": 2,
    "logistic": 1,
    "erf": 1,
    "erfc": 1,
    "erf_inv": 1,
    "lgamma": 1,
    "digamma": 1,
}
COMPLEX_MATH = frozenset(
    "exp expm1 log log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sqrt rsqrt pow logistic".split()
)


class Value(Protocol):
    """One element as an expression. Python's arithmetic on int64 index values is allowed."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __add__(self, other: Value | int) -> Value: ...
    def __sub__(self, other: Value | int) -> Value: ...
    def __mul__(self, other: Value | int) -> Value: ...
    def __floordiv__(self, other: int) -> Value: ...
    def __mod__(self, other: int) -> Value: ...


Index = tuple[Value, ...]


class Operand(Protocol):
    """An operand of the operation being lowered."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

    def at(self, index: Sequence[Value | int]) -> Value:
        """The element at `index`, which must lie inside the shape."""
        ...


class Definition(Protocol):
    """What a ``loops`` rule returns (a list of them for operations with several results)."""


class LoopBuilder(Protocol):
    """What an engine gives to a ``loops`` rule."""

    # --- scalar expressions
    def op(self, name: str, *operands: Value) -> Value:
        """A scalar operation of `SCALAR_OPS` or `MATH_OPS`."""
        ...

    def constant(self, value: Any, dtype: Any) -> Value: ...
    def convert(self, x: Value, dtype: Any) -> Value:
        """Numeric conversion: float to integer truncates and saturates, nan gives 0; to bool is != 0."""
        ...

    def bitcast(self, x: Value, dtype: Any) -> Value:
        """The same bits as another dtype of the same width."""
        ...

    def select(self, condition: Value, a: Value, b: Value) -> Value: ...
    def guarded(self, condition: Value, inside: Callable[[], Value], outside: Value) -> Value:
        """`inside()` where the condition holds; its loads happen only there (pad, concatenate)."""
        ...

    # --- definitions
    def pull(
        self,
        element: Callable[[Index], Value],
        *,
        cheap: bool = True,
        real: Operand | None = None,
    ) -> Definition:
        """The output element at an index.

        `real`: the operand whose elements are the real parts of these complex ones, in the dtype of
        the parts, where all imaginary parts are 0.
        """
        ...

    def real_parts(self, x: Operand) -> Operand | None:
        """The operand that was named as `real` when x was defined; an algorithm can spare the
        work on the imaginary parts.
        """
        ...

    def reduce(
        self,
        sources: Sequence[Operand],
        axes: Sequence[int],
        combine: str | Callable[[Sequence[Value], Sequence[Value]], Sequence[Value]],
        identities: Sequence[Any],
        element: Callable[[Index], Sequence[Value]] | None = None,
    ) -> list[Definition]:
        """Combine over `axes` of equally shaped sources.

        `combine` is "add", "mul", "max", "min", "and", "or", "xor", or a function on tuples of values
        (argmax: value and index). `element` replaces the sources' elements, given the full index.
        The order of combination is fixed by the shape alone.
        """
        ...

    def block(self, kind: str, operands: Sequence[Operand], **params: Any) -> list[Definition]:
        """A named algorithm on operands in memory: see `BLOCKS`."""
        ...


#: Algorithms that ``block`` accepts. Every engine that speaks this dialect implements all of them.
#:
#: ``contract``    lhs, rhs; contracting=((..),(..)), batch=((..),(..)), dtype (accumulator/result)
#: ``convolve``    lhs, rhs; the parameters of conv_general_dilated with its dimension numbers resolved
#: ``sort``        operands; axis, num_keys, stable: ascending by the first num_keys operands, all moved along
#:               together; nan comes last, -0.0 equals 0.0; keys are bool, integer or float (no float8 ...fnuz)
#: ``cumulate``    operand; axis, reverse, combine ("add" "mul" "max" "min" "logaddexp")
#: ``scatter``     operand, indices, updates; dimension_numbers (ScatterDimensionNumbers), slice_sizes (of each axis
#:               of the operand), combine ("add" "mul" "min" "max", None: the last update stays), drop (leave out
#:               slices that do not lie inside; else clamp their start indices), sorted, unique
#: ``update_slice`` operand, update, *starts (any integer dtypes; clamped here so that the update lies inside)
#: ``random_bits`` key (two uint32), shape, width: threefry2x32 counters in the partitionable layout
#: ``window``      operand; combine ("add" "max" "min"), identity, window, strides, padding, base_dilation,
#:               window_dilation, each with one entry for each axis
#: ``library``     operands; name of a routine of the native core ("vires_" before it), args (static integers);
#:               it gives 0, or 1 when there is no memory for its work
#: ``host``        operands; function (NumPy arrays -> NumPy arrays), outs (avals), reason: runs under the GIL
#: ``call``        operands; jaxpr: a closed program, inlined
#: ``branch``      index, operands; branches: list of closed programs
#: ``while``       operands; cond, body (closed programs), cond_consts, body_consts: counts
#: ``scan``        operands (consts, init, xs); body, length, reverse, num_consts, num_carry, unroll
#: ``check``       x, condition (bool), shown (int64, same shape as condition); failure: the result is x, after all of
#:               condition has been seen to be true; else failure.error(position, shown) is raised for the first
#:               false element: its row-major position and its element of shown
BLOCKS = frozenset(
    "contract convolve sort cumulate scatter update_slice random_bits window library host call branch while "
    "scan check".split()
)
