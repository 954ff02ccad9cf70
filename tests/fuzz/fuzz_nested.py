"""Operations that hold programs: loops, branches and transformations of random bodies."""

from __future__ import annotations

from typing import Any

from fuzz_operations import operation


def _float(s: Any, least: int = 0) -> Any:
    return s.find(lambda v: v.kind == "f" and v.ndim >= least and v.size <= 600)


@operation(4)
def scan(s: Any) -> str | None:
    """A carry of one type, and results that are stacked."""
    xs, start = s.find(lambda v: v.ndim > 0 and 0 < v.shape[0] <= 40 and v.size <= 600), s.small()
    if xs is None or start is None:
        return None
    c, x = s.fresh(), s.fresh()
    inner = s.inner({c: start.name, x: f"{xs.name}[0]"})
    if inner is None:
        return None
    inner.grow(s.integer(1, 4))
    body = s.fresh()
    carry, out = inner.like(start, c), inner.last()
    reverse = s.choose(["", ", reverse=True"])
    which = s.integer(0, 1)
    lines = inner.define(body, (c, x), f"{carry}, {out}")
    return s.block(lines, f"lax.scan({body}, {start.name}, {xs.name}{reverse})[{which}]")


@operation(3)
def counted_loop(s: Any) -> str | None:
    start = s.small()
    if start is None:
        return None
    i, c = s.fresh(), s.fresh()
    inner = s.inner({i: "np.int32(1)", c: start.name})
    if inner is None:
        return None
    inner.grow(s.integer(1, 4))
    body = s.fresh()
    lines = inner.define(body, (i, c), inner.like(start, c))
    return s.block(lines, f"lax.fori_loop(0, {s.integer(0, 5)}, {body}, {start.name})")


@operation(2)
def while_loop(s: Any) -> str | None:
    start = s.small()
    if start is None:
        return None
    c = s.fresh()
    inner = s.inner({c: start.name})
    if inner is None:
        return None
    inner.grow(s.integer(1, 3))
    body = s.fresh()
    lines = inner.define(body, (c,), inner.like(start, c))
    return s.block(
        lines,
        f"lax.while_loop(lambda w: w[0] < {s.integer(0, 4)}, "
        f"lambda w: (w[0] + 1, {body}(w[1])), (np.int32(0), {start.name}))[1]",
    )


@operation(3)
def branch(s: Any) -> str | None:
    x = s.small()
    if x is None:
        return None
    c, d = s.fresh(), s.fresh()
    first, second = s.inner({c: x.name}), s.inner({d: x.name})
    if first is None or second is None:
        return None
    first.grow(s.integer(1, 3))
    second.grow(s.integer(0, 2))
    f, g = s.fresh(), s.fresh()
    lines = first.define(f, (c,), first.like(x, c)) + second.define(g, (d,), second.like(x, d))
    if s.chance(0.3):
        which = f"np.sum(np.isfinite({x.name})).astype('int32') % 3"
        return s.block(lines, f"lax.switch({which}, [{f}, {g}, {f}], {x.name})")
    return s.block(lines, f"lax.cond(np.sum(np.real({x.name})) > 0, {f}, {g}, {x.name})")


@operation(3)
def mapped(s: Any) -> str | None:
    xs = s.find(lambda v: v.ndim > 0 and 0 < v.shape[-1] <= 20 and v.size <= 600)
    if xs is None:
        return None
    axis = s.choose([0, xs.ndim - 1])
    if xs.shape[axis] == 0:
        return None
    x = s.fresh()
    inner = s.inner({x: f"{xs.name}[{':, ' * axis}0]"})
    if inner is None:
        return None
    inner.grow(s.integer(1, 4))
    body = s.fresh()
    lines = inner.define(body, (x,), inner.last())
    out = s.choose(["", ", out_axes=-1"])
    if axis == 0 and s.chance(0.2):
        return s.block(lines, f"lax.map({body}, {xs.name})")
    return s.block(lines, f"vires.vmap({body}, in_axes={axis}{out})({xs.name})")


@operation(4)
def derivative(s: Any) -> str | None:
    """A gradient, or a directional derivative, of a body."""
    v = _float(s)
    if v is None:
        return None
    x = s.fresh()
    inner = s.inner({x: v.name}, smooth=True)
    if inner is None:
        return None
    inner.grow(s.integer(1, 5))
    result = inner.last_float()
    if result is None:
        return None
    body = s.fresh()
    if s.chance(0.6):
        lines = inner.define(body, (x,), f"np.sum(np.sin({result}))")
        f = s.choose([body, body, f"vires.jit({body})", f"vires.checkpoint({body})"])
        return s.block(lines, f"vires.grad({f})({v.name})")
    lines = inner.define(body, (x,), result)
    f = s.choose([body, f"vires.jit({body})"])
    return s.block(lines, f"vires.jvp({f}, ({v.name},), (np.cos({v.name}),))[1]")


@operation(2)
def call(s: Any) -> str | None:
    v = s.any()
    x = s.fresh()
    inner = s.inner({x: v.name})
    if inner is None:
        return None
    inner.grow(s.integer(1, 4))
    body = s.fresh()
    lines = inner.define(body, (x,), inner.last())
    return s.block(lines, f"vires.jit({body})({v.name})")


@operation(1)
def associative(s: Any) -> str | None:
    v = s.find(lambda v: v.kind in "fi" and v.ndim > 0 and v.size <= 600)
    if v is None:
        return None
    f = s.choose(["np.add", "np.maximum", "lambda a, b: np.minimum(a, b)"])
    reverse = s.choose(["", ", reverse=True"])
    return f"lax.associative_scan({f}, {v.name}, axis={s.axis(v)}{reverse})"
