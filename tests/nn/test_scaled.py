"""Products of operands rounded in blocks: against ml_dtypes, block by block."""

from __future__ import annotations

import ml_dtypes
import numpy as onp
import pytest

import vires
from vires import lax, nn

random = onp.random.default_rng(0)
NUMBERS = (((2,), (2,)), ((0,), (0,)))


def normal(*shape: int) -> onp.ndarray:
    spread = onp.exp2(random.integers(-8, 8, shape[-1]))
    return (random.standard_normal(shape) * spread).astype(onp.float32)


def rounded(x: onp.ndarray, mode: str, scale: float = 1.0) -> onp.ndarray:
    size = {"mxfp8": 32, "nvfp4": 16}[mode]
    blocks = x.reshape(*x.shape[:-1], -1, size) / onp.float32(scale)
    peak = onp.abs(blocks).max(-1, keepdims=True)
    if mode == "mxfp8":
        scales = onp.exp2(onp.ceil(onp.log2(peak.astype(onp.float64) / 448))).astype(onp.float32)
        kind: object = ml_dtypes.float8_e4m3fn
        most = 448
    else:
        scales = onp.minimum(peak / onp.float32(6), 448)
        scales = scales.astype(ml_dtypes.float8_e4m3fn).astype(onp.float32)
        kind, most = ml_dtypes.float4_e2m1fn, 6
    with onp.errstate(all="ignore"):
        elements = onp.clip(blocks / scales, -most, most).astype(kind).astype(onp.float32)
    values = onp.where(scales == 0, 0, elements * scales) * onp.float32(scale)
    return values.reshape(x.shape).astype(onp.float64)


@pytest.mark.parametrize("mode,scale", [("mxfp8", None), ("nvfp4", None), ("nvfp4", 0.5)])
def test_scaled_dot_general(mode, scale):
    given = None if scale is None else onp.array([scale], onp.float32)
    configs = [nn.get_scaled_dot_general_config(mode, given)] * 3
    x, y, ct = normal(2, 32, 64), normal(2, 64, 64), normal(2, 32, 64)
    f = lambda x, y: nn.scaled_dot_general(x, y, NUMBERS, configs=configs)
    quantised = lambda v: rounded(v, mode, scale or 1.0)
    want = quantised(x) @ quantised(y).swapaxes(1, 2)
    limit = onp.abs(quantised(x)) @ onp.abs(quantised(y)).swapaxes(1, 2)
    for g in (f, vires.jit(f)):
        assert (onp.abs(onp.asarray(g(x, y)) - want) <= 1e-5 * limit).all()
    dx, dy = vires.grad(lambda x, y: (f(x, y) * ct).sum(), (0, 1))(x, y)
    turn = lambda v: onp.ascontiguousarray(v.swapaxes(1, 2))
    if mode == "mxfp8":
        left = quantised(ct), quantised(turn(y))
        right = quantised(turn(ct)), quantised(turn(x))
    else:
        left, right = (ct.astype(float), turn(y)), (turn(ct).astype(float), turn(x))
    for found, (a, b) in ((dx, left), (dy, right)):
        bound = onp.abs(a) @ onp.abs(b).swapaxes(1, 2)
        assert (onp.abs(onp.asarray(found) - a @ b.swapaxes(1, 2)) <= 1e-5 * bound).all()


def test_other_axes_and_no_configuration():
    x, y = normal(4, 64, 3), normal(64, 5)
    configs = [nn.get_scaled_dot_general_config("mxfp8")] * 3
    numbers = (((1,), (0,)), ((), ()))
    out = nn.scaled_dot_general(x, y, numbers, configs=configs)
    left = rounded(onp.ascontiguousarray(x.swapaxes(1, 2)), "mxfp8")
    want = left @ rounded(onp.ascontiguousarray(y.T), "mxfp8").T
    assert out.shape == (4, 3, 5)
    onp.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-3 * onp.abs(want).max())
    plain = nn.scaled_dot_general(x, y, numbers)
    onp.testing.assert_array_equal(plain, lax.dot_general(x, y, numbers))


def test_zero_blocks():
    configs = [nn.get_scaled_dot_general_config(m) for m in ("mxfp8", "nvfp4")]
    x = onp.zeros((1, 2, 64), onp.float32)
    for config in configs:
        out = nn.scaled_dot_general(x, x, NUMBERS, configs=[config] * 3)
        onp.testing.assert_array_equal(out, onp.zeros((1, 2, 2)))


def test_scaled_matmul():
    x, y = normal(2, 3, 8), normal(2, 4, 8)
    s, t = normal(2, 3, 2), normal(2, 4, 4)
    wide = (x * onp.repeat(s, 4, 2)).astype(float), (y * onp.repeat(t, 2, 2)).astype(float)
    want = wide[0] @ wide[1].swapaxes(1, 2)
    out = nn.scaled_matmul(x, y, s, t)
    onp.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-4 * onp.abs(want).max())
    assert nn.scaled_matmul(x, y, s, t, "bfloat16").dtype == ml_dtypes.bfloat16


def test_refusals():
    with pytest.raises(ValueError, match="needs a mode"):
        nn.get_scaled_dot_general_config("int8")
    configs = [nn.get_scaled_dot_general_config("mxfp8")] * 3
    with pytest.raises(ValueError, match="a multiple of 32 in mode mxfp8; got 40"):
        nn.scaled_dot_general(normal(1, 2, 40), normal(1, 2, 40), NUMBERS, configs=configs)
    with pytest.raises(ValueError, match="scaled_matmul: needs lhs"):
        nn.scaled_matmul(normal(3, 8), normal(4, 8), normal(3, 8), normal(4, 8))
