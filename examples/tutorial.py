"""The tutorial: what Vires does, section by section, from NumPy to a trained network.

Each section prints its code, what it computed, and how long it took; plots go to build/tutorial.
The exit code is not zero when a result is wrong.

    python examples/tutorial.py                        # run it
    python examples/tutorial.py --page docs/tutorial.md    # write it as a page as well
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import sys
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy
from sklearn import datasets
from tqdm import tqdm

import vires
import vires.numpy as np
from vires import grad, jit, random, value_and_grad, vmap
from vires.experimental import minmax, stax

PLOTS = Path("build") / "tutorial"


# --- 1


def numpy_wrapper() -> None:
    x = np.ones((5000, 5000))
    y = np.arange(5000)
    z = np.sin(x) + np.cos(y)
    print(z)


def check_numpy_wrapper() -> None:
    z = np.sin(np.ones((3, 5000))) + np.cos(np.arange(5000))
    expected = numpy.sin(numpy.ones((3, 5000))) + numpy.cos(numpy.arange(5000))
    assert numpy.allclose(z, expected, rtol=0, atol=1e-6)


# --- 2


def compilation() -> None:
    def f(x, y):
        return np.sin(x) + np.cos(y)

    x, y = np.ones((5000, 5000)), np.arange(5000)
    f_jit = jit(f)

    nx = numpy.ones((5000, 5000), numpy.float32)
    ny = numpy.arange(5000, dtype=numpy.float32)

    print(f"NumPy                  {milliseconds(lambda: numpy.sin(nx) + numpy.cos(ny)):6.1f} ms")
    print(f"operation by operation {milliseconds(lambda: f(x, y)):6.1f} ms")
    print(f"first call of jit(f)   {milliseconds(lambda: f_jit(x, y), repeat=1):6.1f} ms")
    print(f"jit(f)                 {milliseconds(lambda: f_jit(x, y)):6.1f} ms")


def check_compilation() -> None:
    x, y = np.ones((7, 5000)), np.arange(5000)
    compiled = jit(lambda x, y: np.sin(x) + np.cos(y))(x, y)
    assert numpy.allclose(compiled, numpy.sin(1.0) + numpy.cos(numpy.arange(5000)), atol=1e-6)


# --- 3


def derivatives() -> None:
    def sinc(x):
        return np.sin(x) / x

    d_sinc = grad(sinc)
    dd_sinc = grad(grad(sinc))
    print("sinc  (2.0) =", sinc(2.0))
    print("sinc' (2.0) =", d_sinc(2.0))
    print("sinc''(2.0) =", dd_sinc(2.0))

    points = numpy.linspace(-20, 20, 400)
    for function, label in ((sinc, "sinc"), (d_sinc, "sinc'"), (dd_sinc, "sinc''")):
        plt.plot(points, vmap(function)(np.asarray(points)), label=label)
    plt.legend()
    save_plot("sinc.png")


def check_derivatives() -> None:
    def sinc(x: Any) -> Any:
        return np.sin(x) / x

    x = numpy.linspace(0.5, 20, 50)
    first = numpy.cos(x) / x - numpy.sin(x) / x**2
    second = -numpy.sin(x) / x - 2 * numpy.cos(x) / x**2 + 2 * numpy.sin(x) / x**3
    assert numpy.allclose(vmap(grad(sinc))(x), first, atol=1e-6)
    assert numpy.allclose(vmap(grad(grad(sinc)))(x), second, atol=1e-6)


# --- 4


def vectorisation() -> None:
    def sinc(x):
        return np.sin(x) / x

    d_sinc = grad(sinc)
    x = np.linspace(0.1, 10.0, 400)

    loop = np.array([d_sinc(point) for point in x])
    mapped = vmap(d_sinc)(x)
    print("largest difference:", np.abs(loop - mapped).max())

    print(f"Python loop    {milliseconds(lambda: [d_sinc(point) for point in x]):8.3f} ms")
    print(f"vmap           {milliseconds(lambda: vmap(d_sinc)(x)):8.3f} ms")
    compiled = jit(vmap(d_sinc))
    print(f"jit of vmap    {milliseconds(lambda: compiled(x)):8.3f} ms")


def check_vectorisation() -> None:
    x = np.linspace(0.1, 10.0, 40)
    derivative = grad(lambda x: np.sin(x) / x)
    loop = numpy.array([derivative(point) for point in x])
    assert numpy.allclose(loop, vmap(derivative)(x), atol=1e-6)
    assert numpy.allclose(loop, jit(vmap(derivative))(x), atol=1e-6)


# --- 5


def random_keys() -> None:
    key = random.key(0)
    print(random.normal(key, (3,)))
    print(random.normal(random.clone(key), (3,)), "the same key, the same numbers")

    key, subkey = random.split(key)
    print(random.normal(subkey, (3,)), "another key")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        random.normal(subkey, (3,))
    for warning in caught:
        print(f"{warning.category.__name__}: {warning.message}")


def check_random_keys() -> None:
    first = numpy.asarray(random.normal(random.key(0), (3,)))
    # What JAX draws from this key.
    assert numpy.allclose(first, [1.6226422, 2.0252647, -0.43359444], rtol=1e-6)
    key, subkey = random.split(random.key(0))
    assert not numpy.array_equal(random.normal(key, (3,)), random.normal(subkey, (3,)))


# --- 6


def network() -> tuple[list[float], float]:
    # 150 flowers: four measurements, three species. A third is held out.
    iris = datasets.load_iris()
    order = random.permutation(random.key(1), 150)
    measured = np.asarray(iris.data.astype(numpy.float32))[order]
    species = np.asarray(iris.target)[order]
    inputs = (measured - measured.mean(0)) / measured.std(0)
    labels = vires.nn.one_hot(species, 3)
    train, test = slice(0, 100), slice(100, 150)

    net_init, net_apply = stax.serial(
        stax.Dense(32), stax.Relu, stax.Dense(32), stax.Relu, stax.Dense(3), stax.LogSoftmax
    )
    _, params = net_init((-1, 4))
    opt_init, opt_update = minmax.adam(step_size=0.01)

    def loss(params, x, y):
        return -np.mean(np.sum(net_apply(params, x) * y, axis=1))

    @jit
    def step(i, opt_state, x, y):
        value, gradients = value_and_grad(loss)(minmax.get_params(opt_state), x, y)
        return value, opt_update(i, gradients, opt_state)

    opt_state = opt_init(params)
    losses = []
    for i in tqdm(range(300), desc="training"):
        value, opt_state = step(i, opt_state, inputs[train], labels[train])
        losses.append(float(value))

    params = minmax.get_params(opt_state)
    predicted = np.argmax(net_apply(params, inputs[test]), axis=1)
    accuracy = np.mean(predicted == species[test])
    print(f"loss {losses[0]:.4f} before, {losses[-1]:.4f} after {len(losses)} steps")
    print(f"accuracy on flowers that were held out: {accuracy:.2f}")

    plt.semilogy(losses)
    plt.xlabel("step")
    plt.ylabel("loss")
    save_plot("loss.png")
    return losses, float(accuracy)


def check_network(losses: list[float], accuracy: float) -> None:
    assert accuracy > 0.9, accuracy
    assert losses[-1] < 0.1 * losses[0], losses[-1]


SECTIONS: list[tuple[str, str, Callable[[], Any], Callable[..., None]]] = [
    (
        "NumPy",
        "`vires.numpy` has NumPy's functions, on arrays that are immutable and 32-bit by default.",
        numpy_wrapper,
        check_numpy_wrapper,
    ),
    (
        "jit: compilation",
        "`jit` compiles a function at its first call, for the types of its arguments: one loop "
        "over the data instead of one for each operation, in vector instructions, on all cores.",
        compilation,
        check_compilation,
    ),
    (
        "grad: derivatives",
        "`grad` turns a function into its derivative, which is a function too, so that `grad` of "
        "`grad` is the second derivative.",
        derivatives,
        check_derivatives,
    ),
    (
        "vmap: vectorisation",
        "`vmap` turns a function of one example into a function of many. No loop is left, and "
        "`jit` compiles the whole.",
        vectorisation,
        check_vectorisation,
    ),
    (
        "Random keys",
        "Random functions have no hidden state: they draw from a key. The same key gives the same "
        "numbers, on every machine; new keys come from `split`. Using one twice warns.",
        random_keys,
        check_random_keys,
    ),
    (
        "A network",
        "`stax` builds networks of layers, pairs of functions that make parameters and apply "
        "them; `minmax` has the optimisers.",
        network,
        check_network,
    ),
]


def milliseconds(function: Callable[[], Any], repeat: int = 5) -> float:
    """The shortest time of some calls, results waited for."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        vires.block_until_ready(function())
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def save_plot(name: str) -> None:
    PLOTS.mkdir(parents=True, exist_ok=True)
    plt.savefig(PLOTS / name)
    plt.close()
    print("plot:", PLOTS / name)


def source(section: Callable[[], Any]) -> str:
    """The body of a section's function, as a reader would type it."""
    lines = inspect.getsource(section).splitlines()[1:]
    if lines[-1].strip().startswith("return"):  # what the check looks at
        lines.pop()
    return textwrap.dedent("\n".join(lines))


def run(number: int) -> tuple[str, bool]:
    """Run one section, print it, and give it as a part of the page, and whether it went well."""
    title, text, section, check = SECTIONS[number]
    code = source(section)
    print(f"\n=== {number + 1}. {title} " + "=" * (70 - len(title)))
    print(textwrap.indent(code, "    "), "\n", flush=True)
    output = io.StringIO()
    start = time.perf_counter()
    good, results = True, ()
    try:
        with contextlib.redirect_stdout(output):
            results = section() or ()
    except Exception:
        good = False
        traceback.print_exc()
    seconds = time.perf_counter() - start
    print(output.getvalue(), end="")
    print(f"[{seconds:.2f} s]", flush=True)
    try:
        if good:
            check(*results)
    except AssertionError:
        good = False
        traceback.print_exc()
    page = (
        f"## {number + 1}. {title}\n\n{textwrap.fill(text, 100)}\n\n```python\n{code}\n```\n\n"
        f"```text\n{output.getvalue()}[{seconds:.2f} s]\n```\n"
    )
    return page, good


PAGE_START = """# Tutorial

This page is `examples/tutorial.py`, with what it printed on a machine with two cores. Run it with
`make tutorial`; the plots go to `build/tutorial`. The imports are

```python
import matplotlib.pyplot as plt
import numpy
from sklearn import datasets
from tqdm import tqdm

import vires
import vires.numpy as np
from vires import grad, jit, random, value_and_grad, vmap
from vires.experimental import minmax, stax
```

`milliseconds` gives the shortest time of five calls, `save_plot` writes the figure to a file.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tutorial.")
    parser.add_argument("--page", type=Path, help="write the tutorial as a page to this file")
    page = parser.parse_args().page
    start = time.perf_counter()
    parts, results = zip(*(run(i) for i in range(len(SECTIONS))), strict=True)
    print(f"\nAll sections: {time.perf_counter() - start:.1f} s")
    if page is not None:
        page.write_text("\n".join((PAGE_START, *parts)))
    wrong = [SECTIONS[i][0] for i, good in enumerate(results) if not good]
    if wrong:
        print("Something is off in:", ", ".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
