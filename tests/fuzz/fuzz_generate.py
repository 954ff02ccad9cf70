"""Random programs: grown a step at a time, each tried at once on the reference engine."""

from __future__ import annotations

import random
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import fuzz_nested  # noqa: F401  (declares its operations)
import numpy as onp
from fuzz_operations import OPERATIONS, Value, pick
from fuzz_program import SCOPE, Program, Step

import vires

_LARGEST = 4000
_SIZES = (0, 1, 1, 2, 3, 3, 4, 5, 7, 8, 9, 16, 17, 33)
#: Operations without a derivative, or that have one nowhere: not in bodies that are differentiated.
_ROUGH = frozenset("cast compare position order unary_integer".split())
#: Errors of operations that do not fit: seen by (operation, message), for those who want to look.
refused: Counter[tuple[str, str]] = Counter()


class Scope:
    """Values that a program can use, and the steps so far. A function inside has a scope of its
    own that sees the values around it.
    """

    def __init__(self, rng: random.Random, main: str, numbers: list[int]) -> None:
        self.rng = rng
        self.main = main
        self.numbers = numbers
        self.values: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.own: list[str] = []
        self.depth = 0
        self.smooth = False
        self._types: dict[str, Value] = {}

    # What makers ask for.

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def choose(self, options: Any) -> Any:
        return self.rng.choice(options)

    def integer(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def shuffled(self, items: Iterable[int]) -> tuple[int, ...]:
        items = list(items)
        self.rng.shuffle(items)
        return tuple(items)

    def fresh(self) -> str:
        self.numbers[0] += 1
        return f"v{self.numbers[0]}"

    def typed(self) -> list[Value]:
        return list(self._types.values())

    def any(self) -> Value:
        """A value; the newer, the likelier."""
        values = self.typed()
        return values[-1 - min(int(self.rng.expovariate(0.3)), len(values) - 1)]

    def find(self, good: Callable[[Value], bool]) -> Value | None:
        """A value of some kind."""
        found = [v for v in self.typed() if good(v)]
        if not found:
            return None
        return self.rng.choice(found[-4:] if self.chance(0.7) else found)

    def numeric(self) -> Value | None:
        return self.find(lambda v: v.kind != "b")

    def small(self) -> Value | None:
        """A value that a loop can carry."""
        return self.find(lambda v: v.size <= 300 and v.kind != "b")

    def broadcastable(self, x: Value) -> Value | None:
        """A value whose shape goes with another's."""

        def fits(v: Value) -> bool:
            try:
                return onp.prod(onp.broadcast_shapes(v.shape, x.shape)) <= _LARGEST
            except ValueError:
                return False

        return self.find(fits)

    def axis(self, x: Value) -> int:
        return self.rng.randrange(x.ndim)

    def axes(self, x: Value) -> Any:
        """None, an axis or several."""
        if not x.ndim or self.chance(0.3):
            return None
        if self.chance(0.6):
            return self.axis(x)
        return tuple(sorted(self.rng.sample(range(x.ndim), self.rng.randint(0, x.ndim))))

    @staticmethod
    def reduced(x: Value, axis: Any) -> int:
        """How many elements a reduction combines."""
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        size = 1
        for i in axes:
            size *= x.shape[i]
        return size

    def places(self, n: int, safe: bool) -> str:
        """Indices of an axis, within it or not."""
        low, high = (-n, n - 1) if safe else (-n - 2, n + 2)
        if low > high:
            return "onp.zeros(0, 'int32')"
        shape = self.choose([(3,), (5,), (2, 2), (1,), (0,)])
        count = int(onp.prod(shape))
        values = onp.array([self.integer(low, high) for _ in range(count)]).reshape(shape)
        kind = self.choose(["int32", "int32", "int64", "int8"])
        return f"onp.array({values.tolist()}, '{kind}').reshape({shape})"

    def distinct_places(self, n: int) -> str:
        count = self.integer(0, n)
        return f"onp.array({sorted(self.rng.sample(range(n), count))}, 'int32')"

    def scalar_index(self) -> str:
        i = self.find(lambda v: v.kind == "i" and not v.shape)
        return i.name if i is not None and self.chance(0.5) else str(self.integer(-3, 6))

    # Functions inside.

    def inner(self, parameters: dict[str, str], smooth: bool = False) -> Scope | None:
        """The scope of a function whose parameters have the values of some expressions."""
        if self.depth >= 2:
            return None
        found = Scope(self.rng, self.main, self.numbers)
        found.depth = self.depth + 1
        found.smooth = smooth or self.smooth
        outer = [v for v in self.typed() if v.size <= 600]
        for v in self.rng.sample(outer, min(2, len(outer))):
            found.add(v.name, self.values[v.name])
        for name, text in parameters.items():
            found.add(name, evaluate(text, self.values))
            found.own.append(name)
        return found

    def define(self, name: str, parameters: tuple[str, ...], result: str) -> str:
        """The text of a function with this scope's steps."""
        lines = [f"def {name}({', '.join(parameters)}):"]
        lines += [textwrap.indent(step.text, "    ") for step in self.steps]
        lines.append(f"    return {result}\n")
        return "\n".join(lines)

    def block(self, lines: str, expression: str) -> str:
        return f"{lines}{{name}} = {expression}"

    def last(self) -> str:
        return (self.own or list(self.values))[-1]

    def last_float(self) -> str | None:
        found = [n for n in self.own if self._types[n].kind == "f"]
        return found[-1] if found else None

    def like(self, x: Value, default: str) -> str:
        """An own value of a given type, or an expression that makes one of the last value."""
        found = [n for n in self.own if (v := self._types[n]).shape == x.shape and v.kind == x.kind]
        if found and found[-1] != default:
            return f"{found[-1]}.astype('{x.type}')"
        last = self._types[self.last()]
        if x.kind == last.kind == "f" and last.size:
            return f"({default} * 0.5 + np.tanh(np.sum({self.last()}))).astype('{x.type}')"
        return default

    # Growing.

    def add(self, name: str, value: Any) -> None:
        self.values[name] = value
        self._types[name] = Value(name, value.shape, value.dtype)

    def grow(self, steps: int) -> None:
        """Add some steps."""
        tries = 0
        while steps and tries < 200:
            tries += 1
            operation = pick(self.rng)
            if self.smooth and operation in _ROUGH:
                continue
            if self.try_step(operation):
                steps -= 1

    def try_step(self, operation: str) -> bool:
        """One step of an operation, if it fits."""
        text = OPERATIONS[operation][1](self)
        if text is None:
            return False
        name = self.fresh()
        text = text.replace("{name}", name) if "{name}" in text else f"{name} = {text}"
        scope = {**SCOPE, **self.values}
        try:
            exec(compile(text, f"<{operation}>", "exec"), scope)
        except (TypeError, ValueError, IndexError, OverflowError, NotImplementedError) as error:
            refused[operation, str(error)[:160]] += 1
            return False
        value = scope[name]
        if value.size > _LARGEST or value.ndim > 5:
            return False
        self.add(name, value)
        self.own.append(name)
        self.steps.append(Step(name, text, operation))
        return True


def evaluate(text: str, values: dict[str, Any]) -> Any:
    """The value of an expression."""
    return eval(text, {**SCOPE, **values})


def numbers(rng: random.Random, dtype: str, shape: tuple[int, ...], special: bool) -> onp.ndarray:
    """Values of a type, some of them nan, inf or -0.0 if wanted."""
    generator = onp.random.default_rng(rng.getrandbits(32))
    if dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if "int" in dtype:
        low, high = (0, 9) if dtype[0] == "u" else (-9, 9)
        values = onp.asarray(generator.integers(low, high + 1, shape)).astype(dtype)
        if special and values.size:
            values.flat[rng.randrange(values.size)] = onp.iinfo(dtype).max
        return values
    values = onp.asarray(generator.standard_normal(shape))
    if dtype.startswith("complex"):
        values = values + 1j * generator.standard_normal(shape)
    values = onp.asarray(values).astype(vires.dtypes.canonicalize_dtype(dtype))
    if special and values.size:
        strange = [onp.nan, onp.inf, -onp.inf, -0.0, 0.0, 1e-30]
        if dtype.startswith("complex"):  # which part of a product is nan is nobody's rule
            strange = [0.0, -0.0, 1e-30]
        for x in rng.choices(strange, k=3):
            values.flat[rng.randrange(values.size)] = x
    return values


def random_shape(rng: random.Random) -> tuple[int, ...]:
    if rng.random() < 0.04:
        return rng.choice([(3000,), (1, 2049), (65, 40), (1500, 2)])
    shape = tuple(rng.choice(_SIZES) for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])))
    while onp.prod(shape) > 600:
        shape = shape[:-1]
    return shape


_MAIN = ["float32"] * 6 + "float64 float64 int32 float16 bfloat16 complex64".split()


def generate(seed: int) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    main = rng.choice(_MAIN)
    scope = Scope(rng, main, [0])
    arguments: dict[str, onp.ndarray] = {}
    special = rng.random() < 0.25
    with vires.config.override("engine", "reference"):
        for i in range(rng.randint(1, 3)):
            dtype = main if i == 0 or rng.random() < 0.6 else rng.choice(
                ["int32", "bool", "uint8", "float32", "int64", "int8"]
            )  # fmt: skip
            name, value = scope.fresh(), numbers(rng, dtype, random_shape(rng), special)
            arguments[name] = value
            scope.add(name, vires.numpy.asarray(value))
        scope.grow(rng.randint(1, 14))
        names = [step.name for step in scope.steps] or list(arguments)
        used = {name for step in scope.steps for name in step.uses}
        # Most of what nothing else uses, and sometimes a value on the way.
        result = [name for name in names if name not in used][-4:]
        result += list(rng.sample(names, min(rng.randint(0, 1), len(names))))
        result = list(dict.fromkeys(result))
        seen = {k: onp.asarray(v) for k, v in scope.values.items()}
    return Program(arguments, scope.steps, result, seed, seen).without_dead_steps()
