"""The stages of a jitted function: traced, lowered, compiled (as JAX's `jax.stages`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.api.arguments import leaf_avals
from vires.api.structs import ShapeDtypeStruct
from vires.core import tree
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr
from vires.core.trace import as_array
from vires.engine.llvm.analysis import cost_analysis


class Traced:
    """A function staged for one signature: `.jaxpr`, `.out_info`, `.lower()`."""

    def __init__(self, program: Any, jitted: Any) -> None:
        self._program = program
        self._jitted = jitted

    @property
    def jaxpr(self) -> ClosedJaxpr:
        return self._program.closed

    @property
    def fun_name(self) -> str:
        return self._program.name

    @property
    def out_info(self) -> Any:
        """Types of the results, in the structure of the result."""
        avals = self._program.closed.out_avals
        return tree.unflatten(self._program.out_tree, [ShapeDtypeStruct.of(a) for a in avals])

    def lower(self) -> Lowered:
        return Lowered(self._program, self._jitted)


class Lowered:
    """A staged program, ready to be compiled."""

    def __init__(self, program: Any, jitted: Any) -> None:
        self._program = program
        self._jitted = jitted

    @property
    def out_info(self) -> Any:
        return Traced(self._program, self._jitted).out_info

    def as_text(self, dialect: str | None = None) -> str:
        """The program as text: its jaxpr."""
        if dialect not in (None, "jaxpr"):
            raise ValueError(f"as_text: needs dialect None or 'jaxpr'; got {dialect!r}")
        return repr(self._program.closed)

    def compile(self, compiler_options: dict[str, Any] | None = None) -> Compiled:
        if compiler_options:
            raise ValueError(f"compile: needs no compiler options; got {compiler_options!r}")
        if self._program.open_over_tracers:
            raise TypeError(
                "compile: needs a function that closes over no traced values; got some; try to "
                "pass them in"
            )
        executable = self._jitted.compile(self._program, [False] * len(self._program.avals))
        return Compiled(self._program, executable, self._jitted)


class Compiled:
    """Machine code for one signature; call it with arguments of just these types."""

    def __init__(self, program: Any, executable: Any, jitted: Any) -> None:
        self._program = program
        self._executable = executable
        self._jitted = jitted

    @property
    def out_info(self) -> Any:
        return Traced(self._program, self._jitted).out_info

    def as_text(self) -> str:
        return repr(self._program.closed)

    def cost_analysis(self) -> dict[str, float]:
        """What a call costs: "flops", "transcendentals" and "bytes accessed".

        Operations on elements count one each, products by the textbook; values of elementary
        functions count as transcendentals. Bytes are what the kernels read and write. The body of
        a scan counts as often as it runs, that of a while_loop once. `vires.explain` measures.

        >>> import vires
        >>> x = vires.numpy.ones(1000)
        >>> vires.jit(lambda x: 2 * vires.numpy.sin(x)).lower(x).compile().cost_analysis()
        {'flops': 1000.0, 'transcendentals': 1000.0, 'bytes accessed': 8000.0}
        """
        return cost_analysis(self._program.closed)

    def memory_analysis(self) -> dict[str, int]:
        """Bytes of the arguments and of the results."""
        program = self._program.closed
        return {
            "argument_size_in_bytes": sum(a.nbytes for a in program.in_avals),
            "output_size_in_bytes": sum(a.nbytes for a in program.out_avals),
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _, dynamic = self._jitted.split(args, kwargs)
        leaves, _ = tree.flatten(dynamic)
        avals = leaf_avals(leaves, "compiled function", lambda i: f"leaf {i}")
        _check(avals, self._program.avals, self._program.names, self._program.name)
        kept = self._executable.kept
        operands = [as_array(x) for x in leaves]
        if kept is not None:
            operands = [operands[i] for i in kept]
        return tree.unflatten(self._program.out_tree, self._executable.execute(operands))


def _check(
    found: Sequence[ShapedArray],
    expected: Sequence[ShapedArray],
    names: Sequence[str],
    function: str,
) -> None:
    if len(found) != len(expected):
        raise TypeError(
            f"{function}: needs {len(expected)} arrays, as when it was compiled; got {len(found)}"
        )
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if not a.same_type(b):
            name = names[i] if i < len(names) else f"leaf {i}"
            raise TypeError(
                f"{function}: needs {b.str_short()} for {name}, as when it was compiled; got "
                f"{a.str_short()}; try to call the jitted function instead"
            )
