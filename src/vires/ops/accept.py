"""Which dtypes operations accept, and how messages name operands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.errors import ViresTypeError


class DtypeSet(frozenset[Any]):
    """Dtypes that an operation accepts; `needs` says them in a message, `advice` what to try."""

    needs: str
    advice: str

    def __new__(cls, needs: str, advice: str, members: Iterable[DType]) -> DtypeSet:
        self = super().__new__(cls, members)
        self.needs = needs
        self.advice = advice
        return self


def _having(kinds: str) -> list[DType]:
    wanted = kinds.split()
    return [dtype for dtype in dtypes.CODES if dtypes.kind(dtype) in wanted]


_TO_FLOAT = "x.astype(float32)"
FLOAT = DtypeSet("a float dtype", _TO_FLOAT, _having("float"))
COMPLEX = DtypeSet("a complex dtype", "x.astype(complex64)", _having("complex"))
INEXACT = DtypeSet("a float or complex dtype", _TO_FLOAT, _having("float complex"))
INTEGER = DtypeSet("an integer dtype", "x.astype(int32)", _having("signed unsigned"))
BYTES = DtypeSet(
    "an integer dtype of whole bytes",
    "x.astype(int32)",
    [dtype for dtype in INTEGER if dtype not in dtypes.PACKED_BITS],
)
BOOL_OR_INTEGER = DtypeSet(
    "a bool or integer dtype", "x.astype(int32)", _having("bool signed unsigned")
)
REAL = DtypeSet("an integer or float dtype", _TO_FLOAT, _having("signed unsigned float"))
BOOL_OR_REAL = DtypeSet(
    "a bool, integer or float dtype", "x.real", _having("bool signed unsigned float")
)
NUMBER = DtypeSet(
    "an integer, float or complex dtype",
    "x.astype(int32)",
    _having("signed unsigned float complex"),
)
BOOL_OR_NUMBER = DtypeSet(
    "a bool, integer, float or complex dtype",
    "vires.random.key_data",
    _having("bool signed unsigned float complex"),
)
ANY = DtypeSet("a bool, number or key dtype", "x.astype(float32)", dtypes.CODES)


def typed(aval: ShapedArray) -> str:
    """`float32[3,4]`: how messages name an operand."""
    return f"{aval.dtype.name}[{','.join(map(str, aval.shape))}]"


def typed_all(avals: Iterable[ShapedArray]) -> str:
    """`float32[3], float32[3] and int32[3]`."""
    names = [typed(aval) for aval in avals]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def refuse(
    name: str,
    needs: str,
    got: str,
    advice: str = "",
    error: Callable[[str], Exception] = ViresTypeError,
) -> Exception:
    """The error to raise for an operation that cannot take what it got."""
    return error(f"{name}: needs {needs}; got {got}{f'; try {advice}' if advice else ''}")


def check_dtype(name: str, aval: ShapedArray, accepts: DtypeSet) -> None:
    """Raise unless the operand's dtype is one of `accepts`."""
    if aval.dtype not in accepts:
        raise refuse(name, accepts.needs, typed(aval), accepts.advice)


def _conversion_advice(avals: tuple[ShapedArray, ...]) -> str:
    if any(dtypes.is_key(aval.dtype) for aval in avals):
        return "vires.random.key_data"
    try:
        wide, _ = dtypes.promote(*((aval.dtype, False) for aval in avals))
    except TypeError:
        return "x.astype(...)"
    return f"x.astype({wide.name})"


def check_one_type(name: str, avals: tuple[ShapedArray, ...]) -> None:
    """Raise unless all operands have one dtype and one shape."""
    if any(aval.dtype != avals[0].dtype for aval in avals):
        raise refuse(name, "operands of one dtype", typed_all(avals), _conversion_advice(avals))
    if any(aval.shape != avals[0].shape for aval in avals):
        raise refuse(
            name,
            "operands of one shape",
            typed_all(avals),
            "vires.numpy, whose functions broadcast, or lax.broadcast_in_dim",
        )
