"""What a compiled program costs, without running it: operations and memory traffic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, cast

from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, subjaxprs
from vires.engine.llvm import pipeline
from vires.engine.llvm.explain_costs import (
    block_reads,
    block_writes,
    equation_operations,
    kernel_reads,
    kernel_writes,
)
from vires.engine.llvm.program import Kernel, Region
from vires.engine.llvm.roll import roll
from vires.ops.families import Elementwise

_TRANSCENDENTAL = frozenset(
    "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log1p "
    "logistic sqrt rsqrt cbrt pow erf erfc erf_inv lgamma digamma".split()
)
#: Elementwise operations that copy bits.
_FREE = frozenset("copy copy_p real imag stop_gradient name optimization_barrier".split())


class Cost(NamedTuple):
    """How much there is to compute."""

    flops: float = 0.0
    transcendentals: float = 0.0

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        return Cost(
            self.flops + times * other.flops,
            self.transcendentals + times * other.transcendentals,
        )


def cost_analysis(closed: ClosedJaxpr) -> dict[str, float]:
    """Operations of a program and bytes that its kernels read and write.

    * `flops`: operations on elements, one each; products and decompositions by the textbook.
    * `transcendentals`: values of elementary functions (sin, exp, sqrt, pow, ...), which are no
      flops.
    * `bytes accessed`: of each step what it reads and writes; values inside a kernel do not count.

    The body of a scan counts as often as it runs, that of a loop until a condition fails once; of
    branches the dearest counts.
    """
    cost = _of_program(closed.jaxpr)
    builder, region, results = pipeline.lower(roll(closed))
    pipeline.arrange(builder, region, results, "cost_analysis", ())
    return {
        "flops": cost.flops,
        "transcendentals": cost.transcendentals,
        "bytes accessed": _traffic(region),
    }


def _of_program(jaxpr: Jaxpr) -> Cost:
    total = Cost()
    for eqn in jaxpr.eqns:
        total = total.plus(_of_equation(eqn))
    return total


def _of_equation(eqn: JaxprEqn) -> Cost:
    name, params = eqn.primitive.name, eqn.params
    programs = [p.jaxpr if isinstance(p, ClosedJaxpr) else p for p in subjaxprs(params)]
    if name == "cond":
        return max((_of_program(p) for p in programs), key=sum, default=Cost())
    if name == "custom_linear_solve":
        return _of_program(params["jaxprs"].solve.jaxpr)
    if name == "linear_call":
        return _of_program(params["callee"].jaxpr)
    if programs:
        times = params["length"] if name == "scan" else _result_size(eqn) if name == "reduce" else 1
        return _sum(map(_of_program, programs), times)
    counted = equation_operations(eqn)
    if counted is not None:
        return Cost(counted)
    size = _result_size(eqn)
    if isinstance(eqn.primitive, Elementwise):
        if name in _FREE:
            return Cost()
        return Cost(0.0, size) if name in _TRANSCENDENTAL else Cost(size)
    operand = eqn.invars[0].aval.size if eqn.invars else 0
    if name.startswith("reduce_window"):
        return Cost(size * math.prod(params["window_dimensions"]))
    if name.startswith(("reduce_", "argm")):
        return Cost(max(operand - size, 0))
    if name.startswith("cum"):
        return Cost(operand)
    if name in ("sort", "top_k"):
        axis = params.get("dimension", -1)
        return Cost(operand * math.log2(max(eqn.invars[0].aval.shape[cast("int", axis)], 2)))
    if name.startswith("scatter_"):
        return Cost(eqn.invars[-1].aval.size)
    return Cost()


def _sum(costs: Iterable[Cost], times: float) -> Cost:
    total = Cost()
    for cost in costs:
        total = total.plus(cost, times)
    return total


def _result_size(eqn: JaxprEqn) -> int:
    return eqn.outvars[0].aval.size if eqn.outvars else 0


def _traffic(region: Region) -> float:
    """Bytes that the steps of a region read and write."""
    total = 0.0
    for step in region.steps:
        if isinstance(step, Kernel):
            total += sum(x.nbytes for x in (*kernel_reads(step), *kernel_writes(step)))
        elif any(inner.steps for inner in step.regions):
            parts = [_traffic(inner) for inner in step.regions]
            inside = max(parts) if step.kind == "branch" else sum(parts)
            total += inside * step.params.get("length", 1)
        else:
            total += sum(x.nbytes for x in (*block_reads(step), *block_writes(step)))
    return total
