"""Messages of contractions, convolutions, sorting, linear algebra and Fourier transforms."""

# One call a line: the test compares the line of the exception.
# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import pytest
from refusals import Case, a, check, named

import vires.numpy as np
from vires import lax

_CONV_OPERANDS = (a(1, 3, 8, 8), a(4, 3, 3, 3))

CONTRACTIONS = [
    Case(lambda x, y: np.dot(x, y), (a(2, 3), a(2, 3)), ValueError, r"^dot: needs equal sizes of the axes that are summed over; got float32\[2,3\] and float32\[2,3\], axis 1 of size 3 and axis 0 of size 2; try"),
    Case(lambda x, y: x @ y, (a(2, 3), a(2, 3)), TypeError, "^matmul: needs equal sizes"),
    Case(lambda x, y: np.matmul(x, y), (a(2, 3, 4), a(3, 4, 5)), ValueError, r"^matmul: needs shapes that broadcast .*got \(2,\) and \(3,\)"),
    Case(lambda x, y: x @ y, (a(), a(3)), ValueError, r"^matmul: needs operands of at least 1 axis; got float32\[\]"),
    Case(lambda x, y: np.einsum("ij,jk->ik", x, y), (a(2, 3), a(2, 3)), ValueError, "^einsum: needs one size for label 'j'; got 3 and 2"),
    Case(lambda x, y: np.einsum("ij,jk->iz", x, y), (a(2, 3), a(3, 3)), ValueError, "^einsum: needs subscripts such as .*; got 'ij,jk->iz'"),
    Case(lambda x: np.einsum("ij,jk->ik", x), (a(2, 3),), ValueError, "^einsum: needs 2 operands for 'ij,jk->ik'; got 1"),
    Case(lambda x: np.einsum("ijk->ik", x), (a(2, 3),), ValueError, r"^einsum: needs an operand with axes 'ijk'; got shape \(2, 3\)"),
    Case(lambda x, y: np.tensordot(x, y), (a(2, 3), a(3, 2)), ValueError, "^tensordot: needs equal sizes"),
    Case(lambda x, y: np.tensordot(x, y, axes=5), (a(2, 3), a(3, 2)), ValueError, "^tensordot: needs axes from 0 to 2; got 5"),
    Case(lambda x, y: np.inner(x, y), (a(2, 3), a(3, 2)), ValueError, "^inner: needs equal sizes"),
    Case(lambda x: np.outer(x, "a"), (a(2),), TypeError, "^outer: needs an array or a number for b; got str"),
    Case(lambda x: np.cross(x, x), (a(4),), ValueError, "^cross: needs vectors of 2 or 3 components; got 4 and 4"),
    Case(lambda x, y: lax.dot_general(x, y, (((1,), (0,)), ((), ()))), (a(2, 3), a(2, 3)), TypeError, "^dot_general: needs equal sizes of contracting axes"),
    Case(lambda x, y: lax.dot_general(x, y, (((1,), (1,)), ((0,), (0,)))), (a(2, 3), a(4, 3)), TypeError, "^dot_general: needs equal sizes of batch axes"),
    Case(lambda x, y: lax.dot_general(x, y, (((4,), (0,)), ((), ()))), (a(2, 3), a(2, 3)), ValueError, "^dot_general: needs an axis from -2 to 1; got 4"),
    Case(lambda x: np.trace(x), (a(2),), ValueError, r"needs at least 2 axes; got shape \(2,\)"),
]

CONVOLUTIONS = [
    Case(lambda x, y: lax.conv(x, y, (1, 1), "SAME"), (a(1, 3, 8, 8), a(4, 2, 3, 3)), TypeError, "^conv_general_dilated: needs lhs features = .*with 3 features .*with 2 in"),
    Case(lambda x, y: lax.conv(x, y, (1, 1), "SAME"), (a(3, 8, 8), a(4, 3, 3, 3)), TypeError, r"needs shapes of one rank; got \(3, 8, 8\) and \(4, 3, 3, 3\)"),
    Case(lambda x, y: lax.conv(x, y, (1, 1), "FOO"), _CONV_OPERANDS, ValueError, "needs 'SAME', 'SAME_LOWER', 'VALID' or pairs; got 'FOO'"),
    Case(lambda x, y: lax.conv(x, y, (0, 1), "SAME"), _CONV_OPERANDS, ValueError, r"needs a window size and a stride >= 1 for each axis; got .*strides \(0, 1\)"),
    Case(lambda x, y: lax.conv(x, y, (1,), "SAME"), _CONV_OPERANDS, ValueError, r"needs a window size and a stride >= 1 for each axis; got .*strides \(1,\)"),
    Case(lambda x, y: lax.conv_general_dilated(x, y, (1, 1), "SAME", dimension_numbers=("NHW", "HWIO", "NHWC")), _CONV_OPERANDS, ValueError, "needs 4 letters each.*'NHW'"),
    Case(lambda x, y: lax.conv_general_dilated(x, y, (1, 1), "SAME", feature_group_count=2), _CONV_OPERANDS, TypeError, "^conv_general_dilated: needs .*feature_group_count 2"),
    Case(lambda x, y: np.convolve(x, y), (a(3, 3), a(3)), ValueError, r"^convolve: needs two 1-d arrays; got shapes \(3, 3\) and \(3,\)"),
    Case(lambda x, y: np.convolve(x, y), (a(0), a(3)), ValueError, "^convolve: needs arrays with elements"),
    Case(lambda x: np.convolve(x, x, mode="foo"), (a(3),), ValueError, "^convolve: needs mode 'full', 'same' or 'valid'; got 'foo'"),
    Case(lambda x: lax.reduce_window(x, 0.0, lax.add, (2,), (1, 1), "SAME"), (a(3, 3),), ValueError, r"^reduce_window: needs .* 2 axes; got \(2,\)"),
]

SORTING = [
    Case(lambda x: np.sort(x, axis=3), (a(3),), ValueError, "^sort: needs an axis"),
    Case(lambda x: np.sort(x), (a(),), ValueError, "^sort: needs at least 1 axis; got a 0-d array"),
    Case(lambda x: np.argsort(x, axis=3), (a(3),), ValueError, "^argsort: needs an axis"),
    Case(lambda x, y: lax.sort((x, y)), (a(3), a(4)), TypeError, r"^sort: needs operands of one shape; got float32\[3\] and float32\[4\]"),
    Case(lambda x: lax.sort((x, x), num_keys=3), (a(3),), ValueError, "^sort: needs num_keys from 1 to 2; got 3"),
    Case(lambda x: lax.top_k(x, 5), (a(3),), ValueError, r"^top_k: needs k from 0 to 3, .*; got 5 for float32\[3\]"),
    Case(lambda x: np.searchsorted(x, 1), (a(3, 3),), ValueError, r"^searchsorted: needs a 1-d array .*; got shape \(3, 3\)"),
    Case(lambda x: np.partition(x, 7), (a(3),), ValueError, r"^partition: needs kth in \[-3, 3\); got 7"),
    Case(lambda x, y: np.lexsort((x, y)), (a(3), a(4)), ValueError, "^lexsort: needs keys of one shape"),
    Case(lambda x: np.bincount(x), (a(3),), TypeError, "^bincount: needs a 1-d array of integers"),
]

LINEAR_ALGEBRA = [
    Case(lambda x: np.linalg.cholesky(x), (a(2, 3),), ValueError, r"^cholesky: needs square matrices; got float32\[2,3\]"),
    Case(lambda x: np.linalg.inv(x), (a(2, 3),), ValueError, "^inv: needs square matrices"),
    Case(lambda x: np.linalg.det(x), (a(3),), ValueError, "^det: needs matrices, at least 2 axes|^det: needs square"),
    Case(lambda x, y: np.linalg.solve(x, y), (a(3, 3), a(2)), ValueError, r"^solve: needs b with 3 rows; got float32\[2\]"),
    Case(lambda x: np.linalg.eigh(x), (a(2, 3),), ValueError, "^eigh: needs square matrices"),
    Case(lambda x: np.linalg.eigh(x, UPLO="z"), (a(2, 2),), ValueError, "^eigh: needs UPLO .*; got 'z'"),
    Case(lambda x: np.linalg.svd(x), (a(2),), ValueError, r"^svd: needs matrices, at least 2 axes; got float32\[2\]"),
    Case(lambda x: np.linalg.qr(x, mode="foo"), (a(2, 2),), ValueError, "^qr: needs mode .*; got 'foo'"),
    Case(lambda x: np.linalg.norm(x, ord="foo"), (a(2, 2),), ValueError, "^norm: needs ord .*; got 'foo'"),
    Case(lambda x: np.linalg.matrix_power(x, 2.5), (a(3, 3),), TypeError, "^matrix_power: needs an integer for n; got 2.5"),
    Case(lambda x, y: np.linalg.lstsq(x, y), (a(2, 3), a(3)), ValueError, "^lstsq: needs"),
    Case(lambda x, y: lax.linalg.triangular_solve(x, y), (a(3, 3), a(2, 2)), TypeError, "^triangular_solve: needs"),
    Case(lambda x: lax.linalg.cholesky(x), (a(3, 3, dtype="int32"),), TypeError, r"^cholesky: needs float32, .*; got int32\[3,3\]; try"),
    Case(lambda x: np.linalg.multi_dot([x]), (a(3),), ValueError, "^multi_dot: needs at least 2 arrays; got 1"),
]

FOURIER = [
    Case(lambda x: np.fft.fft(x), (a(),), ValueError, "^fft: needs at least 1 axis; got a 0-d array"),
    Case(lambda x: np.fft.fft(x, axis=4), (a(3),), ValueError, "^fft: needs an axis"),
    Case(lambda x: np.fft.fft(x, n=0), (a(3),), ValueError, "^fft: needs at least 1 point along each axis"),
    Case(lambda x: np.fft.fft(x, norm="foo"), (a(3),), ValueError, "^fft: needs norm .*; got 'foo'"),
    Case(lambda x: np.fft.rfft(x), (a(3, dtype="complex64"),), (ValueError, TypeError), "^rfft: needs real input; got complex64; try fft"),
    Case(lambda x: np.fft.fft2(x), (a(3),), ValueError, "^fft2: needs an axis"),
    Case(lambda x: lax.fft(x, "foo", (3,)), (a(3, dtype="complex64"),), ValueError, "^fft: needs one of FFT, .*; got 'foo'"),
    Case(lambda x: lax.fft(x, "FFT", (4,)), (a(3, dtype="complex64"),), ValueError, r"^fft: needs last axes of sizes \(4,\); got complex64\[3\]"),
]

ALL = CONTRACTIONS + CONVOLUTIONS + SORTING + LINEAR_ALGEBRA + FOURIER


@pytest.mark.parametrize("case", ALL, ids=named(ALL))
def test_refused_with_advice(case: Case) -> None:
    check(case)
