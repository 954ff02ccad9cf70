"""Functions that bring their own derivatives."""

from vires.control.closures import closure_convert, custom_gradient
from vires.control.custom import SymbolicZero
from vires.control.custom_jvp import custom_jvp
from vires.control.custom_vjp import CustomVJPPrimal, custom_vjp
from vires.control.linear_call import linear_call

zero_from_primal = SymbolicZero.from_primal_value

__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "linear_call",
    "zero_from_primal",
]
