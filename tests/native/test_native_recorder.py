"""Operation and Recorder: binding, recording, passing on, and what they hold."""

import copy
import functools
import gc
import inspect
import pickle
import sys
import weakref

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import _native
from vires.core.avals import ShapedArray
from vires.core.jaxpr import Jaxpr, JaxprEqn, Literal, Var
from vires.core.source import SourceLine, here, scope
from vires.core.staging import StagedTracer, StagingTrace
from vires.core.trace import EVAL, thread
from vires.ops.elementwise import add, neg
from vires.ops.filled import full_like
from vires.transform.linearize import TangentTrace

AVAL = ShapedArray((3,), onp.dtype("float32"))


def test_an_equation_has_operands_results_parameters_and_line():
    trace = StagingTrace()
    x = trace.argument(AVAL)
    y = trace.process(add, [x, x], {})
    (eqn,) = trace.eqns
    assert type(eqn) is JaxprEqn and eqn.primitive is add and eqn.params == {}
    assert eqn.invars == [x.variable, x.variable]
    assert type(y) is StagedTracer and y._trace is trace and y.aval is AVAL
    assert type(y.variable) is Var and eqn.outvars == [y.variable] and y.variable.aval is AVAL
    assert type(eqn.source) is SourceLine
    assert eqn.source.filename == __file__
    assert eqn.source.function == "test_an_equation_has_operands_results_parameters_and_line"


def test_the_line_is_the_one_that_is_being_derived():
    trace = StagingTrace()
    x = trace.argument(AVAL)
    line = here()
    thread.source = line
    try:
        trace.process(neg, [x], {})
    finally:
        thread.source = None
    assert trace.eqns[0].source is line


def test_numbers_become_literals_and_arrays_constants():
    trace = StagingTrace()
    x = trace.argument(AVAL)
    array = vires.numpy.ones(3)
    trace.process(add, (x, array), {})
    trace.process(add, (array, x), {})
    first, second = trace.eqns
    assert first.invars[1] is second.invars[0] is trace.constvars[id(array)]
    scalar = trace.argument(ShapedArray((), onp.dtype("float32")))
    trace.process(add, (scalar, vires.numpy.float32(2)), {})
    assert type(trace.eqns[-1].invars[1]) is Literal


def test_several_results_are_a_list_of_tracers():
    def f(x):
        values, indices = vires.lax.top_k(x, 2)
        return values, indices

    jaxpr = vires.make_jaxpr(f)(onp.ones(5, "float32"))
    (eqn,) = [e for e in jaxpr.eqns if len(e.outvars) == 2]
    assert [v.aval.shape for v in eqn.outvars] == [(2,), (2,)]


def test_the_users_error_of_infer_passes_through_and_records_nothing():
    trace = StagingTrace()
    x, y = trace.argument(AVAL), trace.argument(ShapedArray((4,), onp.dtype("float32")))
    with pytest.raises(TypeError, match=r"add: needs .*; got"):
        trace.process(add, [x, y], {})
    assert trace.eqns == []


def test_parameters_that_others_hold_are_copied():
    seen = []

    class Trace(StagingTrace):
        def process(self, primitive, operands, params):
            seen.append(params)
            return super().process(primitive, operands, params)

    trace = Trace()
    x = trace.argument(AVAL)
    bound = functools.partial(vires.ops.reduce.reduce_sum, axes=(0,))
    before, thread.trace = thread.trace, trace
    try:
        bound(x)
    finally:
        thread.trace = before
    assert seen == [{"axes": (0,)}] and seen[0] is not bound.keywords
    assert trace.eqns[0].params is seen[0]


def test_a_copy_of_a_primitive_is_the_primitive():
    assert copy.copy(add) is copy.deepcopy(add) is pickle.loads(pickle.dumps(add)) is add


def test_bind_has_a_signature():
    assert str(inspect.signature(add.bind)) == "(*operands, **params)"


@pytest.mark.parametrize("method", ["process", "record"])
@pytest.mark.parametrize(
    "arguments", [(), (add,), (add, [], {}, 1), ("add", [], {}), (add, [], []), (add, [], None)]
)
def test_wrong_arguments_are_an_error(method, arguments):
    with pytest.raises(TypeError, match="process: needs a primitive, operands and parameters"):
        getattr(StagingTrace(), method)(*arguments)


def test_operands_must_be_a_sequence():
    with pytest.raises(TypeError, match="sequence of operands"):
        StagingTrace().process(add, 3, {})


def test_an_unfinished_recorder_or_operation_is_an_error():
    with pytest.raises(RuntimeError, match="needs set_program_types, equations and a rule"):
        _native.Recorder().process(add, [], {})
    trace = StagingTrace()
    with pytest.raises(RuntimeError, match="needs set_program_types, equations and a rule"):
        trace.process(_native.Operation(), [], {})


def test_set_program_types_needs_classes_with_the_slots():
    with pytest.raises(TypeError, match="needs a class"):
        _native.set_program_types(ShapedArray, 3, Var, Literal, JaxprEqn, Jaxpr)
    with pytest.raises(AttributeError, match="_trace"):
        _native.set_program_types(ShapedArray, Var, Var, Literal, JaxprEqn, Jaxpr)

    class Loose:
        _trace = variable = aval = None

    with pytest.raises(TypeError, match="needs a slot _trace"):
        _native.set_program_types(ShapedArray, Loose, Var, Literal, JaxprEqn, Jaxpr)
    assert vires.jit(lambda x: x + 1)(1.0) == 2.0  # what was told before still holds


def test_what_touches_no_tangent_goes_to_the_parent():
    outer = StagingTrace()
    inner = TangentTrace(outer)
    nested = TangentTrace(inner)
    x, t = outer.argument(AVAL), inner.argument(AVAL)
    assert nested.process(neg, [x], {})._trace is outer
    assert nested.process(neg, [t], {})._trace is inner
    assert nested.process(neg, [nested.argument(AVAL)], {})._trace is nested
    assert [len(trace.eqns) for trace in (outer, inner, nested)] == [1, 1, 1]


def test_a_parent_with_a_process_of_its_own_is_asked():
    seen = []

    class Watching(StagingTrace):
        def process(self, primitive, operands, params):
            seen.append(primitive)
            return super().process(primitive, operands, params)

    outer = Watching()
    TangentTrace(outer).process(neg, [outer.argument(AVAL)], {})
    assert seen == [neg] and len(outer.eqns) == 1


def test_a_parent_that_computes_is_current_meanwhile():
    trace = TangentTrace(EVAL)
    before, thread.trace = thread.trace, trace
    try:
        got = trace.process(neg, [vires.numpy.ones(3)], {})
        assert thread.trace is trace
    finally:
        thread.trace = before
    assert got.tolist() == [-1, -1, -1] and trace.eqns == []


def test_a_used_up_tracer_is_an_error():
    trace = StagingTrace()
    x = trace.argument(AVAL)
    trace.finished = True
    with pytest.raises(vires.errors.UnexpectedTracerError, match="has ended"):
        StagingTrace().process(neg, [x], {})


def test_recordings_are_freed():
    trace = StagingTrace()
    x = trace.argument(AVAL)
    y = trace.process(add, [x, trace.process(neg, [x], {})], {})
    references = sys.getrefcount(AVAL)
    watched = weakref.ref(trace), weakref.ref(y)
    trace.myself = trace  # a cycle
    del trace, x, y
    gc.collect()
    assert [reference() for reference in watched] == [None, None]
    assert sys.getrefcount(AVAL) < references
    # Neither the primitive nor the interpreter's class gained references for good.
    counts = sys.getrefcount(neg), sys.getrefcount(StagingTrace)
    for _ in range(100):
        trace = StagingTrace()
        trace.process(neg, [trace.argument(AVAL)], {})
        del trace
    gc.collect()
    assert (sys.getrefcount(neg), sys.getrefcount(StagingTrace)) == counts


def test_a_constant_that_is_refused_is_so_whatever_was_recorded_before():
    """-1 next to an unsigned array wraps around; as the value of an array it is an error."""

    def f(x):
        return x + -1, full_like(x, -1)

    x = onp.ones(3, "uint8")
    with pytest.raises(OverflowError):
        vires.jit(lambda x: full_like(x, -1))(x)
    with pytest.raises(OverflowError):
        vires.jit(f)(x)


def test_a_recording_with_constants_leaves_no_cycle():
    """What a compilation built is freed at once, not when Python looks for cycles."""
    watched = []

    def f(x):
        watched.append(weakref.ref(thread.trace))
        return np.where(x > 0, x * 2.0, 0.0) + 2.0

    gc.collect()
    gc.disable()
    try:
        vires.make_jaxpr(f)(np.ones(3))
        with pytest.raises(ZeroDivisionError):
            vires.make_jaxpr(lambda x: (f(x), 1 // 0))(np.ones(3))
        assert [reference() for reference in watched] == [None, None]
    finally:
        gc.enable()


def test_the_source_line_is_the_callers_and_has_the_scope():
    line = here()
    assert line is not None and line.filename == __file__ and line.scope == ""
    assert str(line).startswith(f"{__file__}:{line.line} (test_the_source_line")
    with scope("encoder"), scope("attention"):
        inside = here()
    assert inside is not None and inside.scope == "encoder/attention"
    assert inside.line == line.line + 4


def test_lines_inside_the_package_are_passed_over():
    jaxpr = vires.make_jaxpr(lambda x: vires.nn.gelu(x))(1.0)
    assert len(jaxpr.eqns) > 1
    assert {eqn.source.filename for eqn in jaxpr.eqns} == {__file__}


def test_set_source_needs_a_class_of_tuples():
    with pytest.raises(TypeError, match="needs a class of tuples"):
        _native.set_source(dict, "", "x")
    with pytest.raises(TypeError, match="needs a class of tuples"):
        _native.set_source(SourceLine, "", 3)
    assert here() is not None
