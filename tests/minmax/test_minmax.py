"""Optimisers against their formulas in NumPy, schedules, states, transformations, messages."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax, minmax, tree_util
from vires.example_libraries import optimizers

Rule = Callable[[int, np.ndarray, np.ndarray, dict[str, np.ndarray]], np.ndarray]


# --- the formulas, one array at a time, in float64


def sgd(i: int, g: Any, x: Any, s: Any) -> Any:
    return x - 0.1 * g


def momentum(i: int, g: Any, x: Any, s: Any) -> Any:
    s["v"] = 0.8 * s.get("v", 0) + g
    return x - 0.1 * s["v"]


def nesterov(i: int, g: Any, x: Any, s: Any) -> Any:
    s["v"] = 0.8 * s.get("v", 0) + g
    return x - 0.1 * (0.8 * s["v"] + g)


def adagrad(i: int, g: Any, x: Any, s: Any) -> Any:
    s["s"] = s.get("s", 0) + g**2
    scaled = np.divide(g, np.sqrt(s["s"]), out=np.zeros_like(g), where=s["s"] > 0)
    s["m"] = 0.1 * scaled + 0.9 * s.get("m", 0)
    return x - 0.1 * s["m"]


def rmsprop(i: int, g: Any, x: Any, s: Any) -> Any:
    s["s"] = 0.9 * s.get("s", 0) + 0.1 * g**2
    return x - 0.1 * g / np.sqrt(s["s"] + 1e-8)


def rmsprop_momentum(i: int, g: Any, x: Any, s: Any) -> Any:
    s["s"] = 0.9 * s.get("s", 0) + 0.1 * g**2
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g / np.sqrt(s["s"] + 1e-8)
    return x - s["m"]


def adam(i: int, g: Any, x: Any, s: Any) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    mean, square = s["m"] / (1 - 0.9 ** (i + 1)), s["v"] / (1 - 0.999 ** (i + 1))
    return x - 0.1 * mean / (np.sqrt(square) + 1e-8)


def adamax(i: int, g: Any, x: Any, s: Any) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = np.maximum(0.999 * s.get("v", 0), abs(g))
    return x - 0.1 / (1 - 0.9 ** (i + 1)) * s["m"] / (s["v"] + 1e-8)


def sm3(i: int, g: Any, x: Any, s: Any) -> Any:
    if x.ndim < 2:  # one cover: Adagrad
        return adagrad(i, g, x, s)
    covers = s.get("covers", [np.zeros((x.shape[0], 1)), np.zeros((1, x.shape[1]))])
    total = np.minimum(*covers) + g**2
    s["covers"] = [total.max(1, keepdims=True), total.max(0, keepdims=True)]
    scaled = np.divide(g, np.sqrt(total), out=np.zeros_like(g), where=total > 0)
    s["m"] = 0.1 * scaled + 0.9 * s.get("m", 0)
    return x - 0.1 * s["m"]


RULES: dict[str, tuple[tuple[Any, ...], Rule]] = {
    "sgd": ((0.1,), sgd),
    "momentum": ((0.1, 0.8), momentum),
    "nesterov": ((0.1, 0.8), nesterov),
    "adagrad": ((0.1,), adagrad),
    "rmsprop": ((0.1,), rmsprop),
    "rmsprop_momentum": ((0.1,), rmsprop_momentum),
    "adam": ((0.1,), adam),
    "adamax": ((0.1,), adamax),
    "sm3": ((0.1,), sm3),
}
PARAMS = {
    "w": np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], np.float32),
    "b": (np.array([0.25, -0.75], np.float32), None),
    "c": np.float32(1.5),
}
CENTRE = {"w": 0.5, "b": -1.0, "c": 3.0}


def gradients(params: Any) -> Any:
    """Of a bowl whose axes differ, with a parameter that has none."""
    w = params["w"] - np.float32(0.5)
    return {
        "w": w * np.array([[1, 2, 3], [0, 5, 6]], np.float32),
        "b": (2 * (params["b"][0] + 1), None),
        "c": params["c"] - 3,
    }


def expected(name: str, steps: int) -> list[np.ndarray]:
    rule = RULES[name][1]
    x = [np.asarray(p, float) for p in tree_util.tree_leaves(PARAMS)]
    state: list[dict[str, Any]] = [{} for _ in x]
    treedef = tree_util.tree_structure(PARAMS)
    for i in range(steps):
        g = tree_util.tree_leaves(gradients(tree_util.tree_unflatten(treedef, x)))
        x = [
            np.asarray(rule(i, np.asarray(gi, float), xi, si))
            for gi, xi, si in zip(g, x, state, strict=True)
        ]
    return x


def close(got: Any, wanted: list[np.ndarray]) -> None:
    leaves = tree_util.tree_leaves(got)
    assert len(leaves) == len(wanted)
    for a, b in zip(leaves, wanted, strict=True):
        assert a.dtype == np.float32 and a.shape == b.shape and not a.weak_type
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_steps_follow_the_formula(name: str) -> None:
    opt_init, opt_update = getattr(minmax, name)(*RULES[name][0])
    state = opt_init(PARAMS)
    for i in range(4):
        state = opt_update(i, gradients(minmax.get_params(state)), state)
    close(minmax.get_params(state), expected(name, 4))


@pytest.mark.parametrize("name", RULES)
def test_steps_under_jit_and_fori_loop(name: str) -> None:
    opt_init, opt_update, get_params = getattr(optimizers, name)(*RULES[name][0])

    @vires.jit
    def step(i: Any, state: Any) -> Any:
        return opt_update(i, gradients(get_params(state)), state)

    state = step(0, opt_init(PARAMS))
    state = vires.jit(lambda s: lax.fori_loop(1, 4, step, s))(state)
    close(get_params(state), expected(name, 4))


@pytest.mark.parametrize("name", RULES)
def test_minimises(name: str) -> None:
    opt_init, opt_update = getattr(minmax, name)(*RULES[name][0])

    def body(state: Any, i: Any) -> tuple[Any, Any]:
        params = minmax.get_params(state)
        loss, g = vires.value_and_grad(lambda p: ((p - 1) ** 2).sum())(params)
        return opt_update(i, g, state), loss

    start = opt_init(vnp.array([3.0, -2.0, 0.0]))
    _, losses = lax.scan(body, start, vnp.arange(300))
    assert losses[-1] < 0.05 * losses[0]


def test_two_forms_of_an_optimiser() -> None:
    pair = minmax.adam(step_size=0.01)
    assert len(pair) == 2 and pair.init is pair[0] and pair.update is pair[1]
    triple = optimizers.adam(step_size=0.01)
    assert len(triple) == 3
    assert triple.init_fn is triple[0] and triple.update_fn is triple[1]
    assert triple.params_fn is triple[2]
    state = pair.init([1.0])
    assert pair.get_params(state)[0] == triple.params_fn(state)[0] == 1


def test_dtypes_are_kept() -> None:
    for dtype in (np.float16, vnp.bfloat16, np.float32, np.float64):
        for name, (arguments, _) in RULES.items():
            opt_init, opt_update = getattr(minmax, name)(*arguments)
            x = vnp.ones(3, dtype)
            state = opt_update(vnp.asarray(2), x, opt_init(x))
            assert minmax.get_params(state).dtype == dtype, name


def test_complex_parameters() -> None:
    for name, (arguments, _) in RULES.items():
        opt_init, opt_update = getattr(minmax, name)(*arguments)
        state = opt_init(vnp.asarray(np.array([1 + 2j, 3 - 1j], np.complex64)))
        for i in range(3):
            state = opt_update(i, minmax.get_params(state), state)
        x = np.asarray(minmax.get_params(state))
        assert x.dtype == np.complex64
        assert (abs(x) < abs(np.array([1 + 2j, 3 - 1j]))).all()


def test_empty_trees_and_arrays() -> None:
    opt_init, opt_update = minmax.adam(0.1)
    assert minmax.get_params(opt_update(0, {}, opt_init({}))) == {}
    x = vnp.zeros((0, 3))
    assert minmax.get_params(opt_update(0, x, opt_init(x))).shape == (0, 3)


# --- schedules


def test_schedules() -> None:
    def steps(schedule: Any, n: int = 7) -> np.ndarray:
        eager = np.array([float(schedule(i)) for i in range(n)])
        traced = np.asarray(vires.vmap(schedule)(vnp.arange(n)))
        np.testing.assert_allclose(np.broadcast_to(traced, eager.shape), eager, rtol=1e-6)
        return eager

    i = np.arange(7)
    close = np.testing.assert_allclose
    assert minmax.constant(0.3)(5) == 0.3
    close(steps(minmax.exponential_decay(0.5, 3, 0.1)), 0.5 * 0.1 ** (i / 3), rtol=1e-6)
    close(steps(minmax.inverse_time_decay(0.5, 3, 0.2)), 0.5 / (1 + 0.2 * i / 3), rtol=1e-6)
    stairs = minmax.inverse_time_decay(0.5, 3, 0.2, staircase=True)
    close(steps(stairs), 0.5 / (1 + 0.2 * (i // 3)), rtol=1e-6)
    polynomial = minmax.polynomial_decay(0.5, 4, 0.1, 2.0)
    close(steps(polynomial), 0.4 * (1 - np.minimum(i, 4) / 4) ** 2 + 0.1, rtol=1e-6)
    piecewise = minmax.piecewise_constant([1, 4], [0.3, 0.2, 0.1])
    close(steps(piecewise), [0.3, 0.3, 0.2, 0.2, 0.2, 0.1, 0.1], rtol=1e-6)


def test_schedules_drive_optimisers() -> None:
    opt_init, opt_update = minmax.sgd(lambda i: 1.0 / (i + 1))
    state = opt_init(10.0)
    for i in range(3):
        state = opt_update(i, 1.0, state)
    np.testing.assert_allclose(minmax.get_params(state), 10 - 1 - 1 / 2 - 1 / 3, rtol=1e-6)


# --- gradients


def test_clipping() -> None:
    g = {"a": vnp.array([3.0, 0.0]), "b": [vnp.asarray(4.0)]}
    assert minmax.l2_norm(g) == 5
    clipped = minmax.clip_grads(g, 1.0)
    np.testing.assert_allclose(np.asarray(clipped["a"]), [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"][0], 0.8, rtol=1e-6)
    same = minmax.clip_grads(g, 6.0)
    np.testing.assert_array_equal(np.asarray(same["a"]), [3, 0])
    assert minmax.l2_norm({}) == 0


# --- states


def test_states_are_pytrees_that_pickle() -> None:
    opt_init, opt_update = minmax.adam(0.1)
    state = opt_update(0, gradients(PARAMS), opt_init(PARAMS))
    leaves, treedef = tree_util.tree_flatten(state)
    assert len(leaves) == 9
    again = tree_util.tree_unflatten(treedef, leaves)
    assert tree_util.tree_structure(again) == treedef
    restored = pickle.loads(pickle.dumps(state))
    for a, b in zip(tree_util.tree_leaves(restored), leaves, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    next_state = opt_update(1, gradients(PARAMS), restored)
    assert tree_util.tree_structure(next_state) == treedef
    assert repr(state) == "OptimizerState(3 parameters, 9 arrays)"


def test_unpacking_is_inverted_by_packing() -> None:
    for name, (arguments, _) in RULES.items():
        state = getattr(minmax, name)(*arguments).init(PARAMS)
        unpacked = minmax.unpack_optimizer_state(state)
        assert set(unpacked) == {"w", "b", "c"}
        assert isinstance(unpacked["w"], minmax.JoinPoint)
        packed = minmax.pack_optimizer_state(unpacked)
        assert tree_util.tree_structure(packed) == tree_util.tree_structure(state)


def test_own_optimiser() -> None:
    @minmax.optimizer
    def signs(size: float) -> Any:
        """Steps of one size."""

        def init(x: Any) -> Any:
            return {"count": vnp.zeros(()), "x": x}

        def update(i: Any, g: Any, state: Any) -> Any:
            return {"count": state["count"] + 1, "x": state["x"] - size * vnp.sign(g)}

        return init, update, lambda state: state["x"]

    assert signs.__doc__ == "Steps of one size."
    opt_init, opt_update = signs(0.5)
    state = vires.jit(opt_update)(0, [3.0, -2.0], opt_init([1.0, 1.0]))
    assert [float(x) for x in minmax.get_params(state)] == [0.5, 1.5]


# --- messages

ADAM = minmax.adam(0.1)
STATE = ADAM.init({"w": np.ones(3, np.float32)})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: minmax.sgd("fast"), TypeError,
            "step_size: needs a number or a function of the step number; got str; try 0.01 or "
            "minmax.exponential_decay(...)",
        ),
        (
            lambda: minmax.sgd(np.ones(2)), TypeError,
            "step_size: needs a number or a function of the step number; got an array of shape "
            "(2,); try 0.01 or minmax.exponential_decay(...)",
        ),
        (lambda: minmax.adam(0.1, b1=1.0), ValueError, "adam: needs b1 in [0, 1); got 1.0"),
        (
            lambda: minmax.rmsprop(0.1, gamma=-1), ValueError,
            "rmsprop: needs gamma in [0, 1); got -1",
        ),
        (
            lambda: ADAM.init({"n": np.arange(3)}), TypeError,
            "adam: needs parameters of a float or complex dtype; got int64[3] at ['n']; "
            "try x.astype(float32)",
        ),
        (
            lambda: ADAM.init(["a"]), TypeError,
            "adam: needs arrays as parameters; got str at [0]",
        ),
        (
            lambda: ADAM.update(0, {"w": np.ones(4)}, STATE), ValueError,
            "adam: needs a gradient of the parameter's shape (3,); got shape (4,) at ['w']",
        ),
        (
            lambda: ADAM.update(0, {"w": np.ones(3)}, [1.0]), TypeError,
            "adam: needs an optimiser's state; got list; "
            "try opt_update(step, gradients, opt_init(params))",
        ),
        (
            lambda: minmax.get_params([1.0]), TypeError,
            "get_params: needs an optimiser's state; got list; try opt_state = opt_init(params)",
        ),
        (
            lambda: minmax.unpack_optimizer_state(3), TypeError,
            "unpack_optimizer_state: needs an optimiser's state; got int; "
            "try opt_state = opt_init(params)",
        ),
        (
            lambda: minmax.pack_optimizer_state([1.0]), TypeError,
            "pack_optimizer_state: needs a JoinPoint at each leaf; got float; "
            "try unpack_optimizer_state(opt_state)",
        ),
        (
            lambda: minmax.piecewise_constant([1, 2], [0.1, 0.2]), ValueError,
            "piecewise_constant: needs one value more than boundaries, both of one dimension; "
            "got shapes (2,) and (2,)",
        ),
        (
            lambda: minmax.piecewise_constant([5, 2], [0.1, 0.2, 0.3]), ValueError,
            "piecewise_constant: needs ascending boundaries; got [5, 2]",
        ),
        (
            lambda: minmax.exponential_decay(1.0, 0, 0.5), ValueError,
            "exponential_decay: needs decay_steps above 0; got 0; "
            "try minmax.constant(step_size) for a step size that does not decay",
        ),
        (
            lambda: minmax.exponential_decay(1.0, 10, -0.5), ValueError,
            "exponential_decay: needs a decay_rate that is not negative; got -0.5",
        ),
        (
            lambda: minmax.inverse_time_decay(1.0, np.asarray(-3), 0.5), ValueError,
            "inverse_time_decay: needs decay_steps above 0; got -3; "
            "try minmax.constant(step_size) for a step size that does not decay",
        ),
        (
            lambda: minmax.polynomial_decay(1.0, np.ones(3), 0.5), TypeError,
            "polynomial_decay: needs a number as decay_steps; got an array of shape (3,)",
        ),
        (
            lambda: minmax.polynomial_decay(1.0, None, 0.5), TypeError,
            "polynomial_decay: needs a number as decay_steps; got NoneType",
        ),
        (
            lambda: minmax.clip_grads([1.0], -1.0), ValueError,
            "clip_grads: needs a max_norm that is not negative; got -1.0",
        ),
    ],
)  # fmt: skip
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_gradients_of_another_structure() -> None:
    with pytest.raises(
        TypeError, match="adam: needs gradients of the structure of the parameters, "
    ):
        ADAM.update(0, [np.ones(3)], STATE)


def test_schedules_of_traced_numbers() -> None:
    def rate(steps: Any, decay: Any) -> Any:
        return minmax.exponential_decay(1.0, steps, decay)(np.asarray(4.0))

    assert float(vires.jit(rate)(2.0, 0.5)) == 0.25
    slope = vires.grad(rate, argnums=1)(2.0, 0.5)
    np.testing.assert_allclose(slope, 1.0, rtol=1e-6)
    halves = vires.jit(lambda limits: minmax.piecewise_constant(limits, [1.0, 0.5])(3))
    assert float(halves(np.asarray([2.0]))) == 0.5
