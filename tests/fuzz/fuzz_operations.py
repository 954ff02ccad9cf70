"""What random programs are made of: each maker writes the text of one operation, or gives None
where the values at hand do not fit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as onp

from vires import dtypes

#: name -> (weight, maker). A maker takes a generator's scope and gives an expression.
OPERATIONS: dict[str, tuple[int, Callable[..., str | None]]] = {}


def operation(weight: int = 1) -> Callable[[Callable[..., str | None]], Callable[..., str | None]]:
    def declare(maker: Callable[..., str | None]) -> Callable[..., str | None]:
        OPERATIONS[maker.__name__] = (weight, maker)
        return maker

    return declare


class Value:
    """A name, with the shape and type of its value."""

    __slots__ = ("dtype", "kind", "name", "shape", "size")

    def __init__(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        self.name = name
        self.shape = shape
        self.dtype = onp.dtype(dtype)
        self.size = math.prod(shape)
        self.kind = dtypes_kind(self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def type(self) -> str:
        return self.dtype.name


def dtypes_kind(dtype: Any) -> str:
    """One of b i u f c."""
    if dtypes.issubdtype(dtype, onp.floating):
        return "f"
    return "c" if dtypes.issubdtype(dtype, onp.complexfloating) else onp.dtype(dtype).kind


FLOAT_UNARY = (
    "np.sin np.cos np.tanh np.floor np.ceil np.round np.sign np.abs np.negative np.square "
    "np.trunc np.expm1 np.sinh np.arctan np.arcsinh lax.erf lax.logistic np.isnan np.isfinite "
    "np.isinf np.cbrt np.deg2rad np.exp2 np.sinc np.reciprocal np.nan_to_num np.signbit np.tan "
    "np.exp np.rint np.positive np.logical_not np.angle np.conj"
).split()
FLOAT_UNARY_OF_POSITIVE = "np.sqrt np.log np.log1p np.log2 np.log10 lax.rsqrt lax.lgamma".split()
COMPLEX_UNARY = (
    "np.sin np.cos np.tanh np.exp np.abs np.negative np.square np.conj np.real np.imag np.sqrt "
    "np.isnan np.angle np.reciprocal np.isfinite np.sinh"
).split()
INT_UNARY = "np.abs np.negative np.sign np.square np.bitwise_not np.logical_not np.sin".split()
INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
FLOATS = "float16 bfloat16 float32 float64".split()


@operation(10)
def unary(s: Any) -> str | None:
    x = s.any()
    if x.kind == "f":
        if s.chance(0.25):
            return f"{s.choose(FLOAT_UNARY_OF_POSITIVE)}(np.abs({x.name}) + 0.5)"
        return f"{s.choose(FLOAT_UNARY)}({x.name})"
    if x.kind == "c":
        return f"{s.choose(COMPLEX_UNARY)}({x.name})"
    if x.kind == "b":
        return f"np.logical_not({x.name})"
    return f"{s.choose(INT_UNARY)}({x.name})"


@operation(10)
def binary(s: Any) -> str | None:
    x = s.any()
    y = s.broadcastable(x)
    if y is None:
        return None
    if x.kind in "iu" and y.kind in "iu":
        if s.chance(0.2):
            return f"({x.name} {s.choose(['<<', '>>'])} ({y.name} & 7))"
        op = s.choose("+ - * & | ^ // %".split())
        return f"({x.name} {op} {y.name})"
    if x.kind == y.kind == "b":
        return f"({x.name} {s.choose('& | ^'.split())} {y.name})"
    if "c" in (x.kind, y.kind):
        return f"({x.name} {s.choose('+ - * /'.split())} {y.name})"
    if s.chance(0.5):
        return f"({x.name} {s.choose('+ - * /'.split())} {y.name})"
    f = s.choose(
        "np.maximum np.minimum np.arctan2 np.hypot np.logaddexp np.mod np.fmod np.floor_divide "
        "np.copysign np.fmax np.fmin np.heaviside np.remainder np.subtract np.nextafter".split()
    )
    if "f" not in (x.kind, y.kind) or (f == "np.nextafter" and x.type != y.type):
        f = s.choose(["np.maximum", "np.minimum", "np.add", "np.multiply"])
    return f"{f}({x.name}, {y.name})"


@operation(4)
def with_scalar(s: Any) -> str | None:
    x = s.numeric()
    if x is None:
        return None
    if x.kind in "fc":
        number = s.choose(["0.5", "-2.0", "1.5", "3", "-0.0", "1e-3", "2"])
        op = s.choose("+ - * /".split())
        if s.chance(0.2) and x.kind == "f":
            return f"np.power(np.abs({x.name}) + 0.5, {s.choose(['0.3', '2.5', '-1.5', '3.0'])})"
        if s.chance(0.2):
            return f"{x.name} ** {s.choose(['2', '3', '-1', '0'])}"
    else:
        number, op = s.choose(["2", "3", "7", "1"]), s.choose("+ - * // %".split())
    text = f"({x.name} {op} {number})"
    if s.chance(0.3) and op not in "/ // %".split():
        text = f"({number} {op} {x.name})"
    return text


@operation(4)
def compare(s: Any) -> str | None:
    x = s.any()
    y = s.broadcastable(x)
    if y is None:
        return None
    ops = ["==", "!="] if "c" in (x.kind, y.kind) else "< <= > >= == !=".split()
    return f"({x.name} {s.choose(ops)} {y.name})"


@operation(5)
def where(s: Any) -> str | None:
    c = s.find(lambda v: v.kind == "b")
    x = s.any()
    condition = c.name if c is not None and s.chance(0.6) else f"(np.real({x.name}) > 0)"
    y = s.broadcastable(c) if c is not None and condition == c.name else s.broadcastable(x)
    if y is None:
        return None
    return f"np.where({condition}, {y.name}, {s.choose(['0', '1', f'{y.name} * {y.name}'])})"


@operation(3)
def clip(s: Any) -> str | None:
    x = s.find(lambda v: v.kind in "iuf")
    return None if x is None else f"np.clip({x.name}, {s.choose(['0', '1'])}, {s.choose('235')})"


@operation(5)
def cast(s: Any) -> str | None:
    x = s.any()
    target = s.choose([*FLOATS, *INTEGERS, "bool", s.main, s.main, s.main])
    if x.kind == "c":
        return f"{x.name}.astype('complex128')" if s.chance(0.3) else f"np.real({x.name})"
    if x.kind == "f" and target in INTEGERS:  # what is out of range has no answer
        low = 0 if target[0] == "u" else -100
        return f"np.nan_to_num(np.clip({x.name}, {low}, 100)).astype('{target}')"
    if s.chance(0.1) and x.kind == "f" and x.type in ("float32", "float64"):
        return f"lax.bitcast_convert_type({x.name}, 'int{8 * x.dtype.itemsize}')"
    return f"{x.name}.astype('{target}')"


@operation(8)
def reduction(s: Any) -> str | None:
    x = s.any()
    if x.kind == "b":
        f = s.choose("any all sum mean".split())
    elif x.kind == "c":
        f = s.choose("sum mean prod".split())
    else:
        f = s.choose(
            "sum prod max min mean var std any all ptp count_nonzero nansum median".split()
        )
    axis = s.axes(x)
    if f in ("max", "min", "ptp", "mean", "var", "std", "median") and s.reduced(x, axis) == 0:
        return None
    if f == "prod":
        return f"np.prod(np.clip({x.name}, -1, 2), axis={axis})" if x.kind != "c" else None
    keep = s.choose(["", ", keepdims=True"])
    return f"np.{f}({x.name}, axis={axis}{keep})"


@operation(3)
def position(s: Any) -> str | None:
    x = s.find(lambda v: v.kind in "iuf" and v.ndim > 0)
    if x is None:
        return None
    axis = s.choose([None, s.axis(x)])
    if s.reduced(x, axis) == 0:
        return None
    f = s.choose("argmax argmin".split())
    return f"np.{f}({x.name}, axis={axis})"


@operation(3)
def logsumexp(s: Any) -> str | None:
    x = s.find(lambda v: v.kind == "f" and v.ndim > 0 and v.size > 0)
    if x is None:
        return None
    f = s.choose("logsumexp softmax log_softmax standardize".split())
    return f"vires.nn.{f}({x.name}, axis={s.axis(x)})"


@operation(4)
def cumulative(s: Any) -> str | None:
    x = s.find(lambda v: v.kind in "iuf" and v.ndim > 0)
    if x is None:
        return None
    f, axis = s.choose("cumsum cumprod cummax cummin cumlogsumexp".split()), s.axis(x)
    if f == "cumlogsumexp" and x.kind != "f":
        f = "cumsum"
    of = f"np.clip({x.name}, -1, 1)" if f == "cumprod" and x.kind != "u" else x.name
    return f"lax.{f}({of}, axis={axis}{s.choose(['', ', reverse=True'])})"


@operation(4)
def reshape(s: Any) -> str | None:
    x = s.any()
    if x.size == 0:
        return f"{x.name}.reshape({s.shuffled(x.shape)})"
    factors = [d for d in range(1, x.size + 1) if x.size % d == 0]
    a = s.choose(factors)
    return f"{x.name}.reshape({s.choose([(a, x.size // a), (-1,), (a, 1, -1), (x.size,)])})"


@operation(8)
def movement(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0)
    if x is None:
        return None
    axis = s.axis(x)
    n = x.shape[axis]
    start = s.integer(0, n)
    choices = [
        f"np.transpose({x.name}, {s.shuffled(range(x.ndim))})",
        f"np.flip({x.name}, {axis})",
        f"np.roll({x.name}, {s.integer(-3, 3)}, {axis})",
        f"np.expand_dims({x.name}, {axis})",
        f"np.squeeze({x.name}, {tuple(i for i, d in enumerate(x.shape) if d == 1)})",
        f"np.repeat({x.name}, {s.integer(0, 3)}, {axis})",
        f"np.tile({x.name}, {s.integer(1, 2)})",
        f"np.broadcast_to({x.name}, {(s.integer(0, 3), *x.shape)})",
        f"lax.slice_in_dim({x.name}, {start}, {s.integer(start, n)}, {s.integer(1, 3)}, {axis})",
        f"np.diff({x.name}, axis={axis})" if x.kind in "ifc" and n else None,
        f"np.concatenate([{x.name}, {x.name}[{', '.join([':'] * axis + ['::-1'])}]], {axis})",
        f"np.stack([{x.name}, {x.name}], {axis})",
        f"np.triu({x.name})" if x.ndim >= 2 else None,
        f"np.diagonal({x.name})" if x.ndim >= 2 else None,
        f"np.split({x.name}, 2, {axis})[1]" if n % 2 == 0 else None,
    ]
    return s.choose([c for c in choices if c is not None])


@operation(3)
def join(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0)
    y = s.find(
        lambda v: v.ndim == x.ndim
        and v.dtype == x.dtype
        and sum(a != b for a, b in zip(v.shape, x.shape, strict=True)) <= 1
    ) if x is not None else None  # fmt: skip
    if x is None or y is None:
        return None
    different = [i for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if a != b]
    axis = different[0] if different else s.axis(x)
    return f"np.concatenate([{x.name}, {y.name}], {axis})"


@operation(3)
def pad(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0)
    if x is None:
        return None
    if s.chance(0.5):
        widths = [(s.integer(-1, 2), s.integer(-1, 2), s.integer(0, 1)) for _ in x.shape]
        zero = f"onp.array(0, {x.name}.dtype)"
        return f"lax.pad({x.name}, {zero}, {widths})"
    mode = s.choose("constant edge reflect wrap".split()) if 0 not in x.shape else "constant"
    if mode == "reflect" and min(x.shape) < 3:
        mode = "edge"
    return f"np.pad({x.name}, {[(s.integer(0, 2), s.integer(0, 2)) for _ in x.shape]}, '{mode}')"


@operation(6)
def gather(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0)
    if x is None:
        return None
    axis = s.axis(x)
    n = x.shape[axis]
    places = s.places(n, safe=True)
    before = ":, " * axis
    i = s.find(lambda v: v.kind in "iu" and v.size <= 64)
    if i is not None and n and s.chance(0.4):
        places = f"({i.name} % {n}).astype('int32')"
    choices = [
        f"{x.name}[{before}{places}]" if n else None,
        f"np.take({x.name}, {places}, axis={axis})" if n else None,
        f"np.take({x.name}, {s.places(n, safe=False)}, axis={axis}, mode='clip')" if n else None,
        f"np.take({x.name}, {s.places(n, safe=False)}, axis={axis}, mode='fill')",
        f"{x.name}.at[{before}{s.places(n, safe=False)}].get(mode='fill', fill_value=1)",
        f"{x.name}[{before}{s.integer(-n, n - 1)}]" if n else None,
        f"{x.name}[{before}{s.choose(['::2', '1:', '::-1', ':-1', 'None', '::-2', '...'])}]",
        f"lax.dynamic_slice_in_dim({x.name}, {s.scalar_index()}, {s.integer(0, n)}, {axis})",
        f"lax.dynamic_index_in_dim({x.name}, {s.scalar_index()}, {axis})" if n else None,
        f"np.take_along_axis({x.name}, np.argsort({x.name}, {axis}), {axis})"
        if x.kind in "iuf" and n
        else None,
    ]
    return s.choose([c for c in choices if c is not None])


@operation(6)
def scatter(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0 and v.kind != "b")
    if x is None:
        return None
    axis = s.axis(x)
    n = x.shape[axis]
    before = ":, " * axis
    how = s.choose("set add multiply max min".split())
    if x.kind == "c" and how in ("max", "min"):
        how = "add"
    value = s.choose(["1", "2", "0.5" if x.kind in "fc" else "3"])
    places = s.distinct_places(n) if how == "set" else s.places(n, safe=n > 0)
    if s.chance(0.3) and n:
        start = s.integer(0, n - 1)
        small = f"{x.name}[{before}{start}:{s.integer(start, n)}] * 2"
        return f"lax.dynamic_update_slice_in_dim({x.name}, {small}, {s.scalar_index()}, {axis})"
    mode = "" if n else ", mode='drop'"
    if s.chance(0.3):
        places, mode = s.places(n, safe=False), ", mode='drop'"
        how = "add" if how == "set" else how
    return f"{x.name}.at[{before}{places}].{how}({value}{mode})"


@operation(5)
def product(s: Any) -> str | None:
    x = s.find(lambda v: v.ndim > 0)
    if x is None:
        return None
    same = lambda v: v.kind == x.kind and v.ndim > 0
    y = s.find(lambda v: same(v) and v.shape[max(v.ndim - 2, 0)] == x.shape[-1] and v.ndim <= 2)
    tame = (lambda v: f"np.clip({v.name}, -2, 2)") if x.kind in "iuf" else (lambda v: v.name)
    choices = [
        f"np.tensordot({tame(x)}, {tame(x)}, {x.ndim})",
        f"np.einsum('...i,...i->...', {tame(x)}, {tame(x)})",
        f"np.einsum('...i,...j->...ij', {tame(x)}, {tame(x)})" if x.size < 40 else None,
        f"({tame(x)} @ {tame(y)})" if y is not None else None,
        f"({tame(x)} @ {tame(y)})" if y is not None else None,
        f"np.matmul({tame(x)}, np.swapaxes({tame(x)}, -1, -2))" if x.ndim >= 2 else None,
        f"np.dot({tame(x)}, {tame(y)})" if y is not None else None,
        f"np.outer({tame(x)}, np.ones(3, {x.name}.dtype))",
    ]
    return s.choose([c for c in choices if c is not None]) if x.kind != "b" else None


@operation(3)
def order(s: Any) -> str | None:
    x = s.find(lambda v: v.kind in "iufb" and v.ndim > 0)
    if x is None:
        return None
    axis = s.axis(x)
    choices = [
        f"np.sort({x.name}, axis={axis})",
        f"np.argsort({x.name}, axis={axis})",
        f"np.argsort(-{x.name}, axis={axis})" if x.kind in "if" else None,
        f"lax.top_k({x.name}, {s.integer(0, x.shape[-1])})[{s.integer(0, 1)}]"
        if x.kind != "b"
        else None,
        f"lax.sort(({x.name}, -{x.name}), dimension={axis}, num_keys=1)[1]"
        if x.kind in "if"
        else None,
        f"np.searchsorted(np.sort({x.name}.ravel()), {x.name})" if x.kind in "iuf" else None,
        f"np.bincount(np.abs({x.name}.ravel() % 5).astype('int32'), length=6)"
        if x.kind in "iu"
        else None,
    ]
    return s.choose([c for c in choices if c is not None])


@operation(2)
def window(s: Any) -> str | None:
    x = s.find(lambda v: v.kind == "f" and 1 <= v.ndim <= 3 and v.size > 0)
    if x is None:
        return None
    size = tuple(s.integer(1, 2) for _ in x.shape)
    step = tuple(s.integer(1, 2) for _ in x.shape)
    start, f = s.choose([("0.0", "lax.add"), ("-onp.inf", "lax.max"), ("onp.inf", "lax.min")])
    padding = s.choose(["SAME", "VALID"])
    start = f"onp.array({start}, {x.name}.dtype)"
    return f"lax.reduce_window({x.name}, {start}, {f}, {size}, {step}, '{padding}')"


@operation(2)
def convolution(s: Any) -> str | None:
    x = s.find(lambda v: v.kind == "f" and v.ndim == 2 and 0 < v.size < 600)
    if x is None:
        return None
    step, padding = s.integer(1, 2), s.choose(["SAME", "VALID"])
    size = s.integer(1, min(3, *x.shape))
    filters = f"onp.sin(onp.arange({2 * size * size}.0).reshape(2, 1, {size}, {size}))"
    more = s.choose(["", ", lhs_dilation=(2, 1)", ", rhs_dilation=(1, 1)"])
    return (
        f"lax.conv_general_dilated(np.clip({x.name}, -5, 5)[None, None], "
        f"{filters}.astype({x.name}.dtype), ({step}, 1), '{padding}'{more})"
    )


@operation(2)
def creation(s: Any) -> str | None:
    x = s.any()
    kind = s.choose([s.main, "int32", "float32"])
    choices = [
        f"np.arange({s.integer(0, 9)}, dtype='{kind}')",
        f"np.full({x.shape}, 2, dtype='{kind}')",
        f"np.ones_like({x.name})",
        f"lax.broadcasted_iota('int32', {x.shape}, {s.axis(x)})" if x.ndim else None,
        f"np.eye({s.integer(1, 4)}, dtype='{kind}')",
        f"np.linspace(0.0, 1.0, {s.integer(1, 7)}, dtype='{s.main}')" if s.main[0] == "f" else None,
    ]
    return s.choose([c for c in choices if c is not None])


@operation(2)
def complex_parts(s: Any) -> str | None:
    x = s.find(lambda v: v.type in ("float32", "float64"))
    if x is None:
        return None
    return s.choose([
        f"lax.complex({x.name}, {x.name} * 0.5)",
        f"np.fft.fft({x.name})" if x.ndim and x.shape[-1] else f"lax.complex({x.name}, {x.name})",
        f"np.abs(np.fft.rfft({x.name}))" if x.ndim and x.shape[-1] else f"({x.name} * 1j)",
    ])  # fmt: skip


@operation(2)
def linear_algebra(s: Any) -> str | None:
    x = s.find(
        lambda v: (
            v.type in ("float32", "float64")
            and v.ndim >= 2
            and v.shape[-1] == v.shape[-2]
            and 0 < v.shape[-1] <= 6
        )
    )
    if x is None:
        return None
    n = x.shape[-1]
    tame = f"(np.tanh(np.nan_to_num({x.name})) + {2 * n} * np.eye({n}, dtype={x.name}.dtype))"
    return s.choose([
        f"np.linalg.inv({tame})",
        f"np.linalg.det({tame} / {2 * n})",
        f"np.linalg.solve({tame}, {tame}[..., :1])",
        f"np.linalg.cholesky({tame} + np.swapaxes({tame}, -1, -2))",
        f"lax.linalg.triangular_solve({tame}, {tame}, left_side=True, lower=True)",
    ])  # fmt: skip


def pick(rng: random.Random) -> str:
    """The name of an operation, by weight."""
    names = list(OPERATIONS)
    return rng.choices(names, [OPERATIONS[n][0] for n in names])[0]
