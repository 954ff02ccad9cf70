"""Rotations in space with SciPy's names."""

from vires.scipy.spatial import transform

__all__ = ["transform"]
