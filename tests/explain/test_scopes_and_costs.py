"""Named scopes in source lines and reports; costs of compiled programs."""

from __future__ import annotations

import threading

import pytest

import vires
import vires.numpy as np
from vires import lax


def network(x):
    with vires.named_scope("encoder"):
        with vires.named_scope("attention"):
            x = np.sin(x)
        x = x * 2
    return x + 1


def scopes(closed) -> list[str]:
    return [eqn.source.scope for eqn in closed.eqns]


def test_scopes_are_in_the_source_of_equations():
    assert scopes(vires.make_jaxpr(network)(1.0)) == ["encoder/attention", "encoder", ""]
    # Derivatives belong to the line, and the scope, of what they are derivatives of.
    derived = scopes(vires.make_jaxpr(vires.grad(network))(1.0))
    assert derived[0] == "encoder/attention" and "encoder" in derived
    body = vires.make_jaxpr(lambda x: lax.fori_loop(0, 3, lambda i, c: network(c), x))(1.0)
    assert "encoder/attention" in str([scopes(p) for e in body.eqns for p in programs(e)])
    assert "(network, encoder)" in str(vires.make_jaxpr(network)(1.0).eqns[1].source)


def programs(eqn):
    return [p for p in eqn.params.values() if hasattr(p, "eqns")]


def test_scopes_end_and_belong_to_a_thread():
    with pytest.raises(KeyError), vires.named_scope("failed"):
        raise KeyError
    seen: list[str] = []
    with vires.named_scope("mine"):
        other = threading.Thread(target=lambda: seen.extend(scopes(vires.make_jaxpr(np.sin)(1.0))))
        other.start()
        other.join()
    assert seen == [""]
    named = vires.named_call(np.sin, name="wave")
    assert named.__name__ == "wave"
    assert scopes(vires.make_jaxpr(lambda x: named(x) + 1)(1.0)) == ["wave", ""]
    with pytest.raises(TypeError, match="named_scope: needs a name as str; got int"):
        vires.named_scope(3).__enter__()


def test_reports_show_scopes():
    text = repr(vires.explain(network)(np.ones(1000)))
    assert "encoder/attention" in text
    assert "test_scopes_and_costs.py:" in text


def cost(f, *args) -> tuple[float, float, float]:
    found = vires.jit(f).lower(*args).compile().cost_analysis()
    return found["flops"], found["transcendentals"], found["bytes accessed"]


V = np.ones(1000)
M = np.ones((64, 64))
COSTS = {
    "elementary": (lambda: cost(np.sin, V), (0, 1000, 8000)),
    "mixed": (lambda: cost(lambda v: np.sin(v) * 2 + np.sqrt(v), V), (2000, 2000, 8000)),
    "product": (lambda: cost(lambda m: m @ m, M), (2 * 64**3, 0, 2 * 4 * 64**2)),
    "sum": (lambda: cost(np.sum, V), (999, 0, 4004)),
    "jit": (lambda: cost(vires.jit(lambda v: v + 1), V), (1000, 0, 8000)),
    "scan": (
        lambda: cost(lambda v: lax.scan(lambda c, _: (c * 2, None), v, None, length=10)[0], V),
        (10_000, 0, None),
    ),
    "dearest branch": (
        lambda: cost(lambda v, i: lax.cond(i, lambda v: v * 2 + 1, lambda v: -v, v), V, True),
        (2001, 0, None),  # and the predicate becomes an index
    ),
    "reads once": (lambda: cost(lambda v: (v + 1) * (v - 1), V), (3000, 0, 8000)),
    "no work": (lambda: cost(lambda v: v.reshape(10, 100), V), (0, 0, None)),
    "copies": (lambda: cost(lambda m: m.T, M), (0, 0, 2 * 4 * 64**2)),
}


@pytest.mark.parametrize("name", COSTS)
def test_costs(name):
    measure, expected = COSTS[name]
    for found, want in zip(measure(), expected, strict=True):
        assert want is None or found == want


def test_sizes():
    compiled = vires.jit(lambda v: v.sum()).lower(V).compile()
    sizes = {"argument_size_in_bytes": 4000, "output_size_in_bytes": 4}
    assert compiled.memory_analysis() == sizes
