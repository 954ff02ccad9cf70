"""Messages of control flow, random sampling, layers and optimisers."""

# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import re

import numpy as onp
import pytest
from refusals import a, ints, refusal

import vires
import vires.numpy as np
from vires import jit, lax, minmax, random, stax

_KEY = random.key(0)
_DENSE = stax.Dense(3)
_NET = stax.serial(stax.Dense(3), stax.Relu)
_SGD = minmax.sgd(0.1)

CALLS = {
    # loops and branches
    "scan dtype": (lambda: lax.scan(lambda c, x: (c + 1.5, x), ints(0), a(3)), TypeError, r"^scan: needs a carry of one type from step to step; got carry i32\[\w*\] going in and f32\[\w*\] coming out of .lambda.; try|^scan: needs a carry of one type"),
    "scan shape": (lambda: lax.scan(lambda c, x: (np.ones(2), x), a(3), a(3)), TypeError, r"^scan: needs a carry of one type .*f32\[3\] going in and f32\[2\] coming out"),
    "scan tree": (lambda: lax.scan(lambda c, x: ((c, c), x), 0.0, a(3)), TypeError, "^scan: needs a carry of one structure"),
    "scan tree leaf": (lambda: lax.scan(lambda c, x: ({"w": np.ones(2)}, x), {"w": a(3)}, a(3)), TypeError, r"carry\['w'\] f32\[3\]"),
    "scan pair": (lambda: lax.scan(lambda c, x: c, 0.0, a(3)), TypeError, r"^scan: needs f to return a pair \(carry, y\)"),
    "scan sizes": (lambda: lax.scan(lambda c, x: (c, x), 0.0, (a(3), a(4))), ValueError, r"^scan: needs xs with equal leading axes; got f32\[3\], f32\[4\]"),
    "scan length": (lambda: lax.scan(lambda c, x: (c, x), 0.0, a(3), length=4), ValueError, "^scan: needs length equal to the leading axis of xs, 3; got length=4"),
    "scan no length": (lambda: lax.scan(lambda c, x: (c, x), 0.0, None), ValueError, r"^scan: needs xs, or length; got neither; try"),
    "scan scalar": (lambda: lax.scan(lambda c, x: (c, x), 0.0, 1.0), ValueError, "^scan: needs xs with a leading axis"),
    "scan function": (lambda: lax.scan(3, 0.0, a(3)), TypeError, "^scan: needs a function as f; got int"),
    "scan init": (lambda: lax.scan(lambda c, x: (c, x), "a", a(3)), TypeError, "^scan: needs init made of arrays and numbers; got str"),
    "while dtype": (lambda: lax.while_loop(lambda c: c.sum() < 3, lambda c: c + 0.5, ints(0)), TypeError, "^while_loop: needs a carry of one type from step to step; got carry i32"),
    "while shape": (lambda: lax.while_loop(lambda c: c.sum() < 3, lambda c: np.ones(3), a(2)), TypeError, r"^while_loop: needs a carry of one type .*f32\[2\] going in and f32\[3\] coming out"),
    "while condition": (lambda: lax.while_loop(lambda c: c < 3, lambda c: c, a(2)), TypeError, r"^while_loop: needs cond_fun to return a 0-d bool; got \(bool\[2\]\).*; try a comparison, or .any"),
    "while condition dtype": (lambda: lax.while_loop(lambda c: c, lambda c: c, 1.0), TypeError, "^while_loop: needs cond_fun to return a 0-d bool"),
    "fori shape": (lambda: lax.fori_loop(0, 3, lambda i, c: np.ones(3), a(2)), TypeError, "^fori_loop: needs a carry of one type"),
    "fori dtype": (lambda: lax.fori_loop(0, 3, lambda i, c: c + 0.5, ints(0)), TypeError, "^fori_loop: needs a carry of one type"),
    "fori bounds": (lambda: lax.fori_loop(0.5, 3, lambda i, c: c, 0), TypeError, r"^fori_loop: needs bounds that are 0-d integers; got f32\[\]"),
    "cond dtypes": (lambda: lax.cond(True, lambda x: x, lambda x: x.astype(int), a(3)), TypeError, r"^cond: needs branches with results of the same types; got result i32\[3\] from false_fun .* and f32\[3\] from true_fun"),
    "cond shapes": (lambda: lax.cond(True, lambda x: x, lambda x: x.sum(), a(3)), TypeError, "^cond: needs branches with results of the same types"),
    "cond trees": (lambda: lax.cond(True, lambda x: x, lambda x: (x, x), a(3)), TypeError, "^cond: needs branches with results of one structure"),
    "cond predicate": (lambda: lax.cond(a(3), lambda x: x, lambda x: x, a(3)), TypeError, r"^cond: needs a 0-d predicate; got f32\[3\]; try vires.numpy.where"),
    "cond functions": (lambda: lax.cond(True, 1, 2, a(3)), TypeError, "^cond: needs a function as true_fun; got int"),
    "switch without branches": (lambda: lax.switch(0, [], a(3)), ValueError, "^switch: needs at least one branch"),
    "switch index": (lambda: lax.switch(0.5, [np.sin, np.cos], a(3)), TypeError, r"^switch: needs a 0-d integer index; got f32\[\]"),
    "switch shapes": (lambda: lax.switch(0, [np.sin, np.sum], a(3)), TypeError, r"^switch: needs branches .*branches\[0\] \(sin\) and .*branches\[1\] \(sum\)"),
    "associative_scan": (lambda: lax.associative_scan(lambda x, y: x, 1.0), ValueError, "^associative_scan: needs axis of the arrays"),
    "pure_callback": (lambda: vires.pure_callback(lambda x: onp.ones(2, "float32"), vires.ShapeDtypeStruct((3,), "float32"), a(3)), TypeError, r"^pure_callback: needs .*; got float32\[2\] for result 0, f32\[3\]"),
    # random
    "seed": (lambda: random.key("a"), TypeError, "^key: needs an integer seed; got str"),
    "no seed": (lambda: random.key(None), TypeError, "^key: needs an integer seed; got NoneType; try"),
    "seed of PRNGKey": (lambda: random.PRNGKey(1.5), TypeError, "^PRNGKey: needs an integer seed; got float"),
    "seeds": (lambda: random.key(ints(1, 2)), TypeError, r"^key: needs one integer seed; got int32\[2\]; try vires.vmap"),
    "no key": (lambda: random.normal((3,)), TypeError, "^normal: needs a random key .*; got tuple; try vires.random.key"),
    "seed as key": (lambda: random.uniform(0, (3,)), TypeError, "^uniform: needs a random key .*; got int"),
    "floats as key": (lambda: random.normal(a(2), (3,)), TypeError, r"^normal: needs a random key .*; got float32\[2\]"),
    "long key": (lambda: random.bits(np.ones(3, "uint32")), TypeError, r"^bits: needs a random key .*; got uint32\[3\]"),
    "batch of keys": (lambda: random.normal(random.split(_KEY), (3,)), ValueError, r"^normal: needs one random key; got key<fry>\[2\], a batch of keys; try vires.vmap"),
    "random shape": (lambda: random.normal(random.clone(_KEY), (-3,)), ValueError, r"^normal: needs a shape of non-negative sizes; got \(-3,\)"),
    "random float shape": (lambda: random.normal(random.clone(_KEY), 2.5), TypeError, "^normal: needs a shape .*; got 2.5"),
    "random dtype": (lambda: random.normal(random.clone(_KEY), (3,), "int32"), ValueError, "^normal: needs a float or complex dtype; got int32"),
    "randint dtype": (lambda: random.randint(random.clone(_KEY), (3,), 0, 5, "float32"), ValueError, "^randint: needs an integer dtype; got float32"),
    "uniform bounds": (lambda: random.uniform(random.clone(_KEY), (3,), minval=a(2)), ValueError, r"^uniform: needs parameters that broadcast to shape \(3,\); got minval of shape \(2,\)"),
    "categorical": (lambda: random.categorical(random.clone(_KEY), a(3), axis=2), ValueError, "^categorical: needs an axis of logits"),
    "choice": (lambda: random.choice(random.clone(_KEY), np.arange(3), (5,), replace=False), ValueError, "^choice: needs .*; got 3 entries and 5 draws; try replace=True"),
    "split count": (lambda: random.split(_KEY, -1), ValueError, "^split: needs a shape of non-negative sizes"),
    "fold_in": (lambda: random.fold_in(_KEY, 1.5), TypeError, "^fold_in: needs an integer; got float"),
    # stax
    "layer that is not called": (lambda: stax.serial(stax.Dense(3), stax.Dense), TypeError, r"^serial: needs layers \(pairs of functions\); got Dense at position 1; try Dense\(...\)"),
    "no layer": (lambda: stax.serial(3), TypeError, "^serial: needs layers .*; got int at position 0"),
    "Dense size": (lambda: stax.Dense(-3), ValueError, "^Dense: needs a size >= 0 of its outputs; got -3"),
    "Dense string": (lambda: stax.Dense("a"), ValueError, "^Dense: needs a size >= 0 of its outputs; got 'a'"),
    "Dense shape": (lambda: _DENSE[0](_KEY, 5), TypeError, r"^Dense: needs an input shape such as \(-1, 4\); got int"),
    "Dense unknown": (lambda: _DENSE[0](_KEY, (4, -1)), ValueError, "^Dense: needs a known last size; got -1"),
    "Dense inputs": (lambda: _DENSE[1](_DENSE[0](_KEY, (-1, 4))[1], a(2, 5)), ValueError, r"^Dense: needs inputs of last size 4; got float32\[2,5\]"),
    "serial inputs": (lambda: jit(_NET[1])(_NET[0](_KEY, (-1, 4))[1], a(2, 5)), ValueError, r"^Dense: needs inputs of last size 4; got float32\[2,5\]"),
    "serial parameters": (lambda: _NET[1]((), a(2, 5)), ValueError, "^serial: needs parameters for each of its 2 layers; got 0; try"),
    "Conv shape": (lambda: stax.Conv(3, (3, 3))[0](_KEY, (4, 4)), ValueError, r"Conv: needs an input shape of 4 dimensions; got \(4, 4\)"),
    "Dropout key": (lambda: stax.Dropout(0.5)[1]((), a(3)), ValueError, "^Dropout: needs a random key in mode 'train'; got none; try"),
    "Dropout rate": (lambda: stax.Dropout(1.5), ValueError, r"^Dropout: needs a rate \(of keeping\) in \(0, 1\]; got 1.5"),
    "init without shape": (lambda: _DENSE[0](), TypeError, r"^net_init: needs \(key, input_shape\) or \(input_shape\); got 0"),
    # minmax
    "step size": (lambda: minmax.adam("a"), TypeError, "^step_size: needs a number or a function of the step number; got str"),
    "state": (lambda: minmax.get_params(3), TypeError, "^get_params: needs an optimiser's state; got int; try"),
    "gradient tree": (lambda: _SGD[1](0, {"b": 1.0}, _SGD[0]({"a": 1.0})), TypeError, "^sgd: needs gradients of the structure of the parameters"),
    "gradient shape": (lambda: _SGD[1](0, {"a": a(3)}, _SGD[0]({"a": a(2)})), ValueError, r"^sgd: needs a gradient of the parameter's shape \(2,\); got shape \(3,\) at \['a'\]"),
    "order of arguments": (lambda: _SGD[1](0, _SGD[0]({"a": a(2)}), {"a": a(2)}), TypeError, "^sgd: needs an optimiser's state; got dict; try opt_update"),
    "parameters": (lambda: _SGD[0]({"a": "b"}), TypeError, r"^sgd: needs arrays as parameters; got str at \['a'\]"),
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_with_advice(name: str) -> None:
    call, error, message = CALLS[name]
    for function in (call, jit(call)):
        found, line = refusal(function)
        assert isinstance(found, error), f"{type(found).__name__}: {found}"
        assert re.search(message, str(found)), str(found)
        assert f'"{name}"' in line or name == "pure_callback"  # which is called at run time
