"""vires.explain: what is in the report, and that looking changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax


def flat(steps):
    for step in steps:
        yield step
        yield from flat(step.inner)


def sample(x, y):
    a = np.sin(x)
    return a + np.cos(y)


def loss(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.mean(x**2)


def mlp():
    random = onp.random.default_rng(0)
    params = [
        (random.normal(size=(32, 32)).astype("float32") / 6, onp.zeros(32, "float32"))
        for _ in range(2)
    ]
    return params, random.normal(size=(16, 32)).astype("float32")


# --- what it says


def test_a_fused_kernel_names_its_primitives_lines_and_types():
    x = onp.linspace(0, 1, 2000, dtype="float32").reshape(20, 100)
    explanation = vires.explain(sample)(x, x + 1)
    (step,) = explanation.steps
    assert step.primitives == {"sin": 1, "cos": 1, "add": 1}
    assert [s.text for s in step.sources] == ["a = np.sin(x)", "return a + np.cos(y)"]
    assert all(os.path.samefile(s.filename, __file__) for s in step.sources)
    assert {(r.name, r.dtype, r.shape, r.nbytes) for r in step.reads} == {
        ("x", "float32", (20, 100), 8_000),
        ("y", "float32", (20, 100), 8_000),
    }
    assert [(w.name, w.nbytes) for w in step.writes] == [("result", 8_000)]
    assert step.operations == 2000 * (20 + 20 + 1)
    assert step.lanes > 1 and step.level == 0 and step.runs == 1
    text = str(explanation)
    for part in ("sample: 1 step", "sin, cos, add", "np.cos(y)", "reached", "lanes", "LLVM"):
        assert part in text
    assert text == repr(explanation)


def test_the_gradient_of_a_network():
    explanation = vires.explain(vires.jit(vires.grad(loss)))(*mlp())
    steps = list(flat(explanation.steps))
    names = [set(step.primitives) for step in steps]
    assert any("dot_general" in found for found in names)
    assert any("tanh" in found for found in names)
    lines = {s.text for step in steps for s in step.sources}
    assert lines == {"x = np.tanh(x @ w + b)", "return np.mean(x**2)"}
    expected = vires.grad(loss)(*mlp())
    for a, b in zip(
        vires.tree.leaves(explanation.result), vires.tree.leaves(expected), strict=True
    ):
        onp.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_loop_shows_the_kernels_of_its_body():
    def run(c, xs):
        def body(c, x):
            c = np.sin(c @ x)
            return c, c.sum()

        return lax.scan(body, c, xs)

    xs = onp.full((5, 40, 40), 0.01, "float32")
    explanation = vires.explain(run)(np.ones((40, 40)), xs)
    loop = next(step for step in explanation.steps if step.name == "scan")
    assert {"dot_general", "sin"} <= {name for x in loop.inner for name in x.primitives}
    assert "c = np.sin(c @ x)" in {s.text for x in loop.inner for s in x.sources}
    assert all(x.runs == 5 and x.seconds > 0 for x in loop.inner)
    assert [x.place for x in loop.inner] == [
        f"{loop.place}.{i + 1}" for i in range(len(loop.inner))
    ]
    assert "in 5 runs" in str(explanation)


def test_a_loop_in_registers_is_one_step():
    def count(x):
        return lax.while_loop(lambda c: c < 10.0, lambda c: c * 1.5 + 1.0, x)

    explanation = vires.explain(count)(1.0)
    (step,) = explanation.steps
    assert step.note == "while in registers"
    assert {"lt", "mul", "add"} <= set(step.primitives)
    assert step.operations is None and step.limit is None  # nobody knows how many turns


@pytest.mark.parametrize(
    ("function", "read", "written"),
    [
        (lambda x: x * 2, 40_000, 40_000),
        (lambda x: x.sum(0), 40_000, 400),
        (lambda x: x[:10] + 1, 4_000, 4_000),
        (lambda x: x[:, :1] + np.zeros(100), 400, 40_000),
        (lambda x: x.T + 1, 40_000, 40_000),
        (lambda x: x + x[::-1], 40_000, 40_000),
        (lambda x: x.at[3].set(1.0), 40_000, 40_000),
    ],
)
def test_bytes(function, read, written):
    explanation = vires.explain(function)(np.ones((100, 100)))
    last = explanation.steps[-1]
    assert sum(x.nbytes for x in last.writes) == written
    arguments = [x for step in explanation.steps for x in step.reads if x.name == "x"]
    assert sum(x.nbytes for x in arguments) == read


def test_operations():
    def operations(function, *args):
        return sum(step.operations for step in vires.explain(function)(*args).steps)

    ones = np.ones((64, 48))
    assert operations(lambda x: x * 2 + 1, ones) == 2 * 64 * 48
    assert operations(np.matmul, ones, ones.T) == 2 * 64 * 64 * 48
    assert operations(lambda x: x @ np.ones(48), ones) >= 2 * 64 * 48


def test_a_long_sum_is_combined_in_a_second_step():
    first, second = vires.explain(np.sum)(np.ones(1_000_000)).steps
    assert first.tasks > 1
    assert second.note == f"combines the partial results of {first.name}"


def test_what_runs_on_the_host_says_so():
    def call(x):
        return vires.pure_callback(lambda x: x + 1, x, x) * 2

    explanation = vires.explain(call)(np.ones(3))
    assert any(step.note.startswith("on the host") for step in explanation.steps)
    onp.testing.assert_array_equal(explanation.result, [4, 4, 4])


def test_memory_and_passes():
    report = vires.explain(sample)(np.ones(1000), np.ones(1000)).report
    assert report.memory == {"arguments": 8000, "constants": 0, "results": 4000, "scratch": 0}
    assert list(report.passes) == [
        "staging", "simplify", "fuse", "schedule", "memory", "emit", "LLVM", "link",
    ]  # fmt: skip
    assert all(t > 0 for t in report.passes.values())
    assert report.code_bytes > 0
    assert report.call > 0
    assert all(x > 0 for x in report.limits)


def test_timings_are_positive_and_limits_are_fractions():
    for step in vires.explain(sample)(np.ones(100_000), np.ones(100_000)).steps:
        assert step.seconds > 0 and step.compile_seconds > 0
        assert step.limit > 0 and step.reached > 0


# --- how it is called


def test_static_arguments():
    def power(x, n, *, mode):
        return x**n if mode == "power" else x

    by_number = vires.explain(power, static_argnums=1, static_argnames="mode")
    result = by_number(np.arange(4.0), 3, mode="power").result
    onp.testing.assert_array_equal(result, [0, 1, 8, 27])
    jitted = vires.jit(power, static_argnums=(1,), static_argnames=("mode",))
    result = vires.explain(jitted)(np.arange(4.0), 3, mode="power").result
    onp.testing.assert_array_equal(result, [0, 1, 8, 27])


def test_methods_and_pytrees():
    class Model:
        def __init__(self):
            self.scale = 3.0

        def plain(self, x):
            return {"y": x["a"] * self.scale, "z": (x["b"], None)}

        @vires.jit
        def jitted(self, x):
            return x + 1

    result = vires.explain(Model().plain)({"a": np.ones(3), "b": 2}).result
    onp.testing.assert_array_equal(result["y"], [3, 3, 3])
    assert int(result["z"][0]) == 2 and result["z"][1] is None

    class Pair(tuple):
        pass

    vires.tree_util.register_pytree_node(Pair, lambda p: (tuple(p), None), lambda _, p: Pair(p))
    vires.tree_util.register_pytree_node(Model, lambda m: ((), None), lambda _, c: Model())
    onp.testing.assert_array_equal(vires.explain(Model().jitted)(np.zeros(2)).result, [1, 1])


def test_unused_and_donated_arguments():
    function = vires.jit(lambda x, y: x + 1, donate_argnums=0)
    x = np.ones(1000)
    explanation = vires.explain(function)(x, np.ones(5))
    assert not x.is_deleted()
    onp.testing.assert_array_equal(explanation.result, onp.full(1000, 2))
    onp.testing.assert_array_equal(x, onp.ones(1000))


def test_an_update_of_a_donated_argument_copies_nothing():
    def update(x):
        return x.at[5].set(1.0)

    x = np.zeros(1000)
    assert vires.explain(vires.jit(update))(x).steps[-1].nbytes == 8000  # read and written
    assert vires.explain(vires.jit(update, donate_argnums=0))(x).steps[-1].nbytes < 100


def test_products_of_complex_numbers_and_in_loops():
    a = onp.eye(40, dtype="complex64") * 2j
    explanation = vires.explain(lambda a: lax.fori_loop(0, 3, lambda i, c: c @ a, a))(a)
    onp.testing.assert_allclose(explanation.result, onp.eye(40) * 16)


def test_a_program_without_steps():
    explanation = vires.explain(lambda x: x)(np.ones(3))
    assert explanation.steps == [] and "0 steps" in str(explanation)
    onp.testing.assert_array_equal(explanation.result, [1, 1, 1])


def test_empty_arrays():
    explanation = vires.explain(lambda x: np.sin(x))(np.ones((0, 3)))
    assert explanation.result.shape == (0, 3)
    assert "float32[0,3]: 0 B" in str(explanation)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.cumsum(np.exp(-x)),
        lambda x: np.sort(x)[::-1],
        lambda x: lax.cond(x[0] > 0, np.sin, np.cos, x),
        lambda x: x.at[np.arange(3)].add(2.0),
        lambda x: np.linalg.solve(np.eye(50) + x[:50], x[:50]),
        lambda x: lax.fori_loop(0, 5, lambda i, c: np.sin(c) + i, x),
    ],
)
def test_results_are_those_of_the_function(function):
    x = onp.random.default_rng(1).normal(size=2000).astype("float32")
    onp.testing.assert_array_equal(vires.explain(function)(x).result, vires.jit(function)(x))


def test_failed_checks_still_raise():
    with pytest.raises(IndexError):
        vires.explain(lambda x, i: x[i])(np.arange(3.0), 7)


# --- the page


class _Resources(HTMLParser):
    found: list[str]

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.found.append(tag)
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "xlink:href")]


def test_the_page_is_well_formed_and_needs_nothing_else(tmp_path: Path):
    def odd(x, y):
        return np.where(x < y, x, "<&>" and y)

    explanation = vires.explain(odd)(np.ones(100), np.zeros(100))
    page = explanation._repr_html_()
    path = tmp_path / "page.html"
    explanation.save(path)
    assert path.read_text(encoding="utf-8") == page
    explanation.save(str(path))
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert root.tag == "html"
    svg = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f".//{svg}svg")) == len(list(flat(explanation.steps)))
    parser = _Resources()
    parser.feed(page)
    assert parser.found == []
    assert "@import" not in page and "url(" not in page
    assert "&lt;&amp;&gt;" in page  # the user's line, as text


# --- errors


def test_bad_input():
    with pytest.raises(TypeError, match=r"explain: needs a function; got int"):
        vires.explain(3)
    with pytest.raises(TypeError, match=r"explain: needs argument positions as int .* got 'x'"):
        vires.explain(sample, static_argnums="x")
    with pytest.raises(TypeError, match=r"explain: needs argument names as str .* got \(1,\)"):
        vires.explain(sample, static_argnames=(1,))
    with pytest.raises(ValueError, match=r"explain: needs names of arguments of sample"):
        vires.explain(sample, static_argnames="z")
    with pytest.raises(TypeError, match=r"explain: needs a path for the page; got int; try save"):
        vires.explain(sample)(1.0, 2.0).save(3)


def test_arguments_that_are_no_arrays():
    with pytest.raises(TypeError, match=r"jit: needs arguments that are arrays.*str.* at y"):
        vires.explain(sample)(1.0, "two")


def test_traced_values():
    with pytest.raises(TypeError, match=r"explain: needs arrays; got traced values; try to call"):
        vires.jit(lambda x: vires.explain(np.sin)(x).result)(1.0)


def test_another_engine():
    vires.config.update("engine", "reference")
    try:
        with pytest.raises(
            RuntimeError, match=r"explain: needs the engine 'llvm'; got 'reference'"
        ):
            vires.explain(np.sin)(1.0)
    finally:
        vires.config.update("engine", "llvm")


# --- VIRES_DUMP


def dumped(stages: str) -> subprocess.CompletedProcess[str]:
    program = "import vires, vires.numpy as np; vires.jit(lambda x: np.sin(x) * 2)(np.ones(3))"
    environment = {**os.environ, "VIRES_DUMP": stages}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


def test_dump_prints_assembly():
    done = dumped("asm")
    assert done.returncode == 0
    assert "--- asm: <lambda>" in done.stderr and "k0:" in done.stderr
    assert "--- llvm" not in done.stderr
    everything = dumped("all").stderr
    assert "--- asm" in everything and "--- calls" in everything
    assert "k0(frame, task, [0]" in dumped("calls").stderr


def test_dump_prints_what_is_explained(monkeypatch, capsys):
    monkeypatch.setenv("VIRES_DUMP", "simplify")
    vires.explain(lambda x: np.sin(x) * 2)(np.ones(3))
    assert "--- simplify: <lambda>" in capsys.readouterr().err
    monkeypatch.delenv("VIRES_DUMP")
    vires.explain(lambda x: np.sin(x) * 3)(np.ones(3))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stages", ["assembly", "all,assembly"])
def test_dump_knows_its_stages(stages: str):
    done = dumped(stages)
    assert done.returncode != 0
    assert (
        "VIRES_DUMP: needs stages among jaxpr, roll, simplify, fuse, schedule, memory, calls, "
        "llvm, asm, all; got assembly; try VIRES_DUMP=all" in done.stderr
    )
