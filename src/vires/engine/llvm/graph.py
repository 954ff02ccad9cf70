"""The graph that builds expressions: each once, simplified where the result is the same bits.

Index arithmetic is kept in normal form, a constant plus integer multiples of *atoms* (loop
variables, floor divisions, values from memory), each with a known range. So a reshape of a reshape
is a plain offset, and a comparison that holds for the whole loop is `True`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Any, ClassVar

import numpy as np

from vires.core import dtypes
from vires.engine.llvm.expressions import (
    BOOL,
    INT64,
    Expr,
    Index,
    LoopVar,
    Range,
    Terms,
    canonical,
)

#: Operations whose result is a bool whatever the operands are.
PREDICATES = frozenset(
    [
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "eq_to",
        "le_to",
        "lt_to",
        "is_finite",
        "is_nan",
        "is_inf",
        "sign_bit",
    ]
)
_REAL_PARTS = frozenset(("real", "imag", "abs"))
_UNKNOWN = (-(1 << 63), (1 << 63) - 1)
#: Gives the simpler expression of an operation's operands, or None: (graph, *operands).
Rule = Callable[..., Expr | None]


class Graph:
    """The expressions of one program. `rules` simplify operations as they are built (see
    `simplify`).
    """

    rules: ClassVar[dict[str, Rule]] = {}

    def __init__(self) -> None:
        self.count = 0
        self._known: dict[Any, Expr] = {}
        self._indices: dict[tuple[int, Terms], Index] = {}
        self._constants: dict[Any, Expr] = {}
        self._variables = 0
        #: The condition under which the values being built are needed (see `guarded`).
        self.guard: Expr | None = None

    # --- atoms

    def variable(self, size: int) -> LoopVar:
        """A new loop variable."""
        self._variables += 1
        return LoopVar(self, size, self._variables - 1)

    def argument(self, dtype: Any) -> Expr:
        """A value that is given from outside (to a function that combines two values)."""
        return Expr(self, "argument", (), canonical(dtype))

    def restart_variables(self) -> None:
        """Number loop variables from 0 again (in a new kernel, which shares no expression)."""
        self._variables = 0
        self._known.clear()
        self._indices.clear()
        self.guard = None

    def node(
        self,
        op: str,
        args: tuple[Expr, ...],
        dtype: Any,
        attr: Any = None,
        span: Range | None = None,
    ) -> Expr:
        """The expression with these parts."""
        key = (op, args, dtype, attr)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Expr(self, op, args, dtype, attr, span)
        return found

    def constant(self, value: Any, dtype: Any) -> Expr:
        """A constant; `value` is a Python or NumPy number, rounded as NumPy rounds."""
        key = (value.__class__, value, dtype)
        # 0.0 and -0.0 are equal keys, nan is none.
        if value == 0 or value != value:
            key = (value.__class__, str(value), dtype)
        found = self._constants.get(key)
        if found is None:
            dtype = canonical(dtype)
            if value.__class__ is not int or dtype.kind not in "iu":
                value = _scalar(value, dtype)
            elif not holds(dtype, (value, value)):
                value = int(np.array(value & (1 << 64) - 1, np.uint64).astype(dtype))
            span = (value, value) if dtype.kind in "iu" else None
            same = (dtype, value if span is not None else np.asarray(value, dtype).tobytes())
            found = self._constants.get(same)
            if found is None:
                found = self._constants[same] = Expr(self, "const", (), dtype, value, span)
            self._constants[key] = found
        return found

    def load(self, buffer: Any, offset: Index, dtype: Any) -> Expr:
        """An element of a buffer, read only where the present guard holds."""
        guard = self.guard
        span = _dtype_range(dtype)
        return self.node(
            "load", (offset,) if guard is None else (offset, guard), dtype, buffer, span
        )

    # --- index arithmetic

    def as_index(self, x: Expr | int) -> Index:
        if isinstance(x, Index):
            return x
        if not isinstance(x, Expr):
            return self.index(int(x), ())
        if x.op == "const":
            return self.index(x.attr, ())
        if x.op == "convert" and x.dtype is INT64 and x.args[0].dtype is INT64:
            return self.as_index(x.args[0])
        return self.index(0, ((x, 1),))

    def index(self, const: int, terms: Terms) -> Index:
        key = (const, terms)
        found = self._indices.get(key)
        if found is None:
            found = self._indices[key] = Index(self, const, terms)
        return found

    def index_sum(self, a: Expr, b: Expr | int, sign: int) -> Index:
        """a + sign b."""
        x = a if isinstance(a, Index) else self.as_index(a)
        if isinstance(b, int):
            return self.index(x.const + sign * b, x.terms)
        y = b if isinstance(b, Index) else self.as_index(b)
        if not y.terms:
            return self.index(x.const + sign * y.const, x.terms)
        sums = dict(x.terms)
        for atom, factor in y.terms:
            sums[atom] = sums.get(atom, 0) + sign * factor
        terms = [term for term in sums.items() if term[1]]
        if len(terms) > 1:
            terms.sort(key=_term_number)
        return self.index(x.const + sign * y.const, tuple(terms))

    def index_product(self, a: Expr, b: Expr | int) -> Index:
        x, y = self.as_index(a), self.as_index(b)
        if not x.terms:
            x, y = y, x
        if y.terms:
            return self.as_index(self.node("mul", (x, y), INT64, None, _product(x.range, y.range)))
        k = y.const
        if k == 1:
            return x
        return self.index(x.const * k, tuple([(atom, f * k) for atom, f in x.terms]) if k else ())

    def floor_divide(self, x: Index, divisor: int) -> Index:
        """The quotient rounded down; the divisor is positive."""
        if divisor == 1:
            return x
        low, high = x.range or _UNKNOWN
        if low // divisor == high // divisor:
            return self.index(low // divisor, ())
        whole = tuple([(atom, f // divisor) for atom, f in x.terms if f % divisor == 0])
        parts = tuple([term for term in x.terms if term[1] % divisor])
        const, left = divmod(x.const, divisor)
        rest = self.index(left, parts)
        quotient = self.index(const, whole)
        low, high = rest.range or _UNKNOWN
        if low // divisor == high // divisor:
            return quotient + low // divisor
        common = gcd(divisor, *[f for _, f in parts])
        if common > 1:
            smaller = self.index(left // common, tuple([(atom, f // common) for atom, f in parts]))
            return quotient + self.floor_divide(smaller, divisor // common)
        if not left and len(parts) == 1 and parts[0][1] == 1 and parts[0][0].op == "floordiv":
            inner = parts[0][0]
            return quotient + self.floor_divide(self.as_index(inner.args[0]), inner.attr * divisor)
        atom = self.node("floordiv", (rest,), INT64, divisor, (low // divisor, high // divisor))
        return quotient + self.index(0, ((atom, 1),))

    def index_range(self, const: int, terms: Terms) -> Range | None:
        low = high = const
        for position, (atom, factor) in enumerate(terms):
            if atom.op == "floordiv" and factor < 0 and factor % atom.attr == 0:
                found = self._remainder_range(const, terms, position)
                if found is not None:
                    return found
            if atom.range is None:
                return None
            if factor > 0:
                low, high = low + factor * atom.range[0], high + factor * atom.range[1]
            else:
                low, high = low + factor * atom.range[1], high + factor * atom.range[0]
        return low, high

    def _remainder_range(self, const: int, terms: Terms, position: int) -> Range | None:
        """The range of a sum that holds k (y - c (y // c)), which lies between 0 and k (c - 1)."""
        atom, factor = terms[position]
        inner, divisor = self.as_index(atom.args[0]), atom.attr
        scale = -factor // divisor
        left = {a: f for i, (a, f) in enumerate(terms) if i != position}
        for a, f in inner.terms:
            if left.get(a, 0) != scale * f:
                return None
            del left[a]
        rest = self.index(const - scale * inner.const, tuple(left.items())).range
        return None if rest is None else (rest[0], rest[1] + scale * (divisor - 1))

    # --- operations

    def op(self, name: str, *operands: Expr) -> Expr:
        """An operation of the dialect, simplified where the result is the same bits."""
        rule = self.rules.get(name)
        if rule is not None:
            found = rule(self, *operands)
            if found is not None:
                return found
        if name in PREDICATES:
            dtype = BOOL
        elif name == "select":
            return self.select(*operands)
        elif name in _REAL_PARTS:
            dtype = dtypes.real_of(operands[0].dtype)
        elif name == "complex":
            dtype = dtypes.complex_of(operands[0].dtype)
        else:
            dtype = operands[0].dtype
        return self.node(name, operands, dtype)

    def convert(self, x: Expr, dtype: Any) -> Expr:
        dtype = canonical(dtype)
        if x.dtype is dtype or x.dtype == dtype:
            return x
        integers = dtypes.is_integer(dtype) if dtype.kind != "f" else False
        if x.op == "const" and x.dtype.kind in "biu":
            return self.constant(x.attr, dtype)
        if integers and x.range is not None and holds(dtype, x.range):
            inner = x.args[0] if x.op == "convert" else None
            if inner is not None and inner.range is not None and holds(x.dtype, inner.range):
                return self.convert(inner, dtype)  # int32 -> int64 -> int32: nothing was lost
            return self.node("convert", (x,), dtype, None, x.range)
        return self.node("convert", (x,), dtype, None, _converted_range(x, dtype))

    def bitcast(self, x: Expr, dtype: Any) -> Expr:
        dtype = canonical(dtype)
        return x if x.dtype == dtype else self.node("bitcast", (x,), dtype)

    def select(self, condition: Expr, a: Expr, b: Expr) -> Expr:
        if a is b:
            return a
        if condition.op == "const":
            return a if condition.attr else b
        if condition.op == "not":
            return self.select(condition.args[0], b, a)
        return self.node("select", (condition, a, b), a.dtype, None, _union(a.range, b.range))

    def guarded(self, condition: Expr, inside: Callable[[], Expr], outside: Expr) -> Expr:
        """`inside()` where the condition holds, with its loads only there."""
        if condition.op == "const":
            return inside() if condition.attr else outside
        before = self.guard
        self.guard = condition if before is None else self.op("and", before, condition)
        try:
            value = inside()
        finally:
            self.guard = before
        return self.select(condition, value, outside)


def _term_number(term: tuple[Expr, int]) -> int:
    return term[0].number


def _scalar(value: Any, dtype: Any) -> Any:
    """A constant as a Python number where that is exact."""
    with np.errstate(all="ignore"):
        array = np.asarray(value).astype(dtype)
    return array.item() if dtype.kind in "biufc" else float(array)


def _dtype_range(dtype: Any) -> Range | None:
    if dtype.kind not in "iub" or dtype.itemsize > 4:
        return None
    if dtype.kind == "b":
        return 0, 1
    bits = 8 * dtype.itemsize
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)


def _converted_range(x: Expr, dtype: Any) -> Range | None:
    """The values of an integer dtype that a conversion can give."""
    if dtype.kind not in "iu":
        return None
    span = _dtype_range(x.dtype)
    return span if span is not None and holds(dtype, span) else _dtype_range(dtype)


def holds(dtype: Any, span: Range) -> bool:
    """Whether an integer dtype has every value of a range."""
    if dtype.kind not in "iu":
        return False
    bits = 8 * dtype.itemsize
    if dtype.kind == "u":
        return span[0] >= 0 and span[1] < 1 << bits
    return -(1 << bits - 1) <= span[0] and span[1] < 1 << bits - 1


def _union(a: Range | None, b: Range | None) -> Range | None:
    return None if a is None or b is None else (min(a[0], b[0]), max(a[1], b[1]))


def _product(a: Range | None, b: Range | None) -> Range | None:
    if a is None or b is None:
        return None
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)
