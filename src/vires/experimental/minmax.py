"""The optimisers of `vires.minmax` under their first name."""

from vires.minmax import *  # noqa: F403 - the same names, in another place
from vires.minmax import __all__ as __all__
