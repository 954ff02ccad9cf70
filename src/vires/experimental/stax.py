"""The networks of `vires.stax` under their first name."""

from vires.stax import *  # noqa: F403 - the same names, in another place
from vires.stax import __all__ as __all__
