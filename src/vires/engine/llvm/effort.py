"""How much effort the code generator spends on a kernel: at first, when somebody waits, and in the
end.
"""

from __future__ import annotations

import math

from vires.engine.llvm.plan import reads, writes
from vires.engine.llvm.program import Block, Kernel, Region

#: Kernels above this cost, in additions, are compiled with more effort in the end. What a fold
#: carries from turn to turn lies on the stack before: it runs two to five times as long.
_WORTH, _WORTH_FOLDING = 200_000.0, 20_000.0
#: Kernels that run more turns of their innermost loop are at first, too: the hurried code would
#: lose more time than the better takes to compile. It keeps values on the stack, which costs little
#: next to reading and writing arrays in memory, and much in loops on what is in registers or cache.
_LONG = 2_000_000
_LONG_IN_CACHE = 300_000
#: Bytes of arrays in a turn from which on memory decides.
_STREAM = 32
#: Turns of a loop whose number nobody knows.
_UNKNOWN = 100


def settle(region: Region, times: int = 1) -> None:
    """Decide the effort for the kernels of a region that runs so many times in a call."""
    for step in region.steps:
        kernel = step if isinstance(step, Kernel) else step.params.get("kernel")
        if isinstance(step, Block) and "epilogue" in step.params:
            kernel = step.params["epilogue"].kernel
        if isinstance(kernel, Kernel):
            _settle(kernel, times)
        if not isinstance(step, Kernel):
            length = step.params.get("length", _UNKNOWN if step.kind == "while" else 1)
            for inner in step.regions:
                settle(inner, times * length)


def _settle(kernel: Kernel, times: int) -> None:
    unknown = kernel.turns is not None and kernel.turns.test is not None
    around = math.prod([v.size for v in kernel.loops])
    turns = _UNKNOWN * around if unknown else math.prod([v.size for v in kernel.order])
    worth = _WORTH_FOLDING if kernel.folds or kernel.turns is not None else _WORTH
    kernel.level = 1 if kernel.work * times > worth else 0
    turns //= kernel.lanes
    buffers = {*reads(kernel), *writes(kernel)}
    once = kernel.turns is None and times == 1
    streams = once and sum(b.nbytes for b in buffers) >= _STREAM * turns
    long = _LONG if streams else _LONG_IN_CACHE
    kernel.quick = kernel.level if turns * times > long else 0
