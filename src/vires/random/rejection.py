"""Rejection for whole arrays at a time: all elements propose until each has accepted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vires.numpy as np
from vires import lax
from vires.random.uniforms import split_keys

#: Rounds whose keys are made at once.
_ROUNDS = 32


def last_accepted(
    key: Any, start: Any, propose: Callable[[Any], tuple[Any, Any]], unwanted: Any
) -> Any:
    """What each element accepted last when all have accepted; `start` where all is unwanted.

    Every round proposes for every element with the round's key, the first of whose three new keys
    is that of the next round. So an element may accept again while others have not yet. Its value
    is found without doing all of that: first each element counts the rounds until it accepts; the
    largest count is the number of rounds. Then each looks back from the last round to the one in
    which it accepted last. Both loops stay in registers.

    Args:
        key: of the first round.
        start: values of elements that have accepted nothing, of the shape of the result.
        propose: gives values and whether they are accepted, of a round's key.
        unwanted: a scalar: there are no rounds.
    """
    shape = tuple(start.shape)

    def some_left(state: Any) -> Any:
        return ~state[2]

    def rounds(state: Any) -> tuple[Any, Any, Any]:
        key, result, _ = state

        def next_key(key: Any, _: Any) -> tuple[Any, Any]:
            return split_keys(key, 3)[0], key

        key, keys = lax.scan(next_key, key, None, length=_ROUNDS)

        def proposed(turn: Any) -> tuple[Any, Any]:
            return propose(keys.at[turn].get(mode="promise_in_bounds"))

        def unfinished(state: Any) -> Any:
            _, count, accepted = state
            return ~accepted & (count < _ROUNDS)

        def look(state: Any) -> tuple[Any, Any, Any]:
            turn, count, accepted = state
            going = unfinished(state)
            _, accept = proposed(turn)
            return turn + 1, np.where(going, count + 1, count), np.where(going, accept, accepted)

        first = (0, np.zeros(shape, np.int32), np.zeros(shape, bool))
        _, count, accepted = lax.while_loop(lambda x: np.any(unfinished(x)), look, first)

        def missing(state: Any) -> Any:
            turn, _, found = state
            return ~found & (turn >= 0)

        def look_back(state: Any) -> tuple[Any, Any, Any]:
            turn, result, found = state
            going = missing(state)
            value, accept = proposed(turn)
            result = np.where(going, np.where(accept, value, result), result)
            return turn - 1, result, np.where(going, accept, found)

        last = (np.max(count, initial=0) - 1, result, np.zeros(shape, bool))
        result = lax.while_loop(lambda x: np.any(missing(x)), look_back, last)[1]
        return key, result, np.all(accepted)

    return lax.while_loop(some_left, rounds, (key, start, unwanted))[1]
