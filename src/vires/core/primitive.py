"""Primitives: each operation once, with everything that is true of it.

A primitive carries its rules: `infer` (types), `reference` (a NumPy implementation, the oracle),
`jvp`, `transpose`, `batch`, and its lowering `loops`. A rule that does not exist is declared absent
with the reason: `jvp=Undefined("integer valued")`. A missing rule fails at import, since every rule
is a required argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vires._native import Operation
from vires.core.avals import ShapedArray


class Undefined:
    """Stands for a rule that an operation does not have, and says why."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __call__(self, *args: Any, **params: Any) -> Any:
        raise TypeError(self.reason)

    def __repr__(self) -> str:
        return f"Undefined({self.reason!r})"


class Zero:
    """A tangent or cotangent known to be zero, without an array for it."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"Zero({self.aval.str_short()})"


class LinearOperand:
    """In a transpose rule, an operand in which the operation is linear: only its type is known."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype


class AxisData:
    """The axis over which a function is mapped."""

    __slots__ = ("name", "size")

    def __init__(self, name: Any, size: int) -> None:
        self.name = name
        self.size = size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AxisData) and (self.name, self.size) == (other.name, other.size)

    def __hash__(self) -> int:
        return hash((self.name, self.size))


class Primitive(Operation):
    """An operation of the language.

    Rules (results are one value, or a list when `multiple_results`):

    * ``infer(*avals, **params) -> aval`` checks types and raises the user's error.
    * ``reference(*arrays, **params) -> array`` on NumPy arrays (random keys as uint64).
    * ``jvp(primals, tangents, **params) -> (result, tangent)``: each tangent an array or `Zero`;
      may return `Zero`.
    * ``transpose(ct, *operands, **params) -> [ct or None, ...]``: operands are values or
      `LinearOperand`; one cotangent (or None or `Zero`) for each operand; never called with a
      `Zero` ct (with several results, some may be).
    * ``batch(axis, operands, dims, **params) -> (result, dim)``: each dim an int or None, at least
      one an int.
    * ``loops(b, *operands, **params) -> definition``: see `vires.dialect.loops`.
    * ``linearize(nonzeros, operands, **params) -> (results, out_nonzeros, residuals,
      tangent_function)``: only for primitives that hold programs (see `vires.control`); by default
      linearisation follows from ``jvp``.
    * ``dce(used, eqn) -> (eqn or None, used operands)``: drops results that nothing uses.
    * ``partial(unknown, operands, **params) -> None or (known results, operands, params,
      numbers)``: computes what follows from known operands (None for the other results), and says
      which operation gives the others, as which results.

    An `effectful` one runs even if nothing uses its results. `bind`, or a call, hands the operation
    to the current interpreter.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        *,
        infer: Callable[..., Any],
        reference: Callable[..., Any] | Undefined,
        jvp: Callable[..., Any] | Undefined,
        transpose: Callable[..., Any] | Undefined,
        batch: Callable[..., Any] | Undefined,
        loops: Callable[..., Any] | Undefined,
        multiple_results: bool = False,
        linearize: Callable[..., Any] | None = None,
        dce: Callable[..., Any] | None = None,
        partial: Callable[..., Any] | None = None,
        effectful: bool = False,
    ) -> None:
        if name in PRIMITIVES:
            raise ValueError(
                f"Primitive: needs a new name; got {name!r}, which is declared already"
            )
        self.name = name
        self.__doc__ = doc
        self.infer = infer
        self.reference = reference
        self.jvp = jvp
        self.transpose = transpose
        self.batch = batch
        self.loops = loops
        self.multiple_results = multiple_results
        self.linearize = linearize
        self.dce = dce
        self.partial = partial
        self.effectful = effectful
        PRIMITIVES[name] = self

    def __reduce__(self) -> tuple[Callable[[str], Primitive], tuple[str]]:
        return _named, (self.name,)  # a copy is the same: interpreters compare by identity

    def __repr__(self) -> str:
        return self.name


#: Every declared primitive by name: what the law tests run over.
PRIMITIVES: dict[str, Primitive] = {}


def _named(name: str) -> Primitive:
    return PRIMITIVES[name]


def flat_results(primitive: Primitive, results: Any) -> Sequence[Any]:
    """Results as a sequence, whatever `multiple_results` says."""
    return results if primitive.multiple_results else (results,)
