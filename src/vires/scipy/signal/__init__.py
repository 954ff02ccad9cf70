"""Signals with SciPy's names: convolution, trends, spectra."""

# ruff: noqa: F403 - each module lists in __all__ what it offers
from vires.scipy.signal.convolution import *
from vires.scipy.signal.spectra import *
from vires.scipy.signal.trends import *
