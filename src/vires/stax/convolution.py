"""Convolutions and their transposes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires import lax, random
from vires.api.inspect import eval_shape
from vires.api.structs import ShapeDtypeStruct
from vires.core import dtypes
from vires.nn import initializers
from vires.stax.layer import Layer, known, layer, sizes

Initializer = Callable[..., Any]
Specification = tuple[str, str, str]
_SMALL_NORMAL = initializers.normal(1e-6)


def _general(
    name: str,
    convolve: Callable[..., Any],
    dimension_numbers: Specification,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None,
    W_init: Initializer | None,
    b_init: Initializer,
) -> Layer:
    """A convolution, forward or transposed, plus a bias for each channel."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    spatial = [c for c in rhs_spec if c not in "OI"]
    if len(filter_shape) != len(spatial):
        raise ValueError(
            f"{name}: needs a filter of {len(spatial)} dimensions for {rhs_spec}; "
            f"got filter_shape {tuple(filter_shape)}"
        )
    if strides is not None and len(strides) != len(spatial):
        raise ValueError(
            f"{name}: needs {len(spatial)} strides, one for each dimension of the filter; "
            f"got {tuple(strides)}"
        )
    W_init = W_init or initializers.glorot_normal(rhs_spec.index("I"), rhs_spec.index("O"))
    bias_shape = tuple(out_chan if c == "C" else 1 for c in out_spec)

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        shape = sizes(input_shape, name, rank=len(lhs_spec))
        channels = known(shape[lhs_spec.index("C")], name, "number of channels", shape)
        window = iter(filter_shape)
        kernel_shape = tuple(
            out_chan if c == "O" else channels if c == "I" else next(window) for c in rhs_spec
        )
        W_key, b_key = random.split(key)
        params = W_init(W_key, kernel_shape), b_init(b_key, bias_shape)
        return _output_shape(shape, kernel_shape), params

    def _output_shape(shape: tuple[int, ...], kernel_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unknown sizes (-1) of the batch stay unknown."""
        batch = shape[lhs_spec.index("N")]
        known_shape = tuple(
            max(size, 1) if c == "N" else known(size, name, f"size of axis {c}", shape)
            for c, size in zip(lhs_spec, shape, strict=True)
        )
        out = eval_shape(
            convolve,
            ShapeDtypeStruct(known_shape, dtypes.float32),
            ShapeDtypeStruct(kernel_shape, dtypes.float32),
        )
        return tuple(
            batch if c == "N" else int(size) for c, size in zip(out_spec, out.shape, strict=True)
        )

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        return convolve(inputs, W) + b

    return layer(init, apply)


def GeneralConv(
    dimension_numbers: Specification,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Initializer | None = None,
    b_init: Initializer = _SMALL_NORMAL,
) -> Layer:
    """A convolution with a bias for each channel. Its parameters are (W, b).

    Args:
        dimension_numbers: the axes of inputs, filter and outputs, as in ("NHWC", "HWIO", "NHWC").
        out_chan: number of channels of the outputs.
        filter_shape: spatial sizes of the filter.
        strides: of the window, 1 by default.
        padding: "VALID", "SAME" or a pair of sizes for each spatial axis.
        W_init: makes W from (key, shape); Glorot's normal by default.
        b_init: makes b from (key, shape).
    """
    steps = strides or (1,) * len(filter_shape)
    convolve = functools.partial(
        lax.conv_general_dilated,
        window_strides=steps,
        padding=padding,
        dimension_numbers=dimension_numbers,
    )
    return _general(
        "GeneralConv", convolve, dimension_numbers, out_chan, filter_shape, strides, W_init, b_init
    )


def GeneralConvTranspose(
    dimension_numbers: Specification,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Initializer | None = None,
    b_init: Initializer = _SMALL_NORMAL,
) -> Layer:
    """The transpose of a strided convolution, which enlarges, with a bias for each channel.

    The arguments are those of `GeneralConv`.
    """
    steps = strides or (1,) * len(filter_shape)
    convolve = functools.partial(
        lax.conv_transpose, strides=steps, padding=padding, dimension_numbers=dimension_numbers
    )
    return _general(
        "GeneralConvTranspose", convolve, dimension_numbers, out_chan, filter_shape, strides,
        W_init, b_init,
    )  # fmt: skip


#: Convolution of images: axes ("NHWC", "HWIO", "NHWC").
Conv = functools.partial(GeneralConv, ("NHWC", "HWIO", "NHWC"))
#: Convolution of sequences: axes ("NHC", "HIO", "NHC").
Conv1D = functools.partial(GeneralConv, ("NHC", "HIO", "NHC"))
#: Transposed convolution of images.
ConvTranspose = functools.partial(GeneralConvTranspose, ("NHWC", "HWIO", "NHWC"))
#: Transposed convolution of sequences.
Conv1DTranspose = functools.partial(GeneralConvTranspose, ("NHC", "HIO", "NHC"))
