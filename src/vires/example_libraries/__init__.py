"""Networks and optimisers under JAX's names and with JAX's interface."""

from vires.example_libraries import optimizers, stax

__all__ = ["optimizers", "stax"]
