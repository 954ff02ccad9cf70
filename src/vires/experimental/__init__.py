"""What is meant for experiments: the networks and optimisers, under their first names."""

from vires.control.callback import io_callback
from vires.experimental import minmax, stax

__all__ = ["io_callback", "minmax", "stax"]
