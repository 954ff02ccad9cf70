"""Arguments that functions do not take, or not beside each other: what is needed instead."""

# One call a line: the test compares the line of the exception.
# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import numpy as onp
import pytest
from refusals import Case, a, check, ints, named

import vires
import vires.numpy as np
from vires import lax
from vires.scipy import signal

OPTIONS = [
    Case(lambda x: lax.linalg.schur(x, sort_eig_vals=True), (a(2, 2),), NotImplementedError, "^schur: needs sort_eig_vals=False and select_callable=None; got True and None; try sorting"),
    Case(lambda x: vires.nn.dot_product_attention(x, x, x, return_residual=True), (a(2, 3, 1, 4),), NotImplementedError, "^dot_product_attention: needs return_residual=False; got True; try logsumexp"),
    Case(lambda x: vires.nn.get_scaled_dot_general_config("mxfp8", 2.0), (a(2),), ValueError, "^get_scaled_dot_general_config: needs global_scale=None with mode 'mxfp8'; got 2.0; try mode 'nvfp4'"),
    Case(lambda x: np.where(x > 0, x, x, size=3), (a(2),), ValueError, "^where: needs size=None and fill_value=None next to x and y; got size=3 and fill_value=None; try"),
    Case(lambda x: np.put(x, 0, 1.0), (a(2),), ValueError, r"^put: needs inplace=False, .*; got True; try x = put\(x, ..., inplace=False\)"),
    Case(lambda x: np.place(x, x > 0, 1.0), (a(2),), ValueError, r"^place: needs inplace=False, .*; got True; try x = place\("),
    Case(lambda x: np.place(x, onp.ones(3, bool), x, inplace=False), (a(2),), ValueError, "^place: needs a mask of 2 elements and at least one value; got 3 and 2"),
    Case(lambda x: np.put_along_axis(x, ints(0), 1.0, 0), (a(2),), ValueError, r"^put_along_axis: needs inplace=False, .*; got True; try x = put_along_axis\("),
    Case(lambda x: np.fill_diagonal(x, 1.0), (a(2, 2),), ValueError, r"^fill_diagonal: needs inplace=False, .*; got True; try x = fill_diagonal\("),
    Case(lambda x: np.add.at(x, ints(0), 1.0), (a(2),), NotImplementedError, r"^add.at: needs inplace=False, .*; got True; try x = add.at\("),
    Case(lambda x: np.ravel_multi_index((onp.array([1, 5]),), (3,)), (a(2),), ValueError, "^ravel_multi_index: needs indices from 0 to 2 along axis 0; got 5; try mode='clip' or 'wrap'"),
    Case(lambda x: np.ravel_multi_index((onp.array([-1, 5]),), (3,)), (a(2),), ValueError, "^ravel_multi_index: needs indices from 0 to 2 along axis 0; got -1; try"),
    Case(lambda x: np.linalg.norm(x, 2), (a(2, 2, 2),), ValueError, r"^norm: needs a vector or a matrix for ord=2; got shape \(2, 2, 2\); try axis=-1"),
    Case(lambda x: np.sum(x, out=x), (a(2),), NotImplementedError, "^sum: needs out=None, since arrays are immutable; got .*; try the returned array"),
    Case(lambda x: np.pad(x, 1, "edge", constant_values=1), (a(2),), ValueError, "^pad: needs no other argument with mode 'edge'; got constant_values"),
    Case(lambda x: np.pad(x, 1, "reflect", end_values=1), (a(2),), ValueError, "^pad: needs reflect_type with mode 'reflect'; got end_values"),
    Case(lambda x: np.max(x, where=x > 0), (a(2),), ValueError, "^max: needs initial= next to where=, .*; got None; try initial=-numpy.inf"),
    Case(lambda x: np.min(x, where=x > 0), (a(2),), ValueError, "^min: needs initial= next to where=, .*; got None; try initial=numpy.inf"),
    Case(lambda x: np.add(x, x, where=onp.ones(2, bool)), (a(2),), NotImplementedError, r"^add: needs where=None; got ndarray; try numpy.where\(mask, add\("),
    Case(lambda x: np.hypot.reduce(x, where=onp.ones(2, bool)), (a(2),), NotImplementedError, "^hypot.reduce: needs where=None; got ndarray; try"),
    Case(lambda x: np.hypot.reduce(x), (a(0),), ValueError, r"^hypot.reduce: needs at least one element along axis 0; got shape \(0,\); try initial="),
    Case(lambda x: signal.detrend(x, overwrite_data=True), (a(4),), NotImplementedError, "^detrend: needs overwrite_data=None, .*; got True; try the returned array"),
    Case(lambda x: vires.scipy.stats.norm.pdf(), (a(4),), TypeError, "needs the argument x; got 0 and no others"),
]


@pytest.mark.parametrize("case", OPTIONS, ids=named(OPTIONS))
def test_refused_options(case: Case) -> None:
    check(case)
