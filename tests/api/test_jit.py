"""jit: signatures, static and donated arguments, nesting, methods, stages, messages."""

from __future__ import annotations

import collections
import functools
import gc
import weakref

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import grad, jit, make_jaxpr, vmap


def counted(f):
    """The function and a list that grows at each trace."""
    traces = []

    @functools.wraps(f)
    def g(*args, **kwargs):
        traces.append(1)
        return f(*args, **kwargs)

    return g, traces


def test_traces_once_for_each_signature():
    f, traces = counted(lambda x: np.sin(x) + 1)
    g = jit(f)
    for x in (np.ones(3), np.zeros(3), onp.ones(3, "float32")):
        onp.testing.assert_allclose(g(x), onp.sin(onp.asarray(x)) + 1, rtol=1e-6)
    assert len(traces) == 1
    g(np.ones(4)), g(np.ones((3, 1))), g(np.ones(3, "int32")), g(1.0), g(2.0), g(1)
    assert len(traces) == 6


Point = collections.namedtuple("Point", "x y")


def test_any_structure_in_and_out():
    @jit
    def f(a, b, *rest, c, **more):
        return {
            "p": Point(a[0] + b["k"], c),
            "t": (rest, [more["z"], None]),
            "o": collections.OrderedDict(u=a[1]),
        }

    out = f((1.0, 2.0), {"k": np.ones(2)}, 3.0, 4.0, c=5.0, z=np.zeros(2))
    assert isinstance(out["p"], Point) and isinstance(out["o"], collections.OrderedDict)
    assert [float(v) for v in out["t"][0]] == [3.0, 4.0] and out["t"][1][1] is None
    onp.testing.assert_array_equal(out["p"].x, [2, 2])


def test_registered_containers():
    @vires.tree_util.register_pytree_node_class
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

        def tree_flatten(self):
            return (self.a, self.b), "aux"

        @classmethod
        def tree_unflatten(cls, aux, children):
            return cls(*children)

    out = jit(lambda p: Pair(p.b, p.a + 1))(Pair(np.ones(2), 3.0))
    assert isinstance(out, Pair) and float(out.a) == 3.0
    onp.testing.assert_array_equal(out.b, [2, 2])


def test_static_arguments():
    f, traces = counted(lambda x, n, flag=False: x * n if flag else x**n)
    for g in (
        jit(f, static_argnums=(1, 2)),
        jit(f, static_argnames=("n", "flag")),
        jit(f, static_argnums=(1, -1)),
    ):
        traces.clear()
        assert float(g(2.0, 3)) == 8.0
        assert float(g(3.0, 3)) == 27.0
        assert len(traces) == 1
        assert float(g(2.0, n=3)) == 8.0
        assert float(g(2.0, 3, flag=True)) == 6.0
        assert float(g(2.0, 4)) == 16.0
    with pytest.raises(
        ValueError,
        match=r"jit: needs hashable values for static arguments; got list for argument 1",
    ):
        jit(f, static_argnums=(1,))(2.0, [3])
    with pytest.raises(
        TypeError, match=r"jit: needs concrete, hashable values.*traced value f32\[\]"
    ):
        jit(lambda y: jit(f, static_argnums=(1,))(2.0, y))(3.0)
    with pytest.raises(ValueError, match="jit: needs positions of arguments"):
        jit(lambda x: x, static_argnums=3)
    with pytest.raises(ValueError, match="jit: needs names of arguments"):
        jit(lambda x: x, static_argnames="y")


def test_decorator_with_options_and_methods():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @functools.partial(jit, static_argnums=0)
        def apply(self, x):
            return self.scale * x

        @jit
        def fails(self, x):
            return x

    assert float(Model(3.0).apply(2.0)) == 6.0
    with pytest.raises(
        TypeError, match=r"jit: needs arguments that are arrays.*Model.*static_argnums"
    ):
        Model(1.0).fails(2.0)


def test_donation_deletes_the_argument():
    f = jit(lambda x, y: x + y, donate_argnums=0)
    x, y = np.ones(1000), np.ones(1000)
    out = f(x, y)
    assert x.is_deleted() and not y.is_deleted()
    onp.testing.assert_array_equal(out, 2 * onp.ones(1000))
    with pytest.raises(RuntimeError, match="deleted"):
        x + 1


def test_nested_calls_become_one_operation():
    inner = jit(lambda x: np.sin(x))
    text = str(make_jaxpr(lambda x: inner(x) * 2)(1.0))
    assert "jit[" in text and "sin" in text
    assert float(jit(lambda x: inner(inner(x)))(1.0)) == pytest.approx(
        onp.sin(onp.sin(1.0)), rel=1e-6
    )


def test_inner_functions_see_outer_tracers():
    def f(x):
        @jit
        def g(y):
            return x * y

        return g(2.0) + vmap(g)(np.arange(2.0)).sum()

    assert float(jit(f)(3.0)) == 9.0
    assert float(grad(f)(3.0)) == 3.0
    assert float(vires.jvp(jit(f), (3.0,), (1.0,))[1]) == 3.0


def test_unused_and_passed_through_arguments():
    x, y = np.arange(3.0), np.ones(2)
    out = jit(lambda x, y: (x, x, 1.0))(x, y)
    onp.testing.assert_array_equal(out[0], [0, 1, 2])
    onp.testing.assert_array_equal(out[1], [0, 1, 2])
    assert float(out[2]) == 1.0


def test_constants_are_kept_as_they_were():
    c = onp.ones(3, "float32")
    f = jit(lambda x: x + c)
    f(np.zeros(3))
    c[:] = 7
    onp.testing.assert_array_equal(f(np.zeros(3)), [1, 1, 1])


def test_disable_jit():
    f, _ = counted(lambda x: x if x > 0 else -x)
    with vires.disable_jit():
        assert float(jit(f)(-2.0)) == 2.0


def test_stages():
    f = jit(lambda x, n: {"y": np.sin(x) * n}, static_argnums=1)
    lowered = f.lower(vires.ShapeDtypeStruct((3,), "float32"), 2)
    assert "sin" in lowered.as_text()
    assert lowered.out_info == {"y": vires.ShapeDtypeStruct((3,), "float32")}
    compiled = lowered.compile()
    onp.testing.assert_allclose(compiled(np.ones(3), 2)["y"], 2 * onp.sin(onp.ones(3)), rtol=1e-6)
    with pytest.raises(
        TypeError, match=r"needs f32\[3\] for x, as when it was compiled; got f32\[4\]"
    ):
        compiled(np.ones(4), 2)
    assert f.eval_shape(np.ones(2), 3)["y"].shape == (2,)


def test_functions_keep_their_name_and_documentation():
    @jit
    def hypotenuse(a, b):
        """Length of the longest side."""
        return np.sqrt(a * a + b * b)

    assert hypotenuse.__name__ == "hypotenuse" and "longest" in hypotenuse.__doc__
    assert callable(hypotenuse.__wrapped__)
    assert float(hypotenuse(3.0, 4.0)) == 5.0


def test_a_jitted_function_can_be_collected():
    f = jit(lambda x: x + 1)
    f(np.ones(3))
    reference = weakref.ref(f)
    del f
    gc.collect()
    assert reference() is None


def test_clear_cache():
    f, _ = counted(lambda x: x + 1)
    g = jit(f)
    g(1.0), g(1.0)
    assert g._cache_size() == 1
    g.clear_cache()
    assert g._cache_size() == 0
    assert float(g(1.0)) == 2.0


def test_configuration_is_part_of_the_signature():
    f = jit(lambda: np.arange(3))
    assert f().dtype == np.int32
    with vires.config.override("enable_x64", True):
        assert f().dtype == np.int64
    assert f().dtype == np.int32


def leaked():
    kept = []
    jit(lambda x: kept.append(x * 2) or x)(1.0)
    return kept[0] + 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: jit(lambda x: 1 if x > 0 else 2)(1.0),
            vires.errors.TracerBoolConversionError,
            r"bool: needs a concrete value.*bool\[\] \(computed by gt at "
            r".*test_jit.py:\d+.*lax.cond",
        ),
        (
            lambda: jit(lambda n: [0] * n)(3),
            vires.errors.TracerIntegerConversionError,
            r"index: needs a concrete integer.*argument n of",
        ),
        (
            lambda: jit(lambda x: onp.sin(x))(1.0),
            vires.errors.TracerArrayConversionError,
            r"numpy: needs a concrete array.*argument x",
        ),
        (
            lambda: jit(lambda x: float(x))(1.0),
            vires.errors.ConcretizationTypeError,
            r"float: needs a concrete value",
        ),
        (
            lambda: jit(lambda x: x)("text"),
            TypeError,
            r"jit: needs arguments that are arrays.*got str \('text'\) at x",
        ),
        (
            lambda: jit(lambda d: d)({"a": [1, object()]}),
            TypeError,
            r"got object .* at d\['a'\]\[1\]",
        ),
        (
            lambda: jit(lambda x: "text")(1.0),
            TypeError,
            r"jit: needs results that are arrays.*got str",
        ),
        (lambda: jit(3), TypeError, r"jit: needs a function; got int"),
        (
            leaked,
            vires.errors.UnexpectedTracerError,
            r"needs to be used inside the function.*computed by mul at",
        ),
        (
            lambda: jit(lambda x: x[x > 0])(np.ones(3)),
            vires.errors.NonConcreteBooleanIndexError,
            r"concrete boolean mask",
        ),
        (
            lambda: jit(lambda x: x, backend="tpu"),
            ValueError,
            r"jit: needs the CPU engine's options",
        ),
        (
            lambda: jit(lambda x, y: x + y)(np.ones(2), np.ones(3)),
            (TypeError, ValueError),
            r"add: needs .*got .*2.*3",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
