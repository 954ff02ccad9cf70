"""jit: compile a function for the types of its arguments, at its first call with them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vires import _native
from vires._native import Array
from vires.api.arguments import (
    ArgumentNames,
    as_names,
    as_positions,
    check_callable,
    is_arraylike,
    leaf_avals,
    match_positions_and_names,
    name_of,
)
from vires.api.stages import Lowered, Traced
from vires.control.call import jit_call
from vires.core import memo, tree
from vires.core.avals import ShapedArray
from vires.core.collection import paused
from vires.core.config import config
from vires.core.jaxpr import ClosedJaxpr
from vires.core.staging import close_over, stage
from vires.core.trace import EVAL, Tracer, as_array, aval_of, engine_slot, thread

#: Signatures of one function whose staged program is kept; the oldest goes first.
_MOST_PROGRAMS = 4096


_compiled: memo.Living[Any] = memo.Living()


def _forget() -> None:
    for compiled in _compiled:
        compiled.clear_cache()


memo.on_clear(_forget)


@dataclass
class Program:
    """A function staged for one signature."""

    closed: ClosedJaxpr
    out_tree: Any
    name: str
    names: Sequence[str]
    avals: tuple[ShapedArray, ...]

    @property
    def open_over_tracers(self) -> bool:
        """Whether it closes over values of an outer transformation, so that it must not be kept."""
        return any(isinstance(c, Tracer) for c in self.closed.consts)


class Jitted:
    """What a jitted function knows; the native object that users call leads here on a miss."""

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnums: tuple[int, ...],
        static_argnames: tuple[str, ...],
        donate_argnums: tuple[int, ...],
        donate_argnames: tuple[str, ...],
        inline: bool,
        keep_unused: bool,
    ) -> None:
        self.function = function
        self.static_argnums = static_argnums
        self.static_argnames = frozenset(static_argnames)
        self.donate_argnums = donate_argnums
        self.donate_argnames = frozenset(donate_argnames)
        self.inline = inline
        self.keep_unused = keep_unused
        self.name = name_of(function)
        self.programs: dict[Any, Program] = {}

    # --- arguments

    def split(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Static arguments as a hashable key, and the dynamic ones as (args, kwargs)."""
        if not self.static_argnums and not self.static_argnames:
            return ((), (), ()), (tuple(args), kwargs)
        static_positions = {i if i >= 0 else i + len(args) for i in self.static_argnums}
        static = tuple((i, args[i]) for i in sorted(static_positions) if 0 <= i < len(args))
        named = tuple((k, kwargs[k]) for k in sorted(kwargs) if k in self.static_argnames)
        for label, value in (*static, *named):
            self._check_static(label, value)
        # 1, 1.0 and True are equal, but not the same constant.
        types = tuple(type(value) for _, value in (*static, *named))
        dynamic = tuple(x for i, x in enumerate(args) if i not in static_positions)
        return (static, named, types), (
            dynamic,
            {k: v for k, v in kwargs.items() if k not in self.static_argnames},
        )

    def _check_static(self, label: Any, value: Any) -> None:
        place = f"argument {label!r}" if isinstance(label, str) else f"argument {label}"
        if isinstance(value, Tracer):
            raise TypeError(
                f"jit: needs concrete, hashable values for static arguments; got the traced value "
                f"{value.aval.str_short()} for {place} of {self.name}; try to make it a dynamic "
                "argument"
            )
        try:
            hash(value)
        except TypeError as error:
            raise ValueError(
                f"jit: needs hashable values for static arguments; got {type(value).__name__} for "
                f"{place} of {self.name}; try a tuple, or a dynamic argument"
            ) from error

    def donated(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[bool]:
        """For each dynamic leaf, whether its buffer may be reused."""
        static_positions = {i if i >= 0 else i + len(args) for i in self.static_argnums}
        donated_positions = {i if i >= 0 else i + len(args) for i in self.donate_argnums}
        flags: list[bool] = []
        for i, x in enumerate(args):
            if i not in static_positions:
                flags += [i in donated_positions] * len(tree.leaves(x))
        for k in sorted(kwargs):
            if k not in self.static_argnames:
                flags += [k in self.donate_argnames] * len(tree.leaves(kwargs[k]))
        return flags

    # --- staging

    def staged(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Program:
        """A program for these arguments, staged anew."""
        static, dynamic = self.split(args, kwargs)
        leaves, in_tree = tree.flatten(dynamic)
        return self._stage(static, in_tree, tuple(map(aval_of, leaves)))

    def program(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Program, list[Any]]:
        """The staged program for these arguments, and the dynamic leaves."""
        static, dynamic = self.split(args, kwargs)
        leaves, in_tree = tree.flatten(dynamic)

        def where(i: int) -> str:
            names = ArgumentNames(self.function, in_tree, [at for at, _ in static[0]])
            return f"{names[i]} of {self.name}"

        avals = leaf_avals(leaves, "jit", where)
        axes = tuple(thread.axes.items())
        key = (in_tree, avals, static, config.state, axes)
        program = self.programs.get(key)
        if program is None:
            program = self._stage(static, in_tree, avals)
            if not program.open_over_tracers:
                if len(self.programs) >= _MOST_PROGRAMS:
                    self.programs.pop(next(iter(self.programs)))
                self.programs[key] = program
        return program, leaves

    def _stage(self, static: Any, in_tree: Any, avals: tuple[ShapedArray, ...]) -> Program:
        out_tree: Any = None
        positions, named, _ = static

        def flat(*xs: Any) -> list[Any]:
            nonlocal out_tree
            call_args, call_kwargs = tree.unflatten(in_tree, xs)
            if positions:
                call_args = list(call_args)
                for i, value in positions:
                    call_args.insert(i, value)
            result = self.function(*call_args, **call_kwargs, **dict(named))
            results, out_tree = tree.flatten(result)
            for x in results:
                if not is_arraylike(x):
                    raise TypeError(
                        "jit: needs results that are arrays or containers of them; got "
                        f"{type(x).__name__} from {self.name}"
                    )
            return [x if isinstance(x, (Tracer, Array)) else as_array(x) for x in results]

        names = ArgumentNames(self.function, in_tree, [i for i, _ in positions])
        closed = stage(flat, avals, name=self.name, names=names)
        return Program(closed, out_tree, self.name, names, avals)

    # --- the two ways to run

    def trace_call(self, *args: Any, **kwargs: Any) -> Any:
        """Inside a transformation (or if it cannot be compiled): bind the call as one equation."""
        if config.disable_jit or config.debug_nans or config.debug_infs:
            return self.function(*args, **kwargs)
        program, leaves = self.program(args, kwargs)
        opened, consts = close_over(program.closed)
        operands = [*consts, *leaves]
        results = jit_call(*operands, jaxpr=opened, name=self.name, inline=self.inline)
        return tree.unflatten(program.out_tree, results)

    def miss(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Compile for a new signature; None when this call has to be traced."""
        if config.disable_jit or config.debug_nans or config.debug_infs:
            return None
        with paused:
            program, _ = self.program(args, kwargs)
            if program.open_over_tracers:
                return None
            donates = self.donate_argnums or self.donate_argnames
            return self.compile(program, self.donated(args, kwargs) if donates else ())

    def compile(self, program: Program, donated: Sequence[bool]) -> Any:
        """An executable of the native core, with its output tree; `donated` says which leaves'
        buffers may be reused (none if it is empty).
        """
        closed, kept = prune(program.closed) if not self.keep_unused else (program.closed, None)
        donate: Sequence[int] = ()
        if donated:
            flags = donated if kept is None else [donated[i] for i in kept]
            donate = tuple(i for i, flag in enumerate(flags) if flag)
        executable = engine_slot.compile(closed, name=program.name, donate=donate)
        out_tree = program.out_tree
        skeleton = tree.unflatten(out_tree, range(out_tree.num_leaves))
        executable.set_output_tree(skeleton, functools.partial(tree.unflatten, out_tree))
        executable.kept = kept
        return executable


def prune(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[int] | None]:
    """Drop arguments that nothing uses: the program of the others, their numbers (None: all)."""
    jaxpr = closed.jaxpr
    used = set(map(id, jaxpr.outvars))
    for eqn in jaxpr.eqns:
        used.update(map(id, eqn.invars))
    kept = [i for i, v in enumerate(jaxpr.invars) if id(v) in used]
    if len(kept) == len(jaxpr.invars):
        return closed, None
    names = jaxpr.names or [""] * len(jaxpr.invars)
    smaller = type(jaxpr)(
        jaxpr.constvars,
        [jaxpr.invars[i] for i in kept],
        jaxpr.outvars,
        jaxpr.eqns,
        [names[i] for i in kept],
    )
    return ClosedJaxpr(smaller, closed.consts), kept


def jit(
    fun: Callable[..., Any] | None = None,
    /,
    *,
    in_shardings: Any = None,
    out_shardings: Any = None,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    compiler_options: dict[str, Any] | None = None,
) -> Any:
    """Compile a function for the types of its arguments.

    The first call with new shapes, dtypes or static values traces the function and compiles the
    program; later calls run the machine code. The function must be pure: Python side effects happen
    only while tracing.

    Args:
      fun: the function; its arguments are arrays, numbers or pytrees of them. Without it, a
        decorator is returned.
      static_argnums, static_argnames: arguments that are compile-time constants (hashable); a new
        value compiles anew.
      donate_argnums, donate_argnames: arguments whose memory the results may take over; they are
        deleted by the call.
      keep_unused: keep arguments that the function does not use.
      inline: splice the program into an enclosing one instead of calling it.
      compiler_options, backend, device, in_shardings, out_shardings: accepted where they are None.

    Raises:
      TypeError: arguments that are not arrays; Python control flow on traced values (with advice).
      ValueError: static arguments that are not hashable, or positions and names that do not exist.

    >>> import vires
    >>> import vires.numpy as np
    >>> vires.jit(lambda x, y: np.sin(x) + np.cos(y))(0.0, 0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    options = {
        "in_shardings": in_shardings,
        "out_shardings": out_shardings,
        "device": device,
        "backend": backend,
        "compiler_options": compiler_options,
    }
    given = [
        name
        for name, value in options.items()
        if value is not None and not (name == "backend" and value == "cpu")
    ]
    if given:
        raise ValueError(
            f"jit: needs the CPU engine's options; got {', '.join(given)}; try to leave {given[0]} "
            "out"
        )
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
            keep_unused=keep_unused,
            inline=inline,
        )
    check_callable(fun, "jit")
    static_positions, static_names = match_positions_and_names(
        fun, as_positions(static_argnums, "jit"), as_names(static_argnames, "jit"), "jit"
    )
    donate_positions, donate_names = match_positions_and_names(
        fun, as_positions(donate_argnums, "jit"), as_names(donate_argnames, "jit"), "jit"
    )
    if set(static_positions) & set(donate_positions):
        raise ValueError(
            "jit: needs different arguments in static_argnums and donate_argnums; got one in both"
        )
    jitted = Jitted(
        fun, static_positions, static_names, donate_positions, donate_names, inline, keep_unused
    )
    compiled = _native.CompiledFunction(
        jitted.miss, jitted.trace_call, static_positions, static_names
    )
    functools.update_wrapper(compiled, fun)
    _compiled.add(compiled)

    def trace(*args: Any, **kwargs: Any) -> Traced:
        program, _ = jitted.program(*_abstract(args, kwargs))
        return Traced(program, jitted)

    def lower(*args: Any, **kwargs: Any) -> Lowered:
        """Stage the function for these arguments, without a run; `.compile()` gives a callable."""
        return trace(*args, **kwargs).lower()

    def eval_shape(*args: Any, **kwargs: Any) -> Any:
        return trace(*args, **kwargs).out_info

    compiled.trace, compiled.lower, compiled.eval_shape = trace, lower, eval_shape
    return compiled


def _abstract(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Arguments where anything with a shape and a dtype stands for an array of that type."""

    def leaf(x: Any) -> Any:
        if not is_arraylike(x) and hasattr(x, "shape") and hasattr(x, "dtype"):
            return _TypeOnly(x)
        return x

    return tree.map(leaf, args), {k: tree.map(leaf, v) for k, v in kwargs.items()}


class _TypeOnly(Tracer):
    """An argument of which only the type is given."""

    __slots__ = ()

    def __init__(self, like: Any) -> None:
        self._trace = EVAL
        self.aval = ShapedArray(tuple(like.shape), like.dtype, getattr(like, "weak_type", False))
