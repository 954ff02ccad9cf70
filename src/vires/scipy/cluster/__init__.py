"""Clusters with SciPy's names."""

from vires.scipy.cluster import vq

__all__ = ["vq"]
