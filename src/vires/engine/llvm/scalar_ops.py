"""The scalar operations of the loop dialect on real dtypes, one function each.

Each takes the code and operands of one kind. Narrow floats come here only for what works on their
bits (`BITWISE_ON_NARROW`); for the rest they arrive as float32.
"""

from __future__ import annotations

from collections.abc import Callable

from vires.engine.llvm import half
from vires.engine.llvm.convert import repack
from vires.engine.llvm.fragments import fragment
from vires.engine.llvm.kinds import BOOL, FLOAT32, FLOAT64, INT64, Kind, kind_of, signed, unsigned
from vires.engine.llvm.ssa import Builder, Val, integer_constant

Emit = Callable[..., Val]


def add(code: Builder, x: Val, y: Val) -> Val:
    if x.kind is BOOL:
        return x | y
    return repack(code, x + y)


def subtract(code: Builder, x: Val, y: Val) -> Val:
    if x.kind is BOOL:
        return x ^ y
    return repack(code, x - y)


def multiply(code: Builder, x: Val, y: Val) -> Val:
    if x.kind is BOOL:
        return x & y
    return repack(code, x * y)


def divide(code: Builder, x: Val, y: Val) -> Val:
    if x.kind.group == "f":
        return x / y
    return _divide_integers(code, x, y)


@fragment
def _divide_integers(code: Builder, x: Val, y: Val) -> Val:
    by_zero = y.compare("eq", 0)
    quotient = _quotient(code, x, _safe_divisor(code, x, y, by_zero))
    all_ones = -1 if x.kind.group == "i" else x.kind.maximum
    return repack(code, code.select(by_zero, all_ones, quotient))


@fragment
def remainder(code: Builder, x: Val, y: Val) -> Val:
    if x.kind.group == "f":
        return _float_remainder(code, x, y)
    by_zero = y.compare("eq", 0)
    divisor = _safe_divisor(code, x, y, by_zero)
    if x.kind.size == 8 or x.lanes == 1:
        instruction = "srem" if x.kind.group == "i" else "urem"
        rest = x.binary(instruction, divisor)
    else:
        rest = x - _quotient(code, x, divisor) * divisor
    return code.select(by_zero, x, rest)


def _safe_divisor(code: Builder, x: Val, y: Val, by_zero: Val) -> Val:
    """1 where the division would trap: by zero, or the smallest integer by -1."""
    traps = by_zero
    if x.kind.group == "i":
        traps = traps | (x.compare("eq", x.kind.minimum) & y.compare("eq", -1))
    return code.select(traps, 1, y)


def _quotient(code: Builder, x: Val, y: Val) -> Val:
    """The truncated quotient; vectors up to 32 bits by an exact enough float division."""
    is_signed = x.kind.group == "i"
    if x.kind.size == 8 or x.lanes == 1:
        return x.binary("sdiv" if is_signed else "udiv", y)
    wide = FLOAT64 if x.kind.size == 4 else FLOAT32
    into, back = ("sitofp", "fptosi") if is_signed else ("uitofp", "fptoui")
    ratio = code.cast(into, x, wide) / code.cast(into, y, wide)
    # Through the integer of the float's width: a direct conversion to bytes is slow on some
    # targets.
    whole = code.cast(back, ratio, x.kind if x.kind.size == 4 else _widest(x.kind))
    if x.kind.size == 4:
        return whole
    return Val(code, code.cast("trunc", whole, x.kind).name, x.kind, x.lanes)


def _widest(kind: Kind) -> Kind:
    return signed(4) if kind.group == "i" else unsigned(4)


def _float_remainder(code: Builder, x: Val, y: Val) -> Val:
    function = "fmodf" if x.kind is FLOAT32 else "fmod"
    scalar = x.kind.scalar
    code.helpers[function] = f"declare {scalar} @{function}({scalar}, {scalar})"
    if x.lanes == 1:
        return code.call(function, x.kind, 1, x, y)
    # Quotients below 2 ** 22 (2 ** 51) need no library: fma gives the exact remainder.
    limit = 2.0**22 if x.kind is FLOAT32 else 2.0**51
    size, base = code.fabs(x), code.fabs(y)
    quotient = code.intrinsic("trunc", size / base)
    rest = code.fma(-quotient, base, size)
    rest = code.select(rest < 0.0, rest + base, rest)
    usual = code.intrinsic("copysign", rest, x)
    tiny = 2.0**-100 if x.kind is FLOAT32 else 2.0**-900
    is_usual = (quotient < limit) & (base > tiny) & (base < 1.0 / tiny)
    rare = is_usual ^ code.number(True, BOOL, x.lanes)
    return code.where_rare(rare, usual, lambda: code.each_lane(function, x.kind, x, y))


def negate(code: Builder, x: Val) -> Val:
    if x.kind.group == "n":
        return x ^ half.sign_mask(x.kind)
    return repack(code, -x)


def absolute(code: Builder, x: Val) -> Val:
    group = x.kind.group
    if group == "f":
        return code.fabs(x)
    if group == "n":
        return x & half.magnitude_mask(x.kind)
    if group == "i":
        return repack(code, code.select(x < 0, 0 - x, x))
    return x


def sign(code: Builder, x: Val) -> Val:
    group = x.kind.group
    if group == "f":
        unit = code.intrinsic("copysign", code.number(1.0, x.kind, x.lanes), x)
        return code.select(x.compare("one", 0.0), unit, x)
    if group == "b":
        return x
    nonzero = code.cast("zext", x.compare("ne", 0), x.kind)
    return code.select(x < 0, -1, nonzero) if group == "i" else nonzero


def _extreme(intrinsic: str, signed_name: str, unsigned_name: str, on_bool: str) -> Emit:
    def emit(code: Builder, x: Val, y: Val) -> Val:
        group = x.kind.group
        if group == "b":
            return x.binary(on_bool, y)
        names = {"f": intrinsic, "i": signed_name, "u": unsigned_name}
        return code.intrinsic(names[group], x, y)

    return emit


maximum = _extreme("maximum", "smax", "umax", "or")
minimum = _extreme("minimum", "smin", "umin", "and")


def fused_multiply_add(code: Builder, x: Val, y: Val, z: Val) -> Val:
    if x.kind.group == "f":
        return code.fma(x, y, z)
    return add(code, multiply(code, x, y), z)


def _bitwise(instruction: str) -> Emit:
    def emit(code: Builder, x: Val, y: Val) -> Val:
        return x.binary(instruction, y)

    return emit


def bitwise_not(code: Builder, x: Val) -> Val:
    if x.kind is BOOL:
        return x ^ code.number(True, BOOL, x.lanes)
    return x ^ (x.kind.maximum if x.kind.group == "u" else -1)


def _is_short(y: Val, bits: int) -> bool:
    """Whether a shift is known to be by less than the width."""
    amount = integer_constant(y)
    return amount is not None and 0 <= amount < bits


def shift_left(code: Builder, x: Val, y: Val) -> Val:
    shifted = repack(code, x.binary("shl", y))
    if _is_short(y, x.kind.bits):
        return shifted
    return code.select(y.compare("ult", x.kind.bits), shifted, 0)


def shift_right_logical(code: Builder, x: Val, y: Val) -> Val:
    bits = x & ((1 << x.kind.bits) - 1) if x.kind.is_packed else x
    shifted = repack(code, bits.binary("lshr", y))
    if _is_short(y, x.kind.bits):
        return shifted
    return code.select(y.compare("ult", x.kind.bits), shifted, 0)


def shift_right_arithmetic(code: Builder, x: Val, y: Val) -> Val:
    last = x.kind.bits - 1
    if x.kind.is_packed and x.kind.group == "u":
        # The sign bit of a packed unsigned integer is not at the top of its register.
        spare = 8 - x.kind.bits
        amount = code.select(y.compare("ult", last), y, last)
        return ((x << spare).binary("ashr", amount)).binary("lshr", spare) & x.kind.maximum
    amount = y if _is_short(y, last + 1) else code.select(y.compare("ult", last), y, last)
    return x.binary("ashr", amount)


def population_count(code: Builder, x: Val) -> Val:
    if x.kind.is_packed:
        x = x & ((1 << x.kind.bits) - 1)
    return code.intrinsic("ctpop", x)


def count_leading_zeros(code: Builder, x: Val) -> Val:
    spare = 8 * x.kind.size - x.kind.bits
    if spare:
        x = x & ((1 << x.kind.bits) - 1)
    suffix = x.kind.suffix(x.lanes)
    return code.call(f"llvm.ctlz.{suffix}", x.kind, x.lanes, x, "i1 false") - spare


def _comparison(on_float: str, on_integer: str) -> Emit:
    def emit(code: Builder, x: Val, y: Val) -> Val:
        if x.kind.group == "f":
            return x.compare(on_float, y)
        if on_integer in ("eq", "ne"):
            return x.compare(on_integer, y)
        return x.compare(("s" if x.kind.group == "i" else "u") + on_integer, y)

    return emit


def _total_order(relation: str) -> Emit:
    def emit(code: Builder, x: Val, y: Val) -> Val:
        if x.kind.group in "fn":
            x, y = order_key(code, x), order_key(code, y)
        if relation == "eq":
            return x.compare("eq", y)
        return x.compare(("s" if x.kind.group == "i" else "u") + relation, y)

    return emit


@fragment
def order_key(code: Builder, x: Val) -> Val:
    """A float's bits as a signed integer that sorts as the total order does."""
    bits = code.bits(x) if x.kind.group == "f" else code.as_signed(x)
    width = 8 * x.kind.size
    mask = (1 << (width - 1)) - 1
    if x.kind.group == "n" and half.sign_mask(x.kind) != 1 << (width - 1):
        unused = width - 1 - (half.sign_mask(x.kind).bit_length() - 1)
        bits = bits << unused if half.FORMATS[x.kind.name].sign else code.as_unsigned(bits)
    if x.kind.group == "n" and not half.FORMATS[x.kind.name].sign:
        return code.as_unsigned(bits)
    return bits ^ ((bits >> (width - 1)) & mask)


def _rounding(intrinsic: str) -> Emit:
    def emit(code: Builder, x: Val) -> Val:
        return code.intrinsic(intrinsic, x) if x.kind.group == "f" else x

    return emit


@fragment
def round_away(code: Builder, x: Val) -> Val:
    """Halves away from zero."""
    if x.kind.group != "f":
        return x
    whole = code.intrinsic("trunc", x)
    one = code.number(1.0, x.kind, x.lanes)
    step = code.select(code.fabs(x - whole) >= 0.5, one, 0.0)
    return code.intrinsic("copysign", code.fabs(whole) + step, x)


def is_finite(code: Builder, x: Val) -> Val:
    if x.kind.group != "f":
        return code.number(True, BOOL, x.lanes)
    return code.fabs(x) < float("inf")


def is_nan(code: Builder, x: Val) -> Val:
    if x.kind.group != "f":
        return code.number(False, BOOL, x.lanes)
    return x.compare("uno", x)


def is_infinite(code: Builder, x: Val) -> Val:
    if x.kind.group != "f":
        return code.number(False, BOOL, x.lanes)
    return code.fabs(x).compare("oeq", float("inf"))


def sign_bit(code: Builder, x: Val) -> Val:
    group = x.kind.group
    if group == "f":
        return code.bits(x) < 0
    if group == "n":
        return (x & half.sign_mask(x.kind)).compare("ne", 0)
    return x < 0 if group == "i" else code.number(False, BOOL, x.lanes)


@fragment
def next_after(code: Builder, x: Val, y: Val) -> Val:
    """The next value from x in the direction of y; y if they are equal, nan if either is."""
    narrow = x.kind.group == "n"
    a, b = (half.widen(code, x), half.widen(code, y)) if narrow else (x, y)
    bits = code.as_signed(x) if narrow else code.bits(x)
    sign_part = half.sign_mask(x.kind) if narrow else 1 << (8 * x.kind.size - 1)
    if (narrow and sign_part == 1 << (8 * x.kind.size - 1)) or not narrow:
        sign_part = -(1 << (8 * x.kind.size - 1))
    # Away from zero the magnitude grows by one, towards it it shrinks.
    away = code.select(a < b, a > 0.0, a < 0.0)
    step = code.select(away, 1, code.number(-1, bits.kind, bits.lanes))
    moved = bits + step
    from_zero = code.select(b < 0.0, sign_part + 1, code.number(1, bits.kind, bits.lanes))
    moved = code.select(a.compare("oeq", 0.0), from_zero, moved)
    result = Val(code, moved.name, x.kind, x.lanes) if narrow else code.from_bits(moved)
    result = code.select(a.compare("oeq", b), y, result)
    nan = code.fabs(a) + code.fabs(b)
    if narrow:
        nan = half.narrow(code, nan, x.kind)
    return code.select(a.compare("uno", b), nan, result)


@fragment
def copy_sign(code: Builder, x: Val, y: Val) -> Val:
    if x.kind.group == "f":
        return code.intrinsic("copysign", x, y)
    if x.kind.group == "n":
        return (x & half.magnitude_mask(x.kind)) | (y & half.sign_mask(x.kind))
    size = absolute(code, x)
    return code.select(y < 0, 0 - size, size) if x.kind.group == "i" else x


def square_root(code: Builder, x: Val) -> Val:
    return code.intrinsic("sqrt", x)


@fragment
def multiply_high(code: Builder, x: Val, y: Val) -> Val:
    """The upper half of the product."""
    kind, width = x.kind, 8 * x.kind.size
    is_signed = kind.group == "i"
    if kind.size < 8:
        double = kind_of(f"{'' if is_signed else 'u'}int{2 * width}")
        extend = "sext" if is_signed else "zext"
        product = code.cast(extend, x, double) * code.cast(extend, y, double)
        high = product >> kind.bits
        return repack(code, code.cast("trunc", high, kind))
    a, b = code.as_unsigned(x), code.as_unsigned(y)
    low_mask = 0xFFFFFFFF
    a_low, a_high, b_low, b_high = a & low_mask, a >> 32, b & low_mask, b >> 32
    middle = a_high * b_low + ((a_low * b_low) >> 32)
    other = a_low * b_high + (middle & low_mask)
    high = a_high * b_high + (middle >> 32) + (other >> 32)
    if is_signed:
        high = high - code.select(x < 0, b, 0) - code.select(y < 0, a, 0)
    return Val(code, high.name, kind, x.lanes)


def keep(code: Builder, x: Val) -> Val:
    return x


def zero_like(code: Builder, x: Val) -> Val:
    return code.number(0, INT64 if x.kind is BOOL else x.kind, x.lanes)


REAL_OPS: dict[str, Emit] = {
    "add": add, "sub": subtract, "mul": multiply, "div": divide, "rem": remainder,
    "neg": negate, "abs": absolute, "sign": sign, "max": maximum, "min": minimum,
    "fma": fused_multiply_add,
    "and": _bitwise("and"), "or": _bitwise("or"), "xor": _bitwise("xor"), "not": bitwise_not,
    "shift_left": shift_left, "shift_right_logical": shift_right_logical,
    "shift_right_arithmetic": shift_right_arithmetic,
    "population_count": population_count, "clz": count_leading_zeros,
    "eq": _comparison("oeq", "eq"), "ne": _comparison("une", "ne"),
    "lt": _comparison("olt", "lt"), "le": _comparison("ole", "le"),
    "gt": _comparison("ogt", "gt"), "ge": _comparison("oge", "ge"),
    "eq_to": _total_order("eq"), "le_to": _total_order("le"), "lt_to": _total_order("lt"),
    "floor": _rounding("floor"), "ceil": _rounding("ceil"), "trunc": _rounding("trunc"),
    "round_even": _rounding("rint"), "round_away": round_away,
    "is_finite": is_finite, "is_nan": is_nan, "is_inf": is_infinite, "sign_bit": sign_bit,
    "nextafter": next_after, "copysign": copy_sign, "sqrt": square_root,
    "real": keep, "conj": keep, "imag": zero_like, "mulhi": multiply_high,
}  # fmt: skip

#: Operations that keep narrow floats as bits, as they do not round.
BITWISE_ON_NARROW = frozenset(
    [
        "neg",
        "abs",
        "eq_to",
        "le_to",
        "lt_to",
        "sign_bit",
        "nextafter",
        "copysign",
        "real",
        "conj",
        "imag",
    ]
)

#: What each operation accepts, where that is not every real dtype: groups of kinds.
ACCEPTS: dict[str, str] = {
    **dict.fromkeys(("and", "or", "xor", "not"), "biu"),
    **dict.fromkeys(
        [
            "shift_left",
            "shift_right_logical",
            "shift_right_arithmetic",
            "population_count",
            "clz",
            "mulhi",
        ],
        "iu",
    ),
    **dict.fromkeys(("div", "rem", "neg"), "iufn"),
    **dict.fromkeys(("sqrt", "nextafter"), "fn"),
    "fma": "iufn",
}
