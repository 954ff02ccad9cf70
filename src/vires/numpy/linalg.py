"""Linear algebra: decompositions, solutions, norms, with NumPy's names. Leading axes are batch
axes."""

from vires.numpy.decompositions import EighResult as EighResult
from vires.numpy.decompositions import EigResult as EigResult
from vires.numpy.decompositions import QRResult as QRResult
from vires.numpy.decompositions import SVDResult as SVDResult
from vires.numpy.decompositions import (
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from vires.numpy.matrix_products import (
    cross,
    diagonal,
    matmul,
    matrix_power,
    multi_dot,
    outer,
    tensordot,
    trace,
    vecdot,
)
from vires.numpy.norms import cond, matrix_norm, norm, vector_norm
from vires.numpy.shaping import matrix_transpose
from vires.numpy.solutions import SlogdetResult as SlogdetResult
from vires.numpy.solutions import (
    det,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    slogdet,
    solve,
    tensorinv,
    tensorsolve,
)

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv",
    "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose",
    "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip
