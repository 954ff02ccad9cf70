"""The text of one function in SSA form: values, constants and blocks.

Pure instructions are hash-consed by their text, so that asking twice for the same value gives the
same name. The table is emptied at each label that the caller places.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from vires.engine.llvm.kinds import BOOL, FLOAT32, FLOAT64, INT64, Kind, signed, unsigned
from vires.engine.llvm.straight import cut

_pack_double = struct.Struct("<d").pack
_pack_float = struct.Struct("<f")
_unpack_bits = struct.Struct("<Q").unpack


_LARGE = 1 << 62
_FOLDS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}


def _folded(instruction: str, x: int, y: int) -> int | None:
    """The result of arithmetic on two numbers, where it is small."""
    fold = _FOLDS.get(instruction)
    result = fold(x, y) if fold is not None else _LARGE
    return result if abs(result) < _LARGE else None


class Val:
    """An SSA value or constant: a scalar (`lanes` 1) or a vector of a dtype."""

    __slots__ = ("code", "kind", "lanes", "name")

    def __init__(self, code: Builder, name: str, kind: Kind, lanes: int) -> None:
        self.code = code
        self.name = name
        self.kind = kind
        self.lanes = lanes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.kind.dtype

    @property
    def type(self) -> str:
        """The LLVM type."""
        return self.kind.type(self.lanes)

    @property
    def typed(self) -> str:
        """Type and name, as an operand is written."""
        return f"{self.kind.type(self.lanes)} {self.name}"

    def __repr__(self) -> str:
        return f"Val({self.typed})"

    def binary(self, instruction: str, other: Val | float) -> Val:
        """A two-operand instruction; a Python number becomes a constant."""
        code, kind, lanes = self.code, self.kind, self.lanes
        if not isinstance(other, Val):
            other = code.number(other, kind, lanes)
        if kind is INT64 and self.name.isdigit() and other.name.isdigit():
            folded = _folded(instruction, int(self.name), int(other.name))
            if folded is not None:
                return Val(code, str(folded), kind, 1)
        return code.value(
            f"{instruction} {kind.type(lanes)} {self.name}, {other.name}", kind, lanes
        )

    def compare(self, predicate: str, other: Val | float) -> Val:
        """A comparison: `oeq une olt ...` of floats, `eq ne slt ult ...` of integers."""
        code, kind, lanes = self.code, self.kind, self.lanes
        if not isinstance(other, Val):
            other = code.number(other, kind, lanes)
        instruction = "fcmp" if kind.group == "f" else "icmp"
        text = f"{instruction} {predicate} {kind.type(lanes)} {self.name}, {other.name}"
        return code.value(text, BOOL, lanes)

    def __add__(self, other: Val | float) -> Val:
        return self.binary("fadd" if self.kind.group == "f" else "add", other)

    def __sub__(self, other: Val | float) -> Val:
        return self.binary("fsub" if self.kind.group == "f" else "sub", other)

    def __mul__(self, other: Val | float) -> Val:
        return self.binary("fmul" if self.kind.group == "f" else "mul", other)

    def __truediv__(self, other: Val | float) -> Val:
        return self.binary("fdiv", other)

    def __rsub__(self, other: float) -> Val:
        return self.code.number(other, self.kind, self.lanes) - self

    def __rtruediv__(self, other: float) -> Val:
        return self.code.number(other, self.kind, self.lanes) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Val:
        if self.kind.group == "f":
            return self.code.value(f"fneg {self.typed}", self.kind, self.lanes)
        return 0 - self

    def __and__(self, other: Val | int) -> Val:
        return self.binary("and", other)

    def __or__(self, other: Val | int) -> Val:
        return self.binary("or", other)

    def __xor__(self, other: Val | int) -> Val:
        return self.binary("xor", other)

    def __invert__(self) -> Val:
        return self.binary("xor", -1)

    def __lshift__(self, other: Val | int) -> Val:
        return self.binary("shl", other)

    def __rshift__(self, other: Val | int) -> Val:
        """Arithmetic for signed integers, logical for unsigned ones."""
        return self.binary("ashr" if self.kind.group == "i" else "lshr", other)

    def _ordered(self, relation: str, other: Val | float) -> Val:
        prefix = {"f": "o", "i": "s"}.get(self.kind.group, "u")
        return self.compare(prefix + relation, other)

    def __lt__(self, other: Val | float) -> Val:
        return self._ordered("lt", other)

    def __le__(self, other: Val | float) -> Val:
        return self._ordered("le", other)

    def __gt__(self, other: Val | float) -> Val:
        return self._ordered("gt", other)

    def __ge__(self, other: Val | float) -> Val:
        return self._ordered("ge", other)


def integer_constant(x: Val) -> int | None:
    """The number that an integer is in every lane, where the text says it."""
    name = x.name
    if name.startswith("splat ("):
        name = name[name.rindex(" ") + 1 : -1]
    return int(name) if name.lstrip("-").isdigit() else None


class ComplexVal(Val):
    """A complex value: its real and imaginary parts."""

    __slots__ = ("im", "re")

    def __init__(self, kind: Kind, re_part: Val, im_part: Val) -> None:
        super().__init__(re_part.code, "", kind, re_part.lanes)
        self.re = re_part
        self.im = im_part

    @property
    def typed(self) -> str:
        raise TypeError("complex value: needs its parts `re` and `im` in instructions")


def float_literal(value: float, kind: Kind) -> str:
    """LLVM's spelling of a float or double constant: the bits of the value as a double."""
    if kind is FLOAT32 and value == value and abs(value) != float("inf"):
        value = _pack_float.unpack(_pack_float.pack(value))[0]
    return f"0x{_unpack_bits(_pack_double(value))[0]:016X}"


class Builder:
    """Collects the instructions of one function. `Code` adds the operations of the dialect."""

    def __init__(self, features: str, prefix: str = "v") -> None:
        self.features = features
        self.prefix = prefix
        self.lines: list[str] = []
        #: The label of the block being written, as a phi names it.
        self.block = "entry"
        #: Functions and constants that the module needs, by name.
        self.helpers: dict[str, str] = {}
        self._count = 0
        self._known: dict[str, str] = {}
        self.fragments: dict[Hashable, Any] = {}
        #: Whether elementary functions are calls of the library's (`math_library.py`), and which.
        self.outlined = False
        self.shared: set[str] = set()

    def has(self, feature: str) -> bool:
        """Whether the target processor has an LLVM feature."""
        return f"+{feature}," in self.features

    # --- instructions

    def emit(self, text: str) -> None:
        """A line with an effect and no result (a store, say), or any other text."""
        self.lines.append("  " + text)

    def fresh(self) -> str:
        """A new register name, with its percent sign."""
        self._count += 1
        return f"%{self.prefix}{self._count}"

    def value(self, text: str, kind: Kind, lanes: int) -> Val:
        """The result of a pure instruction, the same name for the same text."""
        name = self._known.get(text)
        if name is None:
            self._count += 1
            name = self._known[text] = f"%{self.prefix}{self._count}"
            self.lines.append(f"  {name} = {text}")
        return Val(self, name, kind, lanes)

    def impure(self, text: str, kind: Kind, lanes: int) -> Val:
        """The result of an instruction that must not be shared (a load, a phi)."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Val(self, name, kind, lanes)

    def call(self, function: str, kind: Kind, lanes: int, *operands: Val | str) -> Val:
        """A call of a pure function."""
        listed = ", ".join(x if isinstance(x, str) else x.typed for x in operands)
        return self.value(f"call {kind.type(lanes)} @{function}({listed})", kind, lanes)

    def intrinsic(self, name: str, *operands: Val) -> Val:
        """A call of an `llvm.` intrinsic whose operands and result have one type."""
        first = operands[0]
        suffix = first.kind.suffix(first.lanes)
        return self.call(f"llvm.{name}.{suffix}", first.kind, first.lanes, *operands)

    # --- constants

    def number(self, value: float, kind: Kind, lanes: int = 1) -> Val:
        """A constant of a bool, integer, float or double kind from a Python number."""
        group = kind.group
        if group == "f":
            literal = float_literal(value, kind)
        elif group == "b":
            literal = "true" if value else "false"
        else:
            literal = str(int(value))
        return self.splat_literal(literal, kind, lanes)

    def splat_literal(self, literal: str, kind: Kind, lanes: int) -> Val:
        """A constant given in LLVM's spelling, in every lane."""
        if lanes > 1:
            literal = f"splat ({kind.scalar} {literal})"
        return Val(self, literal, kind, lanes)

    def splat(self, x: Val, lanes: int) -> Val:
        """A scalar in every lane."""
        if x.lanes == lanes:
            return x
        if isinstance(x, ComplexVal):
            return ComplexVal(x.kind, self.splat(x.re, lanes), self.splat(x.im, lanes))
        if x.lanes != 1:
            raise ValueError(f"splat: needs 1 or {lanes} lanes; got {x.lanes}")
        if not x.name.startswith(("%", "$")):
            return self.splat_literal(x.name, x.kind, lanes)
        vector = x.kind.type(lanes)
        one = self.value(f"insertelement {vector} poison, {x.typed}, i64 0", x.kind, lanes)
        text = f"shufflevector {one.typed}, {vector} poison, <{lanes} x i32> zeroinitializer"
        return self.value(text, x.kind, lanes)

    # --- what elementary functions are made of

    def fma(self, a: Val, b: Val | float, c: Val | float) -> Val:
        """a * b + c, rounded once."""
        if not isinstance(b, Val):
            b = self.number(b, a.kind, a.lanes)
        if not isinstance(c, Val):
            c = self.number(c, a.kind, a.lanes)
        return self.intrinsic("fma", a, b, c)

    def polynomial(self, x: Val, coefficients: Sequence[float]) -> Val:
        """Horner's rule; the constant term comes first."""
        *others, last = coefficients
        result = self.number(last, x.kind, x.lanes)
        for coefficient in reversed(others):
            result = self.fma(result, x, coefficient)
        return result

    def fabs(self, x: Val) -> Val:
        """The absolute value of a float."""
        return self.intrinsic("fabs", x)

    def select(self, condition: Val, a: Val | float, b: Val | float) -> Val:
        """`a` where the condition holds, else `b`; at most one of them may be a Python number."""
        model = cast(Val, a if isinstance(a, Val) else b)
        if isinstance(model, ComplexVal):
            first, second = cast(ComplexVal, a), cast(ComplexVal, b)
            real = self.select(condition, first.re, second.re)
            return ComplexVal(model.kind, real, self.select(condition, first.im, second.im))
        if not isinstance(a, Val):
            a = self.number(a, model.kind, model.lanes)
        if not isinstance(b, Val):
            b = self.number(b, model.kind, model.lanes)
        text = f"select {condition.typed}, {a.typed}, {b.typed}"
        return self.value(text, model.kind, model.lanes)

    def smaller(self, a: Val, b: Val) -> Val:
        """The smaller of two sizes. No intrinsic: hurried code has no quick way to select that."""
        return self.select(a.compare("slt", b), a, b)

    def bits(self, x: Val) -> Val:
        """A float's bits as a signed integer."""
        kind = signed(x.kind.size)
        return self.value(f"bitcast {x.typed} to {kind.type(x.lanes)}", kind, x.lanes)

    def from_bits(self, x: Val) -> Val:
        """The float with the bits of an integer."""
        kind = FLOAT32 if x.kind.size == 4 else FLOAT64
        return self.value(f"bitcast {x.typed} to {kind.type(x.lanes)}", kind, x.lanes)

    def cast(self, instruction: str, x: Val, kind: Kind) -> Val:
        """A conversion instruction: `sext fptosi fpext ...`."""
        text = f"{instruction} {x.typed} to {kind.type(x.lanes)}"
        return self.value(text, kind, x.lanes)

    def as_unsigned(self, x: Val) -> Val:
        """The same register seen as an unsigned integer (for shifts and comparisons)."""
        return Val(self, x.name, unsigned(x.kind.size), x.lanes)

    def as_signed(self, x: Val) -> Val:
        """The same register seen as a signed integer."""
        return Val(self, x.name, signed(x.kind.size), x.lanes)

    def extract(self, x: Val, lane: int | Val) -> Val:
        """One lane of a vector."""
        if x.lanes == 1:
            return x
        index = lane.typed if isinstance(lane, Val) else f"i64 {lane}"
        return self.value(f"extractelement {x.typed}, {index}", x.kind, 1)

    def any_lane(self, condition: Val) -> Val:
        """Whether the condition holds in some lane."""
        return self._lanes_are(condition, "ne", 0)

    def all_lanes(self, condition: Val) -> Val:
        """Whether the condition holds in every lane."""
        return self._lanes_are(condition, "eq", -1)

    def _lanes_are(self, condition: Val, relation: str, bits: int) -> Val:
        lanes = condition.lanes
        if lanes == 1:
            return condition
        integer = self.value(f"bitcast {condition.typed} to i{lanes}", BOOL, lanes)
        return self.value(f"icmp {relation} i{lanes} {integer.name}, {bits}", BOOL, 1)

    # --- blocks

    def fresh_prefix(self) -> str:
        """A prefix that no other name of the function has."""
        self._count += 1
        return f"{self.prefix}{self._count}."

    def fresh_label(self, hint: str = "block") -> str:
        """A label that no other block of the function has."""
        self._count += 1
        return f"{self.prefix}{self._count}.{hint}"

    def label(self, name: str) -> None:
        """Start a block. Values found so far are not reused in it."""
        self._known.clear()
        self.fragments.clear()
        self._start_block(name)

    def _start_block(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def br(self, label: str) -> None:
        """Go to a block."""
        self.lines.append(f"  br label %{label}")

    def cond_br(self, condition: Val, then: str, otherwise: str) -> None:
        """Go to one of two blocks."""
        self.lines.append(f"  br {condition.typed}, label %{then}, label %{otherwise}")

    def where_rare(self, condition: Val, usual: Val, rare: Callable[[], Val]) -> Val:
        """`rare()` where the condition holds, else `usual`; skips `rare` if no lane needs it."""
        before, slow, join = self.block, self.fresh_label("rare"), self.fresh_label("join")
        any_lane = self.any_lane(condition)
        self.emit(f"br {any_lane.typed}, label %{slow}, label %{join}, !prof !0")
        known, fragments = dict(self._known), dict(self.fragments)
        self._start_block(slow)
        mixed = self.select(condition, rare(), usual)
        after = self.block
        self.br(join)
        self._known, self.fragments = known, fragments
        self._start_block(join)
        text = f"phi {usual.type} [ {usual.name}, %{before} ], [ {mixed.name}, %{after} ]"
        return self.impure(text, usual.kind, usual.lanes)

    def each_lane(self, function: str, kind: Kind, *operands: Val) -> Val:
        """A call of a scalar function for each lane in turn, in a loop."""
        lanes = operands[0].lanes
        if lanes == 1:
            return self.call(function, kind, 1, *operands)
        before, loop, done = self.block, self.fresh_label("lane"), self.fresh_label("lanes")
        self.br(loop)
        self._start_block(loop)
        index, following, result, filled = (self.fresh() for _ in range(4))
        vector = kind.type(lanes)
        self.emit(f"{index} = phi i64 [ 0, %{before} ], [ {following}, %{loop} ]")
        self.emit(f"{result} = phi {vector} [ poison, %{before} ], [ {filled}, %{loop} ]")
        lane = Val(self, index, INT64, 1)
        answer = self.call(function, kind, 1, *[self.extract(x, lane) for x in operands])
        self.emit(f"{filled} = insertelement {vector} {result}, {answer.typed}, i64 {index}")
        self.emit(f"{following} = add i64 {index}, 1")
        more = self.value(f"icmp ne i64 {following}, {lanes}", BOOL, 1)
        self.cond_br(more, loop, done)
        self._start_block(done)
        return Val(self, filled, kind, lanes)

    def helper(self, name: str, kinds: Sequence[Kind], build: Callable[..., Val]) -> str:
        """A scalar function in the module, built when first asked for; returns its name."""
        if name not in self.helpers:
            inner = type(self)(self.features)
            operands = [Val(inner, f"%a{i}", kind, 1) for i, kind in enumerate(kinds)]
            result = build(inner, *operands)
            listed = ", ".join(x.typed for x in operands)
            head = f"define internal {result.type} @{name}({listed}) noinline nounwind {{\nentry:"
            self.helpers.update(inner.helpers)
            self.helpers[name] = "\n".join([head, *inner.lines, f"  ret {result.typed}", "}"])
        return name

    def table(self, name: str, kind: Kind, values: Sequence[int]) -> str:
        """A constant array in the module; returns its name, with its at sign."""
        if name not in self.helpers:
            listed = ", ".join(f"{kind.scalar} {value}" for value in values)
            array = f"[{len(values)} x {kind.scalar}] [{listed}]"
            self.helpers[name] = f"@{name} = private unnamed_addr constant {array}, align 64"
        return f"@{name}"

    def define(
        self, name: str, parameters: Sequence[str], result: str = "void", attributes: str = ""
    ) -> str:
        """The text of the function; parameters are written as ``"ptr noalias %x"``."""
        head = f"define {result} @{name}({', '.join(parameters)}) nounwind {attributes}{{"
        return "\n".join([head, "entry:", *cut(self.lines), "}", ""])


def module(functions: Iterable[str], codes: Iterable[Builder]) -> str:
    """The text of a module: the functions and all that their codes need."""
    return with_helpers(functions, helpers_of(codes))


def helpers_of(codes: Iterable[Builder]) -> dict[str, str]:
    """What functions with these codes need, by name."""
    helpers: dict[str, str] = {}
    for code in codes:
        helpers |= code.helpers
    return helpers


def with_helpers(functions: Iterable[str], helpers: Mapping[str, str]) -> str:
    """The text of a module: functions, and what they need."""
    # A branch that is rarely taken, for the register allocator.
    weights = '!0 = !{!"branch_weights", i32 1, i32 4000}'
    return "\n".join([*helpers.values(), *functions, weights, ""])
