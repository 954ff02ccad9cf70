"""What an engine is, and which one runs: `config.engine`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr
from vires.core.primitive import Primitive
from vires.core.trace import engine_slot
from vires.engine.watched import logged, looked_at, watching


class Engine(Protocol):
    """Runs operations at once, and compiles programs."""

    name: str

    def eager(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result(s) of one operation on concrete operands; an operand that is a tracer has
        leaked.
        """
        ...

    def compile(
        self, closed: ClosedJaxpr, *, name: str = "program", donate: Sequence[int] = ()
    ) -> Any:
        """A native `Executable` of the program, whose inputs are its `invars`."""
        ...

    def resolve_elementwise(
        self, name: str, function: Callable[..., Any], descriptors: Sequence[Any]
    ) -> Any:
        """An `ElementwiseKernel` for a function of scalars on operands of these kinds, or None
        where there is none.
        """
        ...

    def plan(self, closed: ClosedJaxpr, skeleton: Any = None) -> Callable[..., Any] | None:
        """A function of concrete inputs that runs a short program eagerly, everything resolved
        beforehand; None: there is none. Its results are built along `skeleton` (tuples, lists,
        dicts, None and numbers of results), by default a tuple.
        """
        ...


#: Engines by name; made when first asked for.
_makers: dict[str, Callable[[], Engine]] = {}
_engines: dict[str, Engine] = {}


def register(name: str, maker: Callable[[], Engine]) -> None:
    """Make an engine selectable by `config.update("engine", name)`."""
    _makers[name] = maker


def current() -> Engine:
    """The configured engine."""
    name = config.read("engine")
    engine = _engines.get(name)
    if engine is None:
        maker = _makers.get(name)
        if maker is None:
            raise ValueError(
                f"config.engine: needs one of {', '.join(sorted(_makers))}; got {name!r}"
            )
        engine = _engines[name] = maker()
    return engine


def plug() -> None:
    """Make the configured engine the one that the core's interpreter calls."""
    engine = current()
    watch = watching()
    engine_slot.eager = looked_at(engine.eager) if watch else engine.eager
    engine_slot.compile = logged(engine.compile)
    engine_slot.plan = engine.plan
    engine_slot.resolve_elementwise = _no_kernel if watch else engine.resolve_elementwise


def _no_kernel(name: str, function: Callable[..., Any], descriptors: Sequence[Any]) -> None:
    """No native kernel: each operation goes through the interpreter, where it is looked at."""
