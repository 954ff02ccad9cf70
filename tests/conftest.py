"""Every program that a test stages is checked, and the compiler's programs after each pass."""

from __future__ import annotations

import os

os.environ.setdefault("VIRES_ENABLE_CHECKS", "1")
