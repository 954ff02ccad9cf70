"""Examples of operations that move, join, select and make elements, and of random bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from examples import Keys

from vires.core import dtypes


def _reals(*shape: int) -> np.ndarray:
    return np.random.RandomState(sum(shape)).uniform(0.3, 2.7, size=shape)


def _keys(*shape: int) -> Keys:
    return Keys(np.random.RandomState(1).randint(0, 2**63, size=shape).astype(np.uint64))


def _words(*shape: int) -> np.ndarray:
    return np.random.RandomState(2).randint(0, 2**32, size=shape, dtype=np.uint64).astype(np.uint32)


def _broadcast_in_dim() -> list[Any]:
    return [
        ((_reals(3),), {"shape": (2, 3), "broadcast_dimensions": (1,)}),
        ((_reals(3),), {"shape": (3, 2, 4), "broadcast_dimensions": (0,)}),
        ((_reals(1, 3),), {"shape": (4, 2, 3), "broadcast_dimensions": (1, 2)}),
        ((_reals(2, 1),), {"shape": (2, 5), "broadcast_dimensions": (0, 1)}),
        ((_reals(),), {"shape": (2, 0), "broadcast_dimensions": ()}),
        ((_keys(2),), {"shape": (2, 3), "broadcast_dimensions": (0,)}),
    ]


def _reshape() -> list[Any]:
    pairs = [
        ((2, 3, 4), (6, 4)),
        ((6, 4), (3, 2, 4)),
        ((1, 4), (4,)),
        ((4,), (2, 1, 2)),
        ((0, 3), (3, 0)),
        ((), (1, 1)),
        ((2, 3, 4), (4, 6)),
    ]
    return [
        ((_reals(*before),), {"new_sizes": after, "dimensions": None}) for before, after in pairs
    ]


def _pad() -> list[Any]:
    configs = [
        ((1, 2, 0),),
        ((0, 0, 2),),
        ((-1, 1, 1),),
        ((2, -2, 0),),
        ((-2, -1, 0),),
        ((-3, 2, 2),),
        ((-6, 9, 0),),
    ]
    several = [((_reals(4), np.float64(0.5)), {"padding_config": config}) for config in configs]
    return [
        *several,
        ((_reals(2, 3), np.float64(0.5)), {"padding_config": ((0, 1, 1), (1, -1, 0))}),
        ((_reals(0, 3), np.float64(0.5)), {"padding_config": ((1, 1, 3), (0, 0, 0))}),
    ]


def _select_n() -> list[Any]:
    which = np.array([[True, False, True], [False, False, True]])
    numbers = np.array([[0, 1, 2], [2, 1, 0]], np.int32)
    return [
        ((which, _reals(2, 3), _reals(2, 3) + 1), {}),
        ((np.array(True), _reals(2, 3), _reals(2, 3) + 1), {}),
        ((numbers, _reals(2, 3), _reals(2, 3) + 1, _reals(2, 3) + 2), {}),
        ((np.array(True), _keys(2), _keys(2)), {}),
    ]


_SLICE = ["start_indices", "limit_indices", "strides"]


def _slice(*values: Any) -> dict[str, Any]:
    return dict(zip(_SLICE, values, strict=True))


EXAMPLES: dict[str, list[Any]] = {
    "broadcast_in_dim": _broadcast_in_dim(),
    "reshape": _reshape(),
    "transpose": [
        ((_reals(2, 3, 4),), {"permutation": (2, 0, 1)}),
        ((_reals(2, 3),), {"permutation": (1, 0)}),
        ((_keys(2, 3),), {"permutation": (1, 0)}),
    ],
    "squeeze": [
        ((_reals(1, 3, 1),), {"dimensions": (0, 2)}),
        ((_reals(2, 1),), {"dimensions": (1,)}),
    ],
    "rev": [((_reals(2, 3),), {"dimensions": (1,)}), ((_reals(2, 3),), {"dimensions": (0, 1)})],
    "slice": [
        ((_reals(5, 3),), _slice((1, 0), (4, 3), None)),
        ((_reals(7),), _slice((1,), (7,), (3,))),
        ((_reals(7, 2),), _slice((6, 0), (6, 2), (2, 1))),
    ],
    "split": [
        ((_reals(5, 2),), {"sizes": (2, 3), "axis": 0}),
        ((_reals(2, 3),), {"sizes": (1, 0, 2), "axis": 1}),
    ],
    "iota": [((), {"dtype": dtypes.int32, "shape": (2, 3), "dimension": 1})],
    "concatenate": [
        ((_reals(2, 3), _reals(1, 3), _reals(4, 3)), {"dimension": 0}),
        ((_reals(2, 3), _reals(2, 0)), {"dimension": 1}),
        ((_keys(2), _keys(1)), {"dimension": 0}),
    ],
    "pad": _pad(),
    "select_n": _select_n(),
    "optimization_barrier": [((_reals(2), _reals(3, 1)), {})],
    "bitcast_convert_type": [
        ((_reals(3),), {"new_dtype": dtypes.uint64}),
        ((_reals(3),), {"new_dtype": dtypes.uint32}),
        ((_words(3, 2),), {"new_dtype": dtypes.float64}),
    ],
    "threefry2x32": [((_words(3), _words(3), _words(3), _words(3)), {})],
    "random_unwrap": [((_keys(2, 3),), {})],
    "random_wrap": [((_words(3, 2),), {})],
    "random_seed": [((np.array([1, -5, 77], np.int32),), {}), ((np.array([1, -5], np.int64),), {})],
    "random_bits": [
        ((_keys(),), {"bit_width": 32, "shape": (5,)}),
        ((_keys(2),), {"bit_width": 64, "shape": (2, 2)}),
        ((_keys(),), {"bit_width": 8, "shape": ()}),
    ],
    "random_split": [((_keys(),), {"shape": (3,)}), ((_keys(2),), {"shape": (2, 2)})],
    "random_fold_in": [((_keys(3), _words(3)), {})],
}


def examples(name: str) -> list[Any]:
    return EXAMPLES.get(name, [])
