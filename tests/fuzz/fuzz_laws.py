"""What must hold for a program: the engines agree, eager and compiled; its derivatives agree with
each other; mapping it is a loop.

Programs at random have steps and cancellations: a difference in the last place may become any
difference. So a difference counts only when it is larger than what changes in the last places of
each step's result do to the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import ml_dtypes
import numpy as onp
from fuzz_program import Program

import vires
import vires.numpy as np
from vires import dtypes
from vires.core.primitive import PRIMITIVES

_TRIALS = 12
#: Changes of a step's result, and differences that are always allowed, in units in the last place.
_CHANGE, _ALLOWED = 8.0, 64.0
#: A difference counts when it is so many times the largest that a change made.
_FACTOR = 16.0


#: What derivatives say of programs that have none, by design.
_REFUSALS = ("needs forward mode", "needs unique_indices=True to be differentiated")


class Failure(NamedTuple):
    """A law that a program breaks."""

    law: str
    what: str


def run(program: Program, engine: str, compiled: bool) -> list[onp.ndarray]:
    """The results on an engine."""
    function = program.function()
    with vires.config.override("engine", engine):
        f = vires.jit(function) if compiled else function
        return [onp.asarray(x) for x in f(*_arrays(program))]


def _arrays(program: Program) -> list[Any]:
    return [np.asarray(x) for x in program.arguments.values()]


def resolution(dtype: Any) -> float:
    """The distance from 1 to the next number; 0 for what is exact."""
    if dtypes.issubdtype(dtype, onp.inexact):
        real = onp.finfo(dtype).dtype if onp.dtype(dtype).kind == "c" else dtype
        return float(ml_dtypes.finfo(real).eps)
    return 0.0


#: Operations that only move, choose or compare values, or whose rounding is the type's.
_EXACT = frozenset(
    "reshape transpose broadcast_in_dim squeeze expand_dims rev slice iota concatenate pad gather "
    "dynamic_slice dynamic_update_slice scatter select_n convert_element_type neg abs sign floor "
    "ceil round max min clamp copy real imag conj complex sort top_k reduce_max reduce_min cummax "
    "cummin scatter_max scatter_min reduce_window_max reduce_window_min argmax argmin while scan "
    "cond jit checkpoint custom_jvp_call custom_vjp_call bitcast_convert_type nextafter rem "
    "stop_gradient reduce_precision check select_and_gather_add".split()
)
#: Operations whose results may be the rests of larger terms: their operands are changed as well.
_SUMS = frozenset(
    "reduce_sum dot_general conv_general_dilated cumsum fft scatter_add reduce_window_sum "
    "triangular_solve cholesky lu solve select_and_scatter_add cumlogsumexp sub add atan2 "
    "householder_product qr geqrf cumprod reduce_prod scatter_mul tridiagonal_solve pow".split()
)


@contextmanager
def changes(seed: int) -> Generator[None]:
    """References whose inexact results differ in the last places, each element in its own way."""
    generator = onp.random.default_rng(seed)

    def change(x: Any) -> Any:
        x = onp.asarray(x)
        eps = resolution(x.dtype)
        if not eps:
            return x
        relative = 1 + _CHANGE * eps * generator.uniform(-1, 1, x.shape)
        return (x * relative.astype(x.real.dtype)).astype(x.dtype)

    def changed(name: str, reference: Callable[..., Any]) -> Callable[..., Any]:
        def results(*operands: Any, **params: Any) -> Any:
            if name in _SUMS:
                operands = tuple(map(change, operands))
            out = reference(*operands, **params)
            return list(map(change, out)) if isinstance(out, (list, tuple)) else change(out)

        return results

    kept = {p: p.reference for name, p in PRIMITIVES.items() if name not in _EXACT}
    for p, reference in kept.items():
        p.reference = changed(p.name, reference)
    try:
        yield
    finally:
        for p, reference in kept.items():
            p.reference = reference


def trials(program: Program) -> list[list[onp.ndarray]]:
    """The reference's results with changes in the last places of what each operation gives."""
    found: list[list[onp.ndarray]] = []
    for k in range(_TRIALS):
        try:
            with changes(k):
                found.append(run(program, "reference", True))
        except (TypeError, ValueError, IndexError):
            continue  # an index that depends on a rounding
    return found


def wide(x: onp.ndarray) -> onp.ndarray:
    """In a type that holds every number."""
    if x.dtype.kind == "c":
        return x.astype(onp.complex128)
    if dtypes.issubdtype(x.dtype, onp.floating):
        return x.astype(onp.float64)
    return x


def difference(a: onp.ndarray, b: onp.ndarray) -> onp.ndarray:
    """|a - b|, 0 where both are nan or the same, inf where only one is nan or they are different
    infinities.
    """
    if a.dtype.kind in "biu":
        return onp.where(a == b, 0.0, onp.inf)
    if a.dtype.kind == "c":
        # Which part of a product with an infinity is nan is nobody's rule.
        both = ~onp.isfinite(a) & ~onp.isfinite(b)
        apart = onp.maximum(difference(a.real, b.real), difference(a.imag, b.imag))
        return onp.where(both, 0.0, apart)
    both = onp.isnan(a) & onp.isnan(b)
    far = onp.abs(a - b)
    far = onp.where(onp.isnan(far), onp.inf, far)
    return onp.where(both | (a == b), 0.0, far)


def magnitude(x: onp.ndarray) -> onp.ndarray:
    """|x| where finite, else 0."""
    if x.dtype.kind in "biu":
        return onp.zeros(x.shape)
    far = onp.abs(x)
    return onp.where(onp.isfinite(far), far, 0.0)


def compare(
    found: Sequence[onp.ndarray],
    expected: Sequence[onp.ndarray],
    changed: Callable[[], list[list[onp.ndarray]]],
) -> str | None:
    """What is different beyond roundings; `changed` gives results after changes in last places."""
    for number, (f, e) in enumerate(zip(found, expected, strict=True)):
        if f.shape != e.shape or f.dtype != e.dtype:
            return f"result {number}: {f.dtype}{f.shape}, not {e.dtype}{e.shape}"
        eps = resolution(e.dtype)
        a, b = wide(f), wide(e)
        far = difference(a, b)
        tiny = (
            float(
                ml_dtypes.finfo(onp.finfo(e.dtype).dtype if e.dtype.kind == "c" else e.dtype).tiny
            )
            if eps
            else 0.0
        )
        allowed = _ALLOWED * eps * magnitude(b) + tiny
        if not (far > allowed).any():
            continue
        variants = [wide(results[number]) for results in changed()]
        if len(variants) < _TRIALS or any(v.shape != b.shape for v in variants):
            continue
        spread = onp.max([difference(v, b) for v in variants], axis=0)
        # An element that changes wildly makes its neighbours doubtful: sorting, sums, loops.
        if spread.size and onp.isinf(spread).any():
            allowed = onp.full(far.shape, onp.inf) if spread.size else allowed
        allowed = allowed + _FACTOR * spread
        wrong = far > allowed
        if wrong.any():
            place = tuple(int(i[0]) for i in onp.nonzero(wrong)) if f.shape else ()
            count = int(wrong.sum())
            return (
                f"result {number} {e.dtype}{list(e.shape)}: {count} of {max(f.size, 1)} wrong, at "
                f"{list(place)} {f[place]!r}, not {e[place]!r} (spread {spread[place]:.3g})"
            )
    return None


class _Lazy:
    """Results after changes, computed when first needed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.value: list[list[onp.ndarray]] | None = None

    def __call__(self) -> list[list[onp.ndarray]]:
        if self.value is None:
            self.value = trials(self.program)
        return self.value


def engines(program: Program) -> str | None:
    """Compiled, eager, and the reference give the same."""
    expected = run(program, "reference", True)
    changed = _Lazy(program)
    for how, compiled in (("compiled", True), ("eager", False)):
        wrong = compare(run(program, "llvm", compiled), expected, changed)
        if wrong is not None:
            return f"{how}: {wrong}"
    return None


def _differentiable(program: Program) -> list[int]:
    return [
        i
        for i, x in enumerate(program.arguments.values())
        if dtypes.issubdtype(x.dtype, onp.floating) and resolution(x.dtype) < 1e-5
    ]


def derivatives(program: Program) -> str | None:
    """<ct, J t> = <J^T ct, t>, in each engine; and the engines agree on J t and J^T ct."""
    places = _differentiable(program)
    if not places:
        return None
    arrays = _arrays(program)
    generator = onp.random.default_rng(program.seed)
    function = program.function()

    def f(*xs: Any) -> list[Any]:
        full = list(arrays)
        for i, x in zip(places, xs, strict=True):
            full[i] = x
        return [y for y in function(*full) if dtypes.issubdtype(y.dtype, onp.floating)]

    xs = tuple(arrays[i] for i in places)
    tangents = tuple(np.asarray(generator.standard_normal(x.shape).astype(x.dtype)) for x in xs)
    with vires.config.override("engine", "reference"):
        results = f(*xs)
    if not results:
        return None
    cotangents = [np.asarray(generator.standard_normal(y.shape)).astype(y.dtype) for y in results]

    def forward(*xs: Any) -> list[Any]:
        return vires.jvp(f, xs, tangents)[1]

    def backward(*xs: Any) -> list[Any]:
        return list(vires.vjp(f, *xs)[1](cotangents))

    for engine in ("reference", "llvm"):
        with vires.config.override("engine", engine):
            ts = [wide(onp.asarray(t)) for t in vires.jit(forward)(*xs)]
            cts = [wide(onp.asarray(t)) for t in vires.jit(backward)(*xs)]
        terms = [onp.ravel(t * wide(onp.asarray(c))) for t, c in zip(ts, cotangents, strict=True)]
        terms2 = [onp.ravel(c * wide(onp.asarray(t))) for c, t in zip(cts, tangents, strict=True)]
        left, right = onp.concatenate(terms), onp.concatenate(terms2)
        if not (onp.isfinite(left).all() and onp.isfinite(right).all()):
            continue
        scale = max(float(onp.abs(left).sum()), float(onp.abs(right).sum()))
        eps = max(resolution(y.dtype) for y in results)
        far = abs(float(left.sum() - right.sum()))
        if far <= 1e3 * eps * scale + 1e-30:
            continue
        # Values inside may be much larger than those that come out.
        gaps = [abs(a - b) for a, b in _changed(forward, backward, xs, cotangents, tangents)]
        if len(gaps) == _TRIALS and far > _FACTOR * max(gaps):
            return f"{engine}: <ct, J t> = {left.sum()!r}, <J^T ct, t> = {right.sum()!r}"
    return None


def _changed(
    forward: Any, backward: Any, xs: Any, cotangents: Any, tangents: Any
) -> list[tuple[float, float]]:
    """Both inner products after changes in the last places of what each operation gives."""
    found: list[tuple[float, float]] = []
    for k in range(_TRIALS):
        try:
            with changes(k), vires.config.override("engine", "reference"):
                ts, cts = vires.jit(forward)(*xs), vires.jit(backward)(*xs)
        except (TypeError, ValueError, IndexError):
            continue
        sides = [
            float(
                sum(
                    (wide(onp.asarray(a)) * wide(onp.asarray(b))).sum()
                    for a, b in zip(x, y, strict=False)
                )
            )
            for x, y in ((ts, cotangents), (cts, tangents))
        ]
        found.append((sides[0], sides[1]))
    return found


def mapping(program: Program) -> str | None:
    """vmap gives what a loop over the examples gives."""
    arrays = [onp.asarray(x) for x in program.arguments.values()]
    if not arrays or max(x.size for x in arrays) > 600:
        return None
    generator = onp.random.default_rng(program.seed + 1)
    count = 3
    mapped = generator.random(len(arrays)) < 0.8
    mapped[int(generator.integers(len(arrays)))] = True
    axes = [
        int(generator.integers(x.ndim + 1)) if m else None
        for x, m in zip(arrays, mapped, strict=False)
    ]
    stacked, examples = [], [list(arrays) for _ in range(count)]
    for i, (x, axis) in enumerate(zip(arrays, axes, strict=True)):
        if axis is None:
            stacked.append(np.asarray(x))
            continue
        for k in range(1, count):  # the elements in another order
            examples[k][i] = generator.permutation(x.ravel()).reshape(x.shape)
        stacked.append(np.asarray(onp.stack([e[i] for e in examples], axis)))
    function = program.function()
    with vires.config.override("engine", "llvm"):
        results = vires.jit(vires.vmap(function, in_axes=tuple(axes)))(*stacked)
    found = [onp.asarray(x) for x in results]
    for k, example in enumerate(examples):
        one = Program(
            dict(zip(program.arguments, example, strict=True)),
            program.steps, program.result, program.seed,
        )  # fmt: skip
        wrong = compare([x[k] for x in found], run(one, "reference", True), _Lazy(one))
        if wrong is not None:
            return f"axes {axes}, example {k}: {wrong}"
    return None


LAWS: dict[str, Callable[[Program], str | None]] = {
    "engines agree": engines,
    "derivatives agree": derivatives,
    "vmap is a loop": mapping,
}


def check(program: Program, laws: Sequence[str] = tuple(LAWS)) -> Failure | None:
    """The first law that a program breaks; an error in it is a failure too."""
    for law in laws:
        try:
            wrong = LAWS[law](program)
        except Exception as error:  # whatever it is, it is to be told with its program
            if any(refusal in str(error) for refusal in _REFUSALS):
                continue
            wrong = f"{type(error).__name__}: {str(error)[:300]}"
        if wrong is not None:
            return Failure(law, wrong)
    return None
