"""Looking into programs while they run: `vires.debug.print(...)`, `vires.debug.callback(...)`."""

from vires.control.callback import debug_callback as callback
from vires.control.callback import debug_print as print

__all__ = ["callback", "print"]
