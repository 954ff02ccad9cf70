"""Every program that a test stages is checked, and the compiler's programs after each pass."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("VIRES_ENABLE_CHECKS", "1")
# Shells start jobs in the background with SIGINT ignored, and Python leaves it so: tests that
# interrupt a loop would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
