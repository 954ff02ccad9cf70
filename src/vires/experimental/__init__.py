"""What is meant for experiments: the networks and optimisers, under their first names."""

from vires.experimental import minmax, stax

__all__ = ["minmax", "stax"]
