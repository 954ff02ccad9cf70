"""Linear algebra with SciPy's names: factorisations, solutions, functions of matrices, matrices
with a structure. Leading axes are batch axes."""

# ruff: noqa: F403 - each module lists in __all__ what it offers
from vires.scipy.linalg.factors import *
from vires.scipy.linalg.functions import *
from vires.scipy.linalg.solvers import *
from vires.scipy.linalg.spectral import *
from vires.scipy.linalg.structured import *
