"""Rematerialisation: `checkpoint`, its policies, and names for values."""

from vires.control.identities import checkpoint_name
from vires.control.remat import checkpoint, checkpoint_policies, remat

__all__ = ["checkpoint", "checkpoint_name", "checkpoint_policies", "remat"]
