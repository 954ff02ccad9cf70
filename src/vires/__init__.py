"""Vires: NumPy on steroids."""

from vires.core import setup as _setup

del _setup
