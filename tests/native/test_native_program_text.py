"""The canonical text of a program: the same for the same program, another for any other."""

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import _native
from vires.core.avals import ShapedArray
from vires.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from vires.core.trace import as_array
from vires.engine.llvm.fingerprint import NotCanonical, fingerprint, text
from vires.ops.elementwise import add, mul

F32 = onp.dtype("float32")


def program(f, *args):
    return vires.make_jaxpr(f)(*args)


def direct(invars, equations, outvars, constvars=(), constants=()):
    closed = Jaxpr(list(constvars), list(invars), list(outvars), list(equations))
    return _native.program_text(closed, list(constants), text, as_array)


def test_programs_that_are_the_same_have_one_text():
    def f(x, y):
        return np.where(x > 0.5, np.sum(x * y, 0), np.sort(y)[::2][0])

    x = onp.ones((4, 3), "float32")
    texts = {fingerprint(program(f, x, x)) for _ in range(3)}
    assert len(texts) == 1


PROGRAMS = [
    lambda x: x + 1,
    lambda x: x + 2,
    lambda x: x * 1,
    lambda x: x + 0.0,
    lambda x: x + -0.0,
    lambda x: x + onp.float32("nan"),
    lambda x: x + x,
    lambda x: (x + x, x),
    lambda x: (x, x + x),
    lambda x: (x + x) * x,
    lambda x: (x * x) + x,
    lambda x: np.sum(x, 0),
    lambda x: np.sum(x, 1),
    lambda x: x.reshape(3, 2),
    lambda x: x.reshape(6),
    lambda x: x.T,
    lambda x: x.astype("float16"),
    lambda x: x.astype("bfloat16"),
    lambda x: vires.lax.fori_loop(0, 3, lambda i, y: y + 1, x),
    lambda x: vires.lax.fori_loop(0, 4, lambda i, y: y + 1, x),
    lambda x: vires.lax.fori_loop(0, 3, lambda i, y: y + 2, x),
    lambda x: vires.lax.sort(x, dimension=0),
    lambda x: vires.lax.sort(x, dimension=1),
    lambda x: vires.lax.cond(x[0, 0] > 0, lambda: x, lambda: x + 1),
    lambda x: vires.lax.cond(x[0, 0] > 0, lambda: x + 1, lambda: x),
]


def test_no_two_of_many_programs_have_one_text():
    texts = [fingerprint(program(f, onp.ones((2, 3), "float32"))) for f in PROGRAMS]
    assert len(set(texts)) == len(PROGRAMS)


def test_types_of_arguments_count():
    texts = [
        fingerprint(program(lambda x: x, x))
        for x in (
            onp.ones(3, "float32"),
            onp.ones(3, "int32"),
            onp.ones(3, "bool"),
            onp.ones((3, 1), "float32"),
            onp.ones((1, 3), "float32"),
            onp.ones((), "float32"),
            np.ones(3, "float8_e4m3fn"),
            np.ones(3, "int4"),
            1.0,  # weakly typed
            vires.random.key(0),
        )
    ]
    assert len(set(texts)) == len(texts)


def test_a_dtype_that_arrays_cannot_have_counts_by_its_name():
    nothing = vires.dtypes.float0
    x, y = Var(ShapedArray((3,), nothing)), Var(ShapedArray((3,), F32))
    assert nothing.name.encode() in direct([x], [], [x])
    assert direct([x], [], [x]) != direct([y], [], [y])


def test_a_constant_is_no_argument():
    x, y = Var(ShapedArray((3,), F32)), Var(ShapedArray((3,), F32))
    value = np.ones(3)
    texts = [
        direct([x], [], [x]),
        direct([], [], [x], [x], [value]),
        direct([x], [], [x], [y], [value]),
        direct([x], [], [y], [y], [value]),
        direct([x, y], [], [x]),
        direct([x, y], [], [y]),
    ]
    assert len(set(texts)) == len(texts)


def test_constant_arrays_count_by_type_and_scalars_by_their_bits():
    a, b = (np.arange(3.0) + shift for shift in (0, 1))
    one, other = ([program(lambda x, c=c: x + c, a)] for c in (a, b))
    assert fingerprint(one[0]) == fingerprint(other[0])
    v, x = Var(ShapedArray((), F32)), Var(ShapedArray((), F32))
    equation = JaxprEqn([x, v], [y := Var(x.aval)], add, {})
    texts = [
        direct([x], [equation], [y], [v], [value])
        for value in (np.float32(0.0), np.float32(-0.0), onp.float32("nan"), onp.float32(1), 2.0)
    ]
    assert len(set(texts)) == len(texts)
    assert direct([x], [equation], [y], [v], [onp.float32(1)]) == texts[3]


def test_literals_count_by_type_and_bits():
    x = Var(ShapedArray((), F32))
    texts = [
        direct([x], [JaxprEqn([x, Literal(value, aval)], [y := Var(x.aval)], mul, {})], [y])
        for value, aval in [
            (np.float32(1), x.aval),
            (np.float32(1), ShapedArray((), F32, True)),
            (np.float32(2), x.aval),
            (np.int32(1), ShapedArray((), onp.dtype("int32"))),
            (np.uint32(1), ShapedArray((), onp.dtype("uint32"))),
        ]
    ]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    "one, other",
    [
        (1, True), (0, False), (1, 1.0), (1, "1"), (None, "None"), (None, False), (10**30, 10**31),
        ((), None), ((1, 2), (1, (2,))), ((1, 2), (12,)), ((1,), 1), ("a,b", ("a", "b")),
        (0.0, -0.0), (1, -1), (F32, "float32"), ([1], [2]),
    ],
)  # fmt: skip
def test_parameters_that_differ_give_other_texts(one, other):
    x = Var(ShapedArray((), F32))
    texts = [
        direct([x], [JaxprEqn([x, x], [y := Var(x.aval)], add, {"p": value})], [y])
        for value in (one, other)
    ]
    assert texts[0] != texts[1]


def test_what_has_no_text_is_said():
    x = Var(ShapedArray((), F32))
    equation = JaxprEqn([x, x], [y := Var(x.aval)], add, {"p": lambda: 1})
    with pytest.raises(NotCanonical, match="function"):
        direct([x], [equation], [y])
    with pytest.raises(NotCanonical):
        direct([x], [JaxprEqn([x, x], [y], add, {"p": (1, (object(),))})], [y])


def test_a_parameter_that_is_nested_too_deeply_is_an_error():
    x, nested = Var(ShapedArray((), F32)), ()
    for _ in range(200_000):
        nested = (nested,)
    with pytest.raises(RecursionError):
        direct([x], [JaxprEqn([x], [y := Var(x.aval)], add, {"p": nested})], [y])


def test_what_the_text_of_a_parameter_changes_is_kept_meanwhile():
    def meddle(value):
        program.eqns = program.outvars = program.invars = equation.params = []
        equation.invars = equation.outvars = []
        return "?"

    x, y = Var(ShapedArray((), F32)), Var(ShapedArray((), F32))
    equation = JaxprEqn([x, x], [y], add, {"p": object(), "q": 1})
    program = Jaxpr([], [x], [y], [equation, JaxprEqn([y, x], [Var(x.aval)], mul, {})])
    expected = b"|11();|add[p=?,q=1,](v0,v0,)->11(),;mul[](v1,v0,)->11(),;|v1;"
    assert _native.program_text(program, None, meddle, as_array) == expected


def test_malformed_programs_are_errors():
    x, y = Var(ShapedArray((), F32)), Var(ShapedArray((), F32))
    with pytest.raises(TypeError, match="needs a jaxpr"):
        _native.program_text(ClosedJaxpr(Jaxpr([], [], [], [])), [], text, as_array)
    with pytest.raises(TypeError, match="defined before"):
        direct([x], [], [y])
    with pytest.raises(TypeError, match="all constants"):
        direct([x], [], [x], [y], [])
    with pytest.raises(TypeError, match="equations"):
        direct([x], [3], [x])
    with pytest.raises(TypeError, match="primitives"):
        direct([x], [JaxprEqn([x], [y], "neg", {})], [y])
    with pytest.raises(TypeError, match="primitives"):
        direct([x], [JaxprEqn([x], [y], _native.Operation(), {})], [y])
    with pytest.raises(TypeError, match="variables"):
        direct([3], [], [])
    with pytest.raises(TypeError, match="types"):
        direct([Var("float32")], [], [])
    with pytest.raises(TypeError, match="scalars that are arrays"):
        _native.program_text(Jaxpr([y], [x], [x], []), [2.0], text, lambda value: value)
