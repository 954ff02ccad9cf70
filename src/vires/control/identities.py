"""Identities that differentiation or rematerialisation see: stop_gradient, checkpoint_name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.control.functions import is_operand
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.primitive import AxisData, Primitive, Undefined, Zero
from vires.core.trace import as_array, aval_of
from vires.ops.accept import ANY, check_one_type
from vires.ops.families import SAME, ZERO, Elementwise
from vires.ops.linear import tangent_zero
from vires.ops.shape import align

_still = Elementwise(
    "stop_gradient",
    ANY,
    """x, whose derivative is taken to be zero.""",
    reference=lambda x: x,
    jvp=ZERO,
    loops=lambda b, x: x,
    widen=False,
)

_named = Elementwise(
    "name",
    ANY,
    """x, under a name that checkpoint's policies can speak of.""",
    reference=lambda x, *, name: x,
    jvp=SAME,
    transpose=lambda ct, x, *, name: [ct],
    loops=lambda b, x, *, name: x,
    widen=False,
)


def stop_gradient(x: Any) -> Any:
    """x as it is, but a constant for differentiation: d stop_gradient(x) / dx = 0.

    `x` is a pytree; leaves that are not differentiable pass unchanged.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.grad(lambda x: x * vires.lax.stop_gradient(x))(np.float32(3))
    Array(3., dtype=float32)
    """

    def stop(leaf: Any) -> Any:
        if not is_operand(leaf):
            return leaf
        if not dtypes.is_inexact(aval_of(leaf).dtype):
            return leaf
        return _still(as_array(leaf) if not hasattr(leaf, "aval") else leaf)

    return tree.map(stop, x)


def checkpoint_name(x: Any, name: str) -> Any:
    """x as it is, known by a name to `checkpoint`'s policies (`save_only_these_names`).

    >>> import vires
    >>> from vires.control.remat import checkpoint_policies
    >>> f = lambda x: vires.numpy.sin(checkpoint_name(vires.numpy.sin(x), "inner"))
    >>> g = vires.checkpoint(f, policy=checkpoint_policies.save_only_these_names("inner"))
    >>> vires.grad(g)(vires.numpy.float32(0))
    Array(1., dtype=float32)
    """
    return tree.map(
        lambda leaf: _named(leaf if hasattr(leaf, "aval") else as_array(leaf), name=name), x
    )


# --- values from one computation, derivatives from another


def _infer(computed: ShapedArray, saved: ShapedArray) -> ShapedArray:
    check_one_type("saved", (computed, saved))
    return computed


def _jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    tangent = tangents[0]
    return primals[1], tangent_zero(aval_of(primals[1])) if tangent.__class__ is Zero else tangent


def _batch(axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, int]:
    aligned, dim = align(axis, operands, dims)
    return saved_value(*aligned), dim


def _reference(computed: np.ndarray, saved: np.ndarray) -> np.ndarray:
    return saved


saved_value = Primitive(
    "saved",
    """The second operand, moving as the first one does.

    What a rematerialised program reads where a policy saved a value: the computation of the first
    operand is then needed
    for its tangent only.""",
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=Undefined("saved: is not linear"),
    batch=_batch,
    loops=lambda b, computed, saved: b.pull(saved.at),
)
