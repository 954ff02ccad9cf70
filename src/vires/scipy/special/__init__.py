"""Special functions with SciPy's names: elementwise, fused, differentiable."""

# ruff: noqa: F403 - each module lists in __all__ what it offers
from vires.scipy.special.bessel import *
from vires.scipy.special.complex_functions import *
from vires.scipy.special.elementary import *
from vires.scipy.special.exponential_integrals import *
from vires.scipy.special.gammas import *
from vires.scipy.special.hypergeometric import *
from vires.scipy.special.integrals import *
from vires.scipy.special.normal import *
