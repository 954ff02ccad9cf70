"""Solvers for operators with SciPy's names."""

from vires.scipy.sparse import linalg

__all__ = ["linalg"]
