"""Unrolled loops are rolled into scans, with the same bits."""

from __future__ import annotations

import functools
import operator
import random

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax
from vires.control.reference import run_reference
from vires.core.check import check_program
from vires.engine.llvm.roll import roll

X = onp.linspace(-1, 2, 24, dtype=onp.float32)
Y = onp.linspace(0.5, 0.9, 24, dtype=onp.float32)


def rolled(function, *arrays):
    """The rolled program, whose results are those of the program itself."""
    closed = vires.make_jaxpr(function)(*arrays)
    found = roll(closed)
    check_program(found)
    flat = [onp.asarray(x) for x in vires.tree_util.tree_leaves(arrays)]
    for a, b in zip(run_reference(closed, *flat), run_reference(found, *flat), strict=True):
        onp.testing.assert_array_equal(a, b, strict=True)
    return found


def scans(closed):
    return [eqn for eqn in closed.eqns if eqn.primitive.name == "scan"]


def repeat(turns, step, *state):
    for i in range(turns):
        state = step(i, *state)
    return state


def test_a_chain_becomes_one_scan():
    found = rolled(lambda x, y: repeat(60, lambda i, x: (np.sin(x) * y + 0.5,), x), X, Y)
    (scan,) = found.eqns
    assert scan.primitive.name == "scan"
    assert scan.params["length"] == 60
    assert (scan.params["num_consts"], scan.params["num_carry"]) == (1, 1)
    assert len(scan.params["jaxpr"].eqns) == 4


def test_what_stays_around_a_loop():
    def f(x, y):
        z = np.exp(x) - y
        (z,) = repeat(50, lambda i, z: (np.cos(z) * y + z,), z)
        return np.sum(z), z * x

    found = rolled(f, X, Y)
    names = [eqn.primitive.name for eqn in found.eqns]
    assert names[:2] == ["exp", "sub"]
    assert "scan" in names and {"mul", "reduce_sum"} <= set(names[names.index("scan") :])
    assert len(names) < 12


def test_scalars_that_differ_become_slices():
    step = lambda i, x: (np.sin(x) * (0.1 * i) + 0.5,)
    found = rolled(lambda x: repeat(60, step, x), X)
    (scan,) = scans(found)
    assert len(scan.invars) == 2
    assert found.consts[-1].shape == (scan.params["length"],)


def test_scalars_of_each_turn_are_data_not_code():
    def program(scale):
        return vires.make_jaxpr(
            lambda x: repeat(60, lambda i, x: (np.sin(x) * (scale * i + 0.2) + 0.5,), x)
        )(X)

    from vires.engine.llvm.fingerprint import fingerprint

    assert fingerprint(roll(program(0.1))) == fingerprint(roll(program(0.3)))


def test_a_value_of_two_turns_ago():
    def leapfrog(i, old, now):
        return now, 2 * now - old - 0.01 * np.sin(now)

    (scan,) = scans(rolled(lambda x, y: repeat(50, leapfrog, x, y), X, Y))
    assert scan.params["num_carry"] == 2


def test_verlet_computes_a_force_once_a_turn():
    force = lambda x: -np.sin(x)

    def step(i, x, v):
        v = v + 0.05 * force(x)
        x = x + 0.1 * v
        return x, v + 0.05 * force(x)

    found = rolled(lambda x, v: repeat(50, step, x, v), X, Y)
    (scan,) = scans(found)
    names = [eqn.primitive.name for eqn in scan.params["jaxpr"].eqns]
    assert names.count("sin") == 1


def test_two_loops_in_a_row():
    def f(x, y):
        (x,) = repeat(60, lambda i, x: (np.sin(x) * y + 0.5,), x)
        (x,) = repeat(70, lambda i, x: (np.cos(x) - y * x,), x)
        return x

    assert [scan.params["length"] for scan in scans(rolled(f, X, Y))] == [60, 70]


def in_a_scan(before, turns, after):
    def f(x, y):
        def body(carry, _):
            x, y = carry
            x = before(x)
            (x,) = repeat(turns, lambda i, x: (np.sin(x) * y + 0.5,), x)
            return (after(x), y), None

        return lax.scan(body, (x, y), None, length=5)[0]

    return f


def same(x):
    return x


def test_a_loop_that_is_the_body_of_a_scan_becomes_one_with_it():
    (scan,) = scans(rolled(in_a_scan(same, 60, same), X, Y))
    assert scan.params["length"] == 5 * 60
    assert not scans(scan.params["jaxpr"])
    assert len(scan.params["jaxpr"].eqns) == 4


@pytest.mark.parametrize("before, after", [(np.cos, same), (same, np.cos)])
def test_a_loop_in_the_body_of_a_scan_stays_unless_it_is_long(before, after):
    (scan,) = scans(rolled(in_a_scan(before, 60, after), X, Y))
    assert not scans(scan.params["jaxpr"])
    (scan,) = scans(rolled(in_a_scan(before, 700, after), X, Y))
    assert len(scans(scan.params["jaxpr"])) == 1


def test_a_loop_that_keeps_what_the_scan_changes_is_no_part_of_it():
    def f(x, y):
        def body(carry, _):
            x, y = carry
            (z,) = repeat(60, lambda i, z: (np.sin(z) * x + 0.5,), y)
            return (z, y), None

        return lax.scan(body, (x, y), None, length=5)[0]

    (scan,) = scans(rolled(f, X, Y))
    assert scan.params["length"] == 5


def test_a_jitted_step():
    step = vires.jit(lambda x, y: np.tanh(x) * y + 0.25)
    found = rolled(lambda x, y: repeat(160, lambda i, x: (step(x, y),), x), X, Y)
    (scan,) = scans(found)
    assert scan.params["length"] == 160


def test_scalars_beside_arrays():
    def step(i, x, t):
        return x + 0.1 * np.sin(t) * x, t + 0.1

    assert len(scans(rolled(lambda x, t: repeat(40, step, x, t), X, onp.float32(0.5)))) == 1


@pytest.mark.parametrize(
    "function",
    [
        # Too short to be worth a loop.
        lambda x, y: repeat(20, lambda i, x: (np.sin(x) * y + 0.5,), x),
        # Results of all turns are wanted.
        lambda x, y: functools.reduce(
            lambda xs, _: [*xs, np.sin(xs[-1]) * y + 0.5], range(60), [x]
        ),
        # Each turn is another operation.
        lambda x, y: functools.reduce(
            lambda x, function: function(x) * y,
            random.Random(0).choices([np.sin, np.cos, np.tanh], k=200),
            x,
        ),
        # Sums read other elements.
        lambda x, y: repeat(60, lambda i, x: (x * y - np.sum(x),), x),
    ],
)
def test_what_is_no_loop_stays(function):
    closed = vires.make_jaxpr(function)(X, Y)
    assert roll(closed) is closed


def test_a_last_turn_of_which_more_is_used_stays_outside():
    def f(x, y):
        for _ in range(60):
            part = np.sin(x)
            x = part * y + 0.5
        return x, part

    (scan,) = scans(rolled(f, X, Y))
    assert scan.params["length"] >= 58


OPERATIONS = [
    operator.add,
    operator.mul,
    operator.sub,
    np.maximum,
    lambda a, b: np.where(a > b, a, b * 0.5),
    lambda a, b: np.sin(a) + b,
    lambda a, b: np.tanh(a),
    lambda a, b: -a,
    lambda a, b: np.clip(a, -1.0, 1.0) * b,
    lambda a, b: vires.nn.relu(a) - b,
    lambda a, b: (a.astype(np.int32) % 7).astype(np.float32) + 0.125 * b,
]


def random_loop(seed):
    """A function of two arrays and a scalar with a random loop, perhaps two, in it."""
    r = random.Random(seed)

    def step_of(states):
        plan = [
            (r.choice(OPERATIONS), r.randrange(99), r.randrange(99), r.random())
            for _ in range(r.randint(1, 6))
        ]
        kept = [r.randrange(99) for _ in range(states)]
        constants = [r.choice([0.25, 0.5, None]) for _ in range(2)]

        def step(i, fixed, state):
            values = [*fixed, *state]
            for operation, a, b, kind in plan:
                left, right = values[-1 - a % 3], values[-1 - b % len(values)]
                if kind < 0.3:
                    right = constants[0] if constants[0] is not None else 0.01 * i + 0.3
                values.append(operation(left, right))
            # Mostly what was computed; now and then an old value changes its place.
            return [values[-1 - k % (len(values) if k > 80 else len(plan))] for k in kept]

        return step

    states = r.randint(1, 3)
    steps = [step_of(states) for _ in range(r.randint(1, 2))]
    turns = r.randint(30, 170)
    tail = r.random()

    def f(x, y, s):
        state = [x, y, x * s][:states]
        seen = [x]
        for step in steps:
            for i in range(turns):
                state = step(i, [y, y * s], state)
                if tail < 0.1 and i == turns - 2:
                    seen.append(state[0])
            state = [np.minimum(z, 3.0) if tail < 0.5 else z for z in state]
        return [*state, *(seen if tail < 0.2 else [])]

    return f


ARGUMENTS = (X[:6], Y[:6], onp.float32(0.75))


@pytest.mark.parametrize("seed", range(40))
def test_random_loops(seed):
    with onp.errstate(all="ignore"):
        rolled(random_loop(seed), *ARGUMENTS)


def test_random_loops_are_rolled():
    with onp.errstate(all="ignore"):
        found = [roll(vires.make_jaxpr(random_loop(seed))(*ARGUMENTS)) for seed in range(40)]
    assert sum(bool(scans(closed)) for closed in found) > 20


@pytest.mark.parametrize("seed", range(40, 52))
def test_compiled_random_loops(seed):
    f = random_loop(seed)
    with onp.errstate(all="ignore"):
        expected = run_reference(vires.make_jaxpr(f)(*ARGUMENTS), *ARGUMENTS)
    for found, wanted in zip(vires.jit(f)(*ARGUMENTS), expected, strict=True):
        onp.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8", "complex64"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (5, 7), (1000,)])
def test_dtypes_and_shapes(dtype, shape):
    x = (np.arange(onp.prod(shape, dtype=int)) % 7 / 7).reshape(shape).astype(dtype)

    def f(x):
        return repeat(90, lambda i, x: (x * x - 1,), x)[0]

    @vires.jit
    def scanned(x):
        return lax.fori_loop(0, 90, lambda i, x: x * x - 1, x)

    assert len(scans(rolled(f, x))) == 1
    onp.testing.assert_array_equal(vires.jit(f)(x), scanned(x))


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8"])
def test_a_first_turn_on_another_type_stays_outside(dtype):
    """A comparison has results of one type whatever it compares."""

    def f(x, y):
        for _ in range(100):
            x = lax.convert_element_type(lax.eq(x, x), onp.float32) * y
        return x

    x = onp.arange(24).astype(dtype)
    (scan,) = scans(rolled(f, x, Y))
    assert scan.params["length"] == 99
    onp.testing.assert_array_equal(vires.jit(f)(x, Y), f(x, Y))


def test_gradient_of_a_rolled_function():
    def f(x):
        for _ in range(60):
            x = np.sin(x) * 0.9 + 0.1
        return np.sum(x)

    def g(x):
        return np.sum(lax.fori_loop(0, 60, lambda i, x: np.sin(x) * 0.9 + 0.1, x))

    onp.testing.assert_allclose(vires.jit(vires.grad(f))(X), vires.grad(g)(X), rtol=1e-4)


def test_same_bits_as_the_operations_one_by_one():
    def f(x, y):
        for i in range(60):
            x = np.sqrt(x * x + 1) - y * (0.01 * i)
        return x

    onp.testing.assert_array_equal(vires.jit(f)(X, Y), f(np.array(X), np.array(Y)))
