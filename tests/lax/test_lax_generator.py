"""Random bits from a state, numbers from a hidden one, tokens."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
from vires import lax

STATE = onp.array([1, 2, 3, 4], onp.uint32)
#: Of the algorithms' definitions, for the state above.
PHILOX = [512747620, 1298009047, 1267190206, 761827841, 1383286907]
THREE_FRY = [1576285164, 2249660814, 740599976, 2425682526, 2436392515, 1497962777]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("algorithm", lax.RandomAlgorithm)
def test_words(algorithm, jit):
    call = lambda key: lax.rng_bit_generator(key, (5,), algorithm=algorithm)
    state, bits = (vires.jit(call) if jit else call)(STATE)
    three_fry = algorithm == lax.RandomAlgorithm.RNG_THREE_FRY
    assert bits.tolist() == (THREE_FRY if three_fry else PHILOX)[:5]
    assert state.tolist() == [1, 2, 6 if three_fry else 5, 4]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint64", "int64"])
def test_other_widths_are_of_the_same_words(dtype):
    words = onp.array(lax.rng_bit_generator(STATE, (12,))[1])
    state, bits = lax.rng_bit_generator(STATE, (3, 2), dtype)
    width = onp.dtype(dtype).itemsize
    if width == 8:
        want = words.view("<u8").astype(dtype)
        assert state[2] == 6
    else:
        want = words[:6].astype(f"uint{8 * width}").view(dtype)
        assert state[2] == 5
    assert bits.dtype == dtype
    onp.testing.assert_array_equal(bits, want.reshape(3, 2))


def test_the_counter_carries_and_streams_join():
    start = onp.array([7, 8, 2**32 - 1, 4], onp.uint32)
    state, first = lax.rng_bit_generator(start, (4,))
    assert state.tolist() == [7, 8, 0, 5]
    _, second = lax.rng_bit_generator(state, (4,))
    _, both = lax.rng_bit_generator(start, (8,))
    assert both.tolist() == [*first.tolist(), *second.tolist()]
    state, none = lax.rng_bit_generator(STATE, (0, 3))
    assert none.shape == (0, 3) and state.tolist() == STATE.tolist()
    mapped = vires.vmap(lambda s: lax.rng_bit_generator(s, (4,))[1])(onp.stack([start, STATE]))
    assert mapped[0].tolist() == first.tolist()


@pytest.mark.parametrize(
    ("shape", "order", "used"),
    [
        # The two words of a block are neighbours along the first axis of even size ...
        ((4, 3), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11], 6),
        ((2, 2), [0, 2, 1, 3], 2),
        ((3, 4), list(range(12)), 6),
        # ... or along the longest one, whose last words are left out.
        ((5, 3), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11, 12, 14, 16], 9),
        ((3, 5), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16], 9),
        ((), [0], 1),
    ],
)
def test_how_words_of_three_fry_lie(shape, order, used):
    three_fry = lax.RandomAlgorithm.RNG_THREE_FRY
    words = onp.array(lax.rng_bit_generator(STATE, (18,), algorithm=three_fry)[1])
    state, bits = lax.rng_bit_generator(STATE, shape, algorithm=three_fry)
    assert onp.ravel(bits).tolist() == words[order].tolist()
    assert state.tolist() == [1, 2, 3 + used, 4]


def test_what_the_generator_refuses():
    with pytest.raises(TypeError, match="needs a state of 4 uint32"):
        lax.rng_bit_generator(STATE[:2], (3,))
    with pytest.raises(TypeError, match="needs an integer dtype"):
        lax.rng_bit_generator(STATE, (3,), "float32")


@pytest.mark.parametrize("jit", [False, True])
def test_hidden_state(jit):
    draw = lambda: lax.rng_uniform(onp.float32(2), onp.float32(3), (1000,))
    draw = vires.jit(draw) if jit else draw
    first, second = onp.array(draw()), onp.array(draw())
    assert first.dtype == onp.float32 and (first >= 2).all() and (first < 3).all()
    assert (first != second).mean() > 0.9
    whole = onp.array(lax.rng_uniform(2, 5, (1000,)))
    assert set(whole.tolist()) == {2, 3, 4}
    with pytest.raises(TypeError, match="needs two real numbers"):
        lax.rng_uniform(onp.zeros(2), 1.0, (3,))


def test_sending_along_an_axis():
    ring = [(0, 1), (1, 2)]

    def shifted(x):
        token = lax.psend({"x": x}, "i", ring)
        assert isinstance(lax.after_all(token, token), type(token))
        return lax.precv(token, {"x": x}, "i", ring)["x"]

    assert vires.vmap(shifted, axis_name="i")(onp.array([1.0, 2.0, 3.0])).tolist() == [0, 1, 2]
    wrong = lambda x: lax.precv(lax.psend(x, "i", ring), x.astype(int), "i", ring)
    with pytest.raises(TypeError, match="precv: needs an out_shape like what was sent"):
        vires.vmap(wrong, axis_name="i")(onp.ones(3, "float32"))
    with pytest.raises(TypeError, match="precv: needs the token of a psend"):
        lax.precv(lax.after_all(), 1.0, "i", ring)
    with pytest.raises(TypeError, match="after_all: needs tokens"):
        lax.after_all(1.0)


def test_values_of_the_program():
    assert lax.stage(2).weak_type
    program = vires.make_jaxpr(lambda: lax.stage(onp.ones(2)))()
    assert len(program.eqns) == 1
    assert lax.with_sharding_constraint({"a": 1.0}, None)["a"] == 1.0
