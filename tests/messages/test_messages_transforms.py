"""Messages of jit, grad, jvp, vmap, pytrees, named axes, and of traced values that escape."""

# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import re

import numpy as onp
import pytest
from refusals import a, ints, refusal

import vires
import vires.numpy as np
from vires import grad, jit, lax, vmap
from vires.errors import (
    ConcretizationTypeError,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)


def second(x, n):
    return x


STATIC = jit(second, static_argnums=1)

CALLS = {
    # jit
    "list as static": (lambda: STATIC(1.0, [1]), ValueError, "^jit: needs hashable values for static arguments; got list for argument 1 of second; try a tuple"),
    "array as static": (lambda: STATIC(1.0, np.ones(2)), ValueError, "^jit: needs hashable values .*; got Array for argument 1"),
    "static by name": (lambda: jit(second, static_argnames="n")(1.0, n=[1]), ValueError, "got list for argument 'n' of second"),
    "tracer as static": (lambda: jit(lambda y: STATIC(1.0, y))(2.0), TypeError, r"^jit: needs concrete, hashable values for static arguments; got the traced value f32\[\] for argument 1 of second; try"),
    "differentiated as static": (lambda: grad(lambda y: STATIC(1.0, y))(2.0), TypeError, "^jit: needs concrete, hashable values"),
    "unknown static name": (lambda: jit(second, static_argnames="m"), ValueError, r"^jit: needs names of arguments of second\(x, n\); got 'm'"),
    "unknown static position": (lambda: jit(second, static_argnums=5), ValueError, "^jit: needs positions of arguments .*; got 5"),
    "jit of a number": (lambda: jit(3), TypeError, "^jit: needs a function; got int"),
    "string argument": (lambda: jit(second)("a", 1), TypeError, r"^jit: needs arguments that are arrays.*; got str \('a'\) at x of second; try static_argnums"),
    "object argument": (lambda: jit(second)(1.0, {"k": object()}), TypeError, r"^jit: needs arguments .*got object .*n\['k'\]"),
    "string result": (lambda: jit(lambda x: "a")(1.0), TypeError, "^jit: needs results that are arrays .*; got str from"),
    "missing argument": (lambda: jit(second)(1.0), TypeError, "missing 1 required positional argument: 'n'"),
    "if": (lambda: jit(lambda x: 1 if x > 0 else 2)(1.0), TracerBoolConversionError, r"^bool: needs a concrete value .*; got the traced value bool\[\] \(computed by gt at .*test_messages_transforms.py:\d+.*\); try vires.lax.cond"),
    "range": (lambda: jit(lambda n: list(range(n)))(3), TracerIntegerConversionError, r"^index: needs a concrete integer; got the traced value i32\[\] \(argument n of .*\); try"),
    "list index": (lambda: jit(lambda i: [1, 2][i])(0), TracerIntegerConversionError, "^index: needs a concrete integer"),
    "shape": (lambda: jit(lambda n: np.zeros(n))(3), TracerIntegerConversionError, "^index: needs a concrete integer"),
    "arange": (lambda: jit(lambda n: np.arange(n))(3), ConcretizationTypeError, "^arange.*: needs a concrete value.*; try"),
    "float": (lambda: jit(lambda x: float(x))(1.0), ConcretizationTypeError, r"^float: needs a concrete value; got the traced value f32\[\] \(argument x of .*\); try"),
    "int": (lambda: jit(lambda x: int(x))(1.0), ConcretizationTypeError, "^int: needs a concrete value"),
    "complex": (lambda: jit(lambda x: complex(x))(1.0), ConcretizationTypeError, "^complex: needs a concrete value"),
    "item": (lambda: jit(lambda x: x.item())(1.0), ConcretizationTypeError, "^item: needs a concrete value"),
    "tolist": (lambda: jit(lambda x: x.tolist())(1.0), ConcretizationTypeError, "^tolist: needs a concrete value"),
    "NumPy": (lambda: jit(lambda x: onp.sin(x))(1.0), TracerArrayConversionError, "^numpy: needs a concrete array; got .*; try the function of the same name in vires.numpy"),
    "mask": (lambda: jit(lambda x: x[x > 0])(a(3)), NonConcreteBooleanIndexError, r"^getitem: needs a concrete boolean mask.*; got the traced value bool\[3\].*; try vires.numpy.where"),
    "nonzero": (lambda: jit(lambda x: np.nonzero(x))(a(3)), ConcretizationTypeError, "^nonzero.*size=.*needs a concrete value"),
    "unique": (lambda: jit(lambda x: np.unique(x))(a(3)), ConcretizationTypeError, "^unique.*size=.*needs a concrete value"),
    "iteration": (lambda: jit(lambda x: list(x))(1.0), TypeError, "^iter: needs an array of at least 1 axis; got a 0-d array"),
    "slice": (lambda: jit(lambda x, n: x[:n])(a(3), 2), IndexError, r"^getitem: needs static start, stop and step of a slice; got the traced value i32\[\] \(argument n of .*\); try lax.dynamic_slice_in_dim"),
    "axis": (lambda: jit(lambda x, d: np.sum(x, axis=d))(a(3), 0), TracerIntegerConversionError, r"^index: needs a concrete integer; got the traced value i32\[\] \(argument d of .*\); try"),
    "random shape": (lambda: jit(lambda n: vires.random.normal(vires.random.key(0), (n,)))(3), TracerIntegerConversionError, r"got the traced value i32\[\] \(argument n of"),
    "number of keys": (lambda: jit(lambda n: vires.random.split(vires.random.key(0), n))(3), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "number to permute": (lambda: jit(lambda n: vires.random.permutation(vires.random.key(0), n))(3), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "length of a scan": (lambda: jit(lambda n: lax.scan(lambda c, _: (c, c), 0.0, None, length=n))(3), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "sizes of a slice": (lambda: jit(lambda x, n: lax.dynamic_slice(x, (0,), (n,)))(a(3), 2), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "size of nonzero": (lambda: jit(lambda x, n: np.nonzero(x, size=n))(a(3), 2), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "size of unique": (lambda: jit(lambda x, n: np.unique(x, size=n))(a(3), 2), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "length of bincount": (lambda: jit(lambda n: np.bincount(ints(1, 2), length=n))(3), TracerIntegerConversionError, "got the traced value .*argument n of"),
    "fractional size": (lambda: np.nonzero(a(3), size=1.5), TypeError, "^nonzero: needs an integer for size; got 1.5"),
    "negative size": (lambda: np.unique(a(3), size=-1), ValueError, "^unique: needs a size >= 0; got -1"),
    "format": (lambda: jit(lambda x: f"{x:.2f}")(1.0), ConcretizationTypeError, r"^format: needs a concrete value; got the traced value f32\[\] \(argument x of .*\); try"),
    "hash of a tracer": (lambda: jit(lambda x: {x: 1})(1.0), TypeError, r"^unhashable type: 'vires.Array' \(got the traced value f32\[\] \(argument x of .*\)\); try"),
    "hash of an array": (lambda: hash(a(2)), TypeError, r"unhashable type: 'vires.Array' \(float32\[2\]\)"),
    "truth of an array": (lambda: bool(a(2)), ValueError, r"^bool: needs an array of one element; got float32\[2\]; try x.any\(\) or x.all\(\)"),
    "float of an array": (lambda: float(a(2)), TypeError, r"^float: needs an array of one element; got float32\[2\]"),
    "array as an index": (lambda: [1, 2][a()], TypeError, r"^index: needs a 0-d array of integers; got float32\[\]"),
    # grad and its relatives
    "grad of an array": (lambda: grad(lambda x: x * 2)(a(3)), TypeError, r"^grad: needs a function with a scalar result; got f32\[3\] from .*; try to sum it, or jacrev"),
    "grad of a tuple": (lambda: grad(lambda x: (x, x))(1.0), TypeError, "^grad: needs a function with a scalar result; got .*; try has_aux=True"),
    "grad of None": (lambda: grad(lambda x: None)(1.0), TypeError, "^grad: needs a function with a scalar result"),
    "grad by an integer": (lambda: grad(lambda x: x * 2)(3), TypeError, "^grad: needs real- or complex-valued inputs; got int32; try"),
    "grad by integers": (lambda: grad(lambda x: (x * 2.0).sum())(ints(1, 2)), TypeError, "^grad: needs real- or complex-valued inputs; got int32"),
    "grad of an integer": (lambda: grad(lambda x: np.argmax(x))(a(3)), TypeError, "^grad: needs a real result; got int32 from"),
    "grad by a complex number": (lambda: grad(lambda x: x * x)(1j), TypeError, "^grad: needs a real result; got complex64 .*try holomorphic=True"),
    "grad of a complex number": (lambda: grad(lambda x: x * 1j)(1.0), TypeError, "^grad: needs a real result; got complex64 from"),
    "grad by a string": (lambda: grad(lambda x: x)("a"), TypeError, "^grad: needs arrays or numbers; got str"),
    "grad argnums": (lambda: grad(lambda x: x, argnums=2)(1.0), TypeError, r"^grad: needs an argument at position 2 \(argnums=2\); got 1 positional"),
    "grad of a number": (lambda: grad(3), TypeError, "^grad: needs a function; got int"),
    "has_aux": (lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, r"^has_aux: needs a function that returns a pair \(result, aux\)"),
    "NumPy on a differentiated value": (lambda: grad(lambda x: onp.sin(x).sum())(a(3)), TracerArrayConversionError, "^numpy: needs a concrete array; got .*under differentiation.*; try the function of the same name"),
    "if in jit of grad": (lambda: jit(grad(lambda x: x if x > 0 else -x))(1.0), TracerBoolConversionError, "^bool: needs a concrete value"),
    "jacfwd by an integer": (lambda: vires.jacfwd(lambda x: x)(3), TypeError, "^jacfwd: needs real- or complex-valued inputs"),
    "jacrev by an integer": (lambda: vires.jacrev(lambda x: x)(3), TypeError, "^jacrev: needs real- or complex-valued inputs"),
    "jvp shapes": (lambda: vires.jvp(np.sin, (a(3),), (a(2),)), TypeError, r"^jvp: needs tangents of the primals' types; got primal f32\[3\] with tangent f32\[2\]"),
    "jvp structures": (lambda: vires.jvp(np.sin, (a(3),), (a(3), a(3))), TypeError, "^jvp: needs tangents of the primals' structure"),
    "jvp without tuples": (lambda: vires.jvp(np.sin, a(3), a(3)), TypeError, "^jvp: needs primals and tangents as tuples or lists; got Array and Array"),
    "vjp shape": (lambda: vires.vjp(np.sin, a(3))[1](a(2)), TypeError, r"^vjp: needs .*f32\[3\].*f32\[2\]"),
    "vjp structure": (lambda: vires.vjp(np.sin, a(3))[1]((a(3), a(3))), TypeError, "^vjp: needs cotangents of the result's structure"),
    "transpose of sin": (lambda: vires.linear_transpose(np.sin, a(3))(a(3)), TypeError, "needs an operation that is linear in the operand"),
    "grad of a while loop": (lambda: grad(lambda x: lax.while_loop(lambda c: c < 10, lambda c: c * 2, x))(1.0), ValueError, "^while_loop: needs forward mode .*; got reverse mode .*; try scan"),
    "custom_vjp without rule": (lambda: grad(vires.custom_vjp(lambda x: x))(1.0), AttributeError, "^custom_vjp: needs a derivative rule .*; try .*defvjp"),
    # vmap and named axes
    "vmap sizes": (lambda: vmap(lambda x, y: x)(a(3), a(4)), ValueError, r"^vmap: needs one size for all mapped axes; got 3 \(axis 0 of x, f32\[3\]\), 4 \(axis 0 of y, f32\[4\]\)"),
    "vmap sizes in a tree": (lambda: vmap(lambda d: d["a"])({"a": a(3), "b": a(4)}), ValueError, r"got 3 \(axis 0 of d\['a'\], f32\[3\]\), 4 \(axis 0 of d\['b'\]"),
    "vmap of a scalar": (lambda: vmap(lambda x: x)(1.0), ValueError, r"^vmap: needs an axis of the argument; got axis 0 for x, f32\[\]; try in_axes=None"),
    "vmap axis": (lambda: vmap(lambda x: x, in_axes=2)(a(3)), ValueError, "^vmap: needs an axis of the argument; got axis 2"),
    "vmap of nothing": (lambda: vmap(lambda x: x, in_axes=None)(a(3)), ValueError, "^vmap: needs at least one mapped argument, or axis_size"),
    "vmap in_axes": (lambda: vmap(lambda x: x, in_axes=(0, 0))(a(3)), ValueError, r"^vmap: needs in_axes for each positional argument; got in_axes=\(0, 0\) with 1 argument"),
    "vmap out_axes": (lambda: vmap(lambda x: x, out_axes=3)(a(3)), ValueError, "^vmap: needs out_axes within the result's 1 axes; got 3"),
    "vmap out_axes None": (lambda: vmap(lambda x: x, out_axes=None)(a(3)), ValueError, "^vmap: needs a result that is the same for all examples"),
    "vmap axis_size": (lambda: vmap(lambda x: x, axis_size=4)(a(3)), ValueError, "^vmap: needs one size .*axis_size=4"),
    "vmap traced axis": (lambda: jit(lambda x, d: vmap(lambda y: y, in_axes=d)(x))(a(3), 0), TypeError, r"^vmap: needs axes as int or None; got the traced value i32\[\] \(argument d"),
    "vmap axis_name": (lambda: vmap(lambda x: x, axis_name=["i"])(a(3)), TypeError, r"^vmap: needs a hashable axis_name; got list \['i'\]; try a string"),
    "vmap if": (lambda: vmap(lambda x: x if x > 0 else -x)(a(3)), TracerBoolConversionError, r"^bool: needs .*\(one of 3 mapped by vmap\)"),
    "axis name": (lambda: lax.psum(a(2), "i"), NameError, r"needs the name of an axis in scope \(none\); got 'i'; try vmap\(..., axis_name='i'\)"),
    "axis name of a number": (lambda: lax.psum(2, "i"), NameError, "^psum: needs the name of an axis"),
    "axis name of a mean": (lambda: lax.pmean(a(2), "i"), NameError, "^pmean: needs the name of an axis"),
    "axis name without a hash": (lambda: lax.pmean(a(2), {}), NameError, r"^pmean: needs the name of an axis in scope \(none\); got \{\}"),
    "custom_jvp of a number": (lambda: vires.custom_jvp(3), TypeError, "^custom_jvp: needs a function; got int"),
    "custom_vjp of a number": (lambda: vires.custom_vjp(3), TypeError, "^custom_vjp: needs a function; got int"),
    "other axis name": (lambda: vmap(lambda x: lax.psum(x, "j"), axis_name="i")(a(3)), NameError, r"^psum: needs the name of an axis in scope \('i'\); got 'j'"),
    "axis name in jit": (lambda: jit(lambda x: lax.pmax(x, "j"))(a(3)), NameError, "^pmax: needs the name of an axis"),
    "axis_index": (lambda: lax.axis_index("q"), NameError, "^axis_index: needs the name of an axis"),
    # pytrees, options
    "trees of other keys": (lambda: vires.tree.map(lambda x, y: x, {"a": 1}, {"b": 1}), ValueError, r"^tree_map: needs trees of the structure of the first, .*'a'.*; got .*'b'"),
    "trees of other types": (lambda: vires.tree_util.tree_map(lambda x, y: x, [1, 2], (1, 2)), ValueError, "^tree_map: needs trees of the structure of the first"),
    "too few leaves": (lambda: vires.tree.unflatten(vires.tree.structure([1, 2]), [1]), ValueError, "^tree_unflatten: needs 2 leaves .*; got 1"),
    "option": (lambda: vires.config.update("foo", 1), AttributeError, "^config: needs one of the options .*enable_x64.*; got 'foo'"),
    "option by number": (lambda: vires.config.update(1, 2), AttributeError, "^config: needs one of the options .*; got 1"),
    "option value": (lambda: vires.config.update("enable_x64", 7), ValueError, "^config.enable_x64: needs True, False or 'auto'; got 7"),
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_with_advice(name: str) -> None:
    call, error, message = CALLS[name]
    found, line = refusal(call)
    assert isinstance(found, error), f"{type(found).__name__}: {found}"
    assert re.search(message, str(found)), str(found)
    assert f'"{name}"' in line


leaked: list = []


def leak(x):
    leaked.append(x)
    return (x * 2).sum()


LEAKS = {
    "jit": lambda: jit(leak)(a(3)),
    "grad": lambda: grad(leak)(a(3)),
    "jvp": lambda: vires.jvp(leak, (a(3),), (a(3),)),
    "vjp": lambda: vires.vjp(leak, a(3)),
    "vmap": lambda: vmap(leak)(a(3, 2)),
    "jit of grad": lambda: jit(grad(leak))(a(3)),
    "grad of jit": lambda: grad(jit(leak))(a(3)),
    "vmap of grad": lambda: vmap(grad(leak))(a(3, 2)),
    "scan": lambda: lax.scan(lambda c, x: (c + leak(x), None), 0.0, a(3, 2)),
    "cond": lambda: lax.cond(True, lambda x: leak(x), lambda x: 0.0, a(3)),
    "make_jaxpr": lambda: vires.make_jaxpr(leak)(a(3)),
    "eval_shape": lambda: vires.eval_shape(leak, a(3)),
    "checkpoint": lambda: grad(vires.checkpoint(leak))(a(3)),
}

USES = {
    "operator": lambda x: x + 1,
    "function": lambda x: np.sin(x),
    "method": lambda x: x.sum(),
    "index": lambda x: x[0],
    "NumPy": lambda x: onp.asarray(x),
    "into jit": lambda x: jit(lambda y: y + 1)(x),
    "closed over by jit": lambda x: jit(lambda y: x + y)(a(1)),
    "closed over by grad": lambda x: grad(lambda y: (x * y).sum())(a(1)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transformation", LEAKS)
def test_traced_value_used_too_late(transformation: str, use: str) -> None:
    leaked.clear()
    LEAKS[transformation]()
    found, line = refusal(USES[use], leaked[-1])
    assert isinstance(found, UnexpectedTracerError), f"{type(found).__name__}: {found}"
    assert re.search("^tracer: needs to be used inside the function that was traced; got .*; try to return the value", str(found))
    assert f'"{use}"' in line
    repr(leaked[-1]), leaked[-1].shape, leaked[-1].dtype  # looking is allowed


CONVERSIONS = {
    "bool": lambda x: bool(x),
    "float": lambda x: float(x),
    "int": lambda x: int(x),
    "complex": lambda x: complex(x),
    "range": lambda x: range(x),
    "item": lambda x: x.item(),
    "format": lambda x: f"{x:d}",
}


@pytest.mark.parametrize("use", CONVERSIONS)
def test_traced_value_converted_too_late(use: str) -> None:
    leaked.clear()
    jit(lambda n: leaked.append(n))(3)
    found, line = refusal(CONVERSIONS[use], leaked[0])
    assert isinstance(found, UnexpectedTracerError), f"{type(found).__name__}: {found}"
    assert re.search(r"^tracer: needs to be used inside the function that was traced; got i32\[\] \(argument n of", str(found))
    assert f'"{use}"' in line


def test_a_bad_axis_name_leaves_nothing_behind():
    for name in (["i"], {"i"}, ("i", ["j"])):
        with pytest.raises(TypeError, match=r"^vmap: needs a hashable axis_name"):
            vmap(lambda x: x, axis_name=name)(a(3))
    assert float(jit(lambda x: x + 1)(1.0)) == 2.0
    assert vmap(lambda x: lax.psum(x, "i"), axis_name="i")(a(3)).tolist() == [3, 3, 3]


def test_everything_works_after_an_error_while_tracing():
    for transformation in (jit, grad, vmap, vires.jacfwd):
        with pytest.raises(ZeroDivisionError):
            transformation(lambda x: x * (1 // 0))(a(3))
    onp.testing.assert_array_equal(np.sin(a(2) * 0), [0, 0])
    assert float(jit(lambda x: x + 1)(1.0)) == 2.0
    assert float(grad(lambda x: x * x)(3.0)) == 6.0
