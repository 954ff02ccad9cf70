"""Functions that bring their own rule for vmap."""

from vires.control.custom_vmap import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
