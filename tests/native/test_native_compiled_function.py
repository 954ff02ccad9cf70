"""Compiled functions: signatures, caching, static arguments, containers, output trees."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import sys
import threading
import weakref
from collections import OrderedDict, namedtuple

import numpy as np
import optree
import pytest

from native_code import FLOAT32, add_executable, binary_loop, buffer, entry
from vires import _native


def array(values: object, dtype: object = np.float32) -> object:
    return _native.from_numpy(np.asarray(values, dtype))


class Recorder:
    """A CompiledFunction whose executables forward their inputs, with records of the misses."""

    def __init__(self, static_argnums: tuple = (), static_argnames: tuple = ()) -> None:
        self.missed: list[tuple] = []
        self.traced: list[tuple] = []
        self.function = _native.CompiledFunction(
            self.miss, self.trace, static_argnums, static_argnames
        )
        self.statics = static_argnums, static_argnames
        self.code = entry("ret i32 0")

    def leaves(self, args: tuple, kwargs: dict) -> list:
        numbers, names = self.statics
        dynamic = [x for i, x in enumerate(args) if i not in numbers]
        return optree.tree_leaves((dynamic, {k: v for k, v in kwargs.items() if k not in names}))

    def miss(self, args: tuple, kwargs: dict) -> object:
        self.missed.append((args, kwargs))
        specs = []
        for x in self.leaves(args, kwargs):
            if not isinstance(x, _native.Array):
                x = _native.from_numpy(
                    np.asarray(x, {float: np.float32, int: np.int32}.get(type(x)))
                )
            specs.append((x.shape, x._code))
        executable = _native.Executable(
            self.code.address(), self.code, [], specs, [(*spec, False) for spec in specs],
            forward={i: i for i in range(len(specs))},
        )  # fmt: skip
        executable.set_output_tree(list(range(len(specs))))
        return executable

    def trace(self, *args: object, **kwargs: object) -> object:
        self.traced.append((args, kwargs))
        return "traced"


def values(arrays: list) -> list:
    return [x.tolist() for x in arrays]


def test_hits_and_misses() -> None:
    recorder = Recorder()
    f = recorder.function
    assert values(f(array([1, 2]))) == [[1.0, 2.0]]
    assert values(f(array([3, 4]))) == [[3.0, 4.0]]
    assert len(recorder.missed) == f._cache_size() == 1
    f(array([1, 2, 3]))
    f(array([1, 2], np.float64))
    f(_native.from_numpy(np.zeros(2, np.float32), True))
    f(array([[1, 2]]))
    assert len(recorder.missed) == f._cache_size() == 5
    f(array([5, 6]))
    assert len(recorder.missed) == 5
    f.clear_cache()
    assert f._cache_size() == 0
    f(array([5, 6]))
    assert len(recorder.missed) == 6
    assert recorder.missed[-1][1] == {}


CONTAINERS = [
    lambda x: x,
    lambda x: (x, x),
    lambda x: [x, (x, None)],
    lambda x: [x, [x], None],
    lambda x: {"b": x, "a": (x, [])},
    lambda x: {"b": x, "a": (x, ())},
    lambda x: {"b": x, "c": (x, ())},
    lambda x: {2: x, 1: x},
    lambda x: {},
    lambda x: [],
    lambda x: None,
]


def test_containers_are_told_apart() -> None:
    recorder = Recorder()
    for round_ in range(2):
        for i, make in enumerate(CONTAINERS):
            recorder.function(make(array([round_])))
            assert len(recorder.missed) == (len(CONTAINERS) if round_ else i + 1)


@pytest.mark.parametrize("make", CONTAINERS)
def test_leaves_are_in_order_of_optree(make) -> None:
    recorder = Recorder()
    numbers = iter(range(10))

    def fresh(tree: object) -> object:
        return optree.tree_map(lambda _: array(next(numbers)), tree)

    tree = fresh(make(0))
    expected = [x.item() for x in optree.tree_leaves(tree)]
    assert [x.item() for x in recorder.function(tree)] == expected
    assert [x.item() for x in recorder.function(key=tree)] == expected


def test_dicts_sort_their_keys() -> None:
    recorder = Recorder()
    names = [f"w{i}" for i in np.random.default_rng(0).permutation(100)]
    tree = {name: array(float(name[1:])) for name in names}
    expected = [float(name[1:]) for name in sorted(names)]
    assert [x.item() for x in recorder.function(tree)] == expected
    backwards = dict(reversed(tree.items()))
    assert [x.item() for x in recorder.function(backwards)] == expected
    copied = {"".join(list(name)): x for name, x in tree.items()}  # equal keys, other objects
    assert [x.item() for x in recorder.function(copied)] == expected
    assert len(recorder.missed) == 1


def test_keywords() -> None:
    recorder = Recorder()
    a, b = array(1), array(2)
    assert values(recorder.function(a, z=a, y=b)) == [1.0, 2.0, 1.0]
    assert values(recorder.function(a, y=b, z=a)) == [1.0, 2.0, 1.0]
    assert len(recorder.missed) == 1
    recorder.function(a, y=b, x=a)
    recorder.function(a, b, z=a)
    assert len(recorder.missed) == 3
    assert recorder.missed[0][1] == {"z": a, "y": b}


@pytest.mark.parametrize(
    "value, dtype, wide, weak",
    [
        (True, np.bool_, np.bool_, False), (3, np.int32, np.int64, True),
        (1.5, np.float32, np.float64, True), (2j, np.complex64, np.complex128, True),
    ],
)  # fmt: skip
def test_python_numbers(value: object, dtype: type, wide: type, weak: bool) -> None:
    made = []

    def miss(args: tuple, kwargs: dict) -> object:
        code = entry("ret i32 0")
        spec = ((), _native.dtype_code(np.dtype(wide if made else dtype)))
        executable = _native.Executable(
            code.address(), code, [], [spec], [(*spec, weak)], forward={0: 0}
        )
        executable.set_output_tree(0)
        made.append(executable)
        return executable

    f = _native.CompiledFunction(miss, None, (), ())
    _native.set_context(0)
    x = f(value)
    assert x.dtype == dtype
    assert x.item() == value
    _native.set_context(1, True)
    y = f(value)
    assert y.dtype == wide
    assert len(made) == 2


def test_numbers_share_a_signature_whatever_their_value() -> None:
    recorder = Recorder()
    assert values(recorder.function(1.0)) == [1.0]
    assert values(recorder.function(2.5)) == [2.5]
    assert len(recorder.missed) == 1
    assert recorder.function(2**40) == "traced"
    assert recorder.function(10**400) == "traced"


def test_context_is_part_of_the_signature() -> None:
    recorder = Recorder()
    x = array(1)
    for context in (0, 1, 0, 1):
        _native.set_context(context)
        recorder.function(x)
    assert len(recorder.missed) == 2


def test_numpy_values_are_converted() -> None:
    recorder = Recorder()
    assert values(recorder.function(np.arange(3.0), np.float32(2))) == [[0.0, 1.0, 2.0], 2.0]
    x = array([1, 2, 3], np.float64)
    assert values(recorder.function(x, array(2))) == [[1.0, 2.0, 3.0], 2.0]
    recorder.function(np.arange(6.0).reshape(3, 2)[:, 0], np.float32(2))
    recorder.function(np.arange(3.0).astype(">f8"), np.array(2, np.float32))
    assert len(recorder.missed) == 1


def test_the_converter_chooses_where_types_are_truncated() -> None:
    recorder = Recorder()
    _native.set_context(0, False, True)
    _native.set_converter(lambda x: _native.from_numpy(np.asarray(x, np.float32)))
    assert recorder.function(array([1, 2]))[0].dtype == np.float32
    assert recorder.function(np.arange(2.0))[0].dtype == np.float32
    assert len(recorder.missed) == 1
    _native.set_converter(lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recorder.function(np.arange(3.0))


def test_static_arguments() -> None:
    recorder = Recorder((1,), ("mode",))
    x = array([1, 2])
    assert values(recorder.function(x, "sum", mode=3)) == [[1.0, 2.0]]
    recorder.function(x, "sum", mode=3)
    assert len(recorder.missed) == 1
    recorder.function(x, "max", mode=3)
    recorder.function(x, "sum", mode=4)
    recorder.function(x, "sum")
    recorder.function(x, 1)
    recorder.function(x, 1.0)
    recorder.function(x, True)
    recorder.function(x, (1, "a"))
    recorder.function(x, tuple(iter((1, "a"))))
    assert len(recorder.missed) == 8
    assert recorder.function(x, [1]) == "traced"
    assert recorder.traced == [((x, [1]), {})]


def test_negative_static_positions() -> None:
    recorder = Recorder((-1,))
    recorder.statics = ((1,), ())
    assert values(recorder.function(array(1), "static")) == [1.0]
    assert values(recorder.function(array(2), "static")) == [2.0]
    assert len(recorder.missed) == 1


def test_errors_of_equality_and_hash() -> None:
    class Odd:
        def __init__(self, error: bool = False) -> None:
            self.error = error

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            raise ArithmeticError("no equality")

    recorder = Recorder((0,))
    recorder.function(Odd())
    with pytest.raises(ArithmeticError, match="no equality"):
        recorder.function(Odd())

    class NoHash:
        def __hash__(self) -> int:
            raise ArithmeticError("no hash")

    with pytest.raises(ArithmeticError, match="no hash"):
        recorder.function(NoHash())


Pair = namedtuple("Pair", "first second")


def test_registered_nodes_go_through_the_flattener() -> None:
    asked = []

    def flatten(x: object) -> object:
        asked.append(x)
        leaves, treedef = optree.tree_flatten(x)
        return None if treedef == optree.tree_structure(0) else (leaves, treedef)

    _native.set_flattener(flatten)
    recorder = Recorder()
    pair = Pair(array(1), {"a": array(2)})
    assert values(recorder.function([pair])) == [1.0, 2.0]
    assert values(recorder.function([pair])) == [1.0, 2.0]
    assert len(recorder.missed) == 1
    ordered = OrderedDict(b=array(1), a=array(2))
    assert values(recorder.function(ordered)) == [1.0, 2.0]
    ordered = OrderedDict(a=array(1), b=array(2))
    assert values(recorder.function(ordered)) == [1.0, 2.0]
    assert len(recorder.missed) == 3
    assert recorder.function(object()) == "traced"
    assert recorder.function(Pair(array(1), object())) == "traced"
    assert values(recorder.function({1: array(1), "a": array(2)})) == [1.0, 2.0]
    _native.set_flattener(lambda x: 3)
    with pytest.raises(TypeError, match=r"flattener: needs \(leaves, treedef\) or None; got 3"):
        recorder.function(object())


def test_tracing_and_none_go_to_python() -> None:
    recorder = Recorder()
    x = array(1)
    assert _native.set_tracing(True) is False
    assert _native.tracing()
    assert recorder.function(x, a=x) == "traced"
    in_thread = []
    thread = threading.Thread(target=lambda: in_thread.append(_native.tracing()))
    thread.start()
    thread.join()
    assert in_thread == [False]
    _native.set_tracing(False)
    assert not recorder.missed
    misses = []

    def miss(args: tuple, kwargs: dict) -> None:
        misses.append(args)

    f = _native.CompiledFunction(miss, lambda *args: "python", (), ())
    assert f(x) == f(x) == "python"
    assert len(misses) == 1


def test_a_callable_from_miss_gets_the_leaves() -> None:
    f = _native.CompiledFunction(lambda args, kwargs: lambda *leaves: leaves, None, (1,), ())
    x = array([1, 2])
    first, number = f({"a": x, "b": 1.5}, "static")
    assert first is x
    assert number.item() == 1.5
    assert number.weak_type
    assert f._cache_size() == 1


def test_not_implemented_is_not_remembered() -> None:
    answers = [NotImplemented, NotImplemented, None]
    f = _native.CompiledFunction(lambda args, kwargs: answers.pop(0), lambda x: "python", (), ())
    assert [f(1.0) for _ in range(4)] == ["python"] * 4
    assert not answers
    assert f._cache_size() == 1


def test_errors_of_miss() -> None:
    def miss(args: tuple, kwargs: dict) -> object:
        raise LookupError("while compiling")

    f = _native.CompiledFunction(miss, None, (), ())
    with pytest.raises(LookupError, match="while compiling"):
        f(array(1))
    assert f._cache_size() == 0
    f = _native.CompiledFunction(lambda args, kwargs: 3, None, (), ())
    with pytest.raises(TypeError, match="needs an Executable, a callable, None"):
        f(array(1))
    f = _native.CompiledFunction(lambda args, kwargs: add_executable(3), None, (), ())
    with pytest.raises(TypeError, match="Executable: needs 2 arrays; got 1"):
        f(array(1))
    f = _native.CompiledFunction(lambda args, kwargs: add_executable(3), None, (), ())
    with pytest.raises(RuntimeError, match="needs an output tree"):
        f(array([1, 2, 3]), array([1, 2, 3]))


def test_kept_arguments() -> None:
    def miss(args: tuple, kwargs: dict) -> object:
        executable = add_executable(2)
        executable.kept = [2, 0]
        executable.set_output_tree(0)
        return executable

    f = _native.CompiledFunction(miss, None, (), ())
    assert f(array([1, 2]), array([9.0] * 5), array([3, 4])).tolist() == [4.0, 6.0]


def test_output_trees() -> None:
    code = entry("ret i32 0")
    specs = [((), FLOAT32)] * 3

    def make(*tree: object) -> object:
        executable = _native.Executable(
            code.address(), code, [], specs, [(*s, False) for s in specs],
            forward={i: i for i in range(3)},
        )  # fmt: skip
        executable.set_output_tree(*tree)
        return _native.CompiledFunction(lambda args, kwargs: executable, None, (), ())

    xs = array(0), array(1), array(2)
    for skeleton in (0, (0, 1, 2), [2, [1, (0, None)]], {"b": 0, "a": {"c": 2}}, None, (), {}, []):
        got = make(skeleton)(*xs)
        assert optree.tree_structure(got) == optree.tree_structure(skeleton)
        assert [x.item() for x in optree.tree_leaves(got)] == optree.tree_leaves(skeleton)
    assert list(make({"b": 0, "a": 1})(*xs)) == ["b", "a"]
    got = make(Pair(0, 1), lambda leaves: Pair(*leaves[1:]))(*xs)
    assert type(got) is Pair
    assert values(got) == [1.0, 2.0]
    with pytest.raises(ValueError, match="leaf numbers below the 3 outputs; got 3"):
        make((0, 3))
    with pytest.raises(TypeError, match="set_output_tree: needs a skeleton"):
        make(Pair(0, 1))


def test_donation_of_converted_arguments() -> None:
    def miss(args: tuple, kwargs: dict) -> object:
        executable = add_executable(50, donate={0: 0})
        executable.set_output_tree(0)
        return executable

    f = _native.CompiledFunction(miss, None, (), ())
    seen = []

    def convert(x: np.ndarray) -> object:
        made = _native.from_numpy(x)
        seen.append(made.unsafe_buffer_pointer())
        return made

    _native.set_context(0, False, True)
    _native.set_converter(convert)
    b = array(np.ones(50))
    values_ = np.arange(50, dtype=np.float32)
    out = f(values_, b)
    assert out.unsafe_buffer_pointer() == seen[0]
    assert out.tolist() == (np.arange(50) + 1).tolist()
    np.testing.assert_array_equal(values_, np.arange(50))
    kept = array(np.arange(50))
    args = (array(np.arange(50)), b)
    for _ in range(2):
        assert f(kept, b).tolist() == out.tolist()
        assert f(*args).tolist() == out.tolist()
        assert functools.partial(f, args[0])(b).tolist() == out.tolist()


def test_explicit_donation() -> None:
    def miss(args: tuple, kwargs: dict) -> object:
        executable = add_executable(50, donate={0: 0}, donated=[0])
        executable.set_output_tree(0)
        return executable

    f = _native.CompiledFunction(miss, None, (), ())
    x, ones = array(np.zeros(50)), array(np.ones(50))
    address = x.unsafe_buffer_pointer()
    for i in range(1, 4):
        y = f(x, ones)
        assert x.is_deleted()
        assert y.unsafe_buffer_pointer() == address
        assert y.tolist() == [float(i)] * 50
        x = y
    f(x, ones)
    with pytest.raises(RuntimeError, match="deleted or donated"):
        f(x, ones)


def test_arguments_that_disappear_while_compiling() -> None:
    recorder = Recorder()
    arguments = [array([1.0, 2.0])]

    def miss(args: tuple, kwargs: dict) -> object:
        made = recorder.miss(args, kwargs)
        recorder.missed.clear()
        del args
        arguments.clear()
        gc.collect()
        return made

    f = _native.CompiledFunction(miss, None, (), ())
    assert values(f(arguments)) == [[1.0, 2.0]]


def test_deep_nesting() -> None:
    tree: list = []
    for _ in range(100_000):
        tree = [tree]
    with pytest.raises(RecursionError):
        Recorder().function(tree)
    while tree:
        tree = tree.pop()


def test_bounded_cache() -> None:
    recorder = Recorder((0,))
    x = array(1)
    for i in range(9000):
        recorder.function(i, x)
        if i % 500 == 0:
            recorder.function(0, x)
    assert recorder.function._cache_size() <= 4096
    count = len(recorder.missed)
    recorder.function(8999, x)
    recorder.function(0, x)
    assert len(recorder.missed) == count


def test_methods_attributes_and_pickling() -> None:
    recorder = Recorder((0,))

    class Holder:
        method = recorder.function

    holder = Holder()
    assert values(holder.method(array(3))) == [3.0]
    assert recorder.missed[0][0][0] is holder
    assert Holder.method is recorder.function
    f = recorder.function

    def original(x: object) -> object:
        """What it does."""

    functools.update_wrapper(f, original)
    assert f.__doc__ == "What it does."
    assert f.__wrapped__ is original
    f.__qualname__ = "module_level"
    sys.modules[__name__].module_level = f
    assert pickle.loads(pickle.dumps(f)) is f
    assert copy.deepcopy(f) is f


def test_life_cycle() -> None:
    recorder = Recorder((0,))
    f = recorder.function
    reference = weakref.ref(f)
    f.itself = f
    f(recorder, array(1))
    executable = weakref.ref(recorder.miss((array(1),), {}))
    del f, recorder
    gc.collect()
    assert reference() is None
    assert executable() is None


def test_threads() -> None:
    recorder = Recorder()
    wrong = []

    def work(k: int) -> None:
        for i in range(2000):
            n = (i + k) % 7
            if recorder.function({"x": array(np.full(n, k))})[0].tolist() != [float(k)] * n:
                wrong.append(1)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_leaks() -> None:
    _native.set_flattener(lambda x: (list(x), type(x)) if isinstance(x, Pair) else None)
    recorder = Recorder((2,))
    x = array([1, 2])
    tree = {"a": [x, (x, None)], "b": Pair(x, x)}
    code = entry(buffer("a", 0) + buffer("b", 1) + buffer("out", 2) + binary_loop(2) + "ret i32 0")
    executable = _native.Executable(
        code.address(), code, [], [((2,), FLOAT32)] * 2, [((2,), FLOAT32, False)]
    )
    executable.set_output_tree({"out": [0, None]})
    compute = _native.CompiledFunction(lambda args, kwargs: executable, None, (), ())

    def work() -> None:
        recorder.function(tree, 1.5, ("static", 300), np.float32(3), key=tree)
        compute(x, x)
        recorder.function(x, 1, [])

    for _ in range(100):
        work()
    recorder.traced.clear()
    gc.collect()
    blocks, references = sys.getallocatedblocks(), sys.getrefcount(x)
    for _ in range(10_000):
        work()
        recorder.traced.clear()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500
    assert sys.getrefcount(x) == references
    assert len(recorder.missed) == 1
