"""The kernels of the code generation tests serve the accuracy tests too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "engine" / "llvm"))
