"""Memory stays bounded over many calls and over many shapes."""

from __future__ import annotations

from processes import run

_HEADER = """
import gc

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

from vires.engine.llvm import background

def growth(call, warm, count):
    for i in range(warm):
        call(i)
    background.finish()  # compilations that come once, some time after the import or a first call
    before = resident()
    for i in range(warm, warm + count):
        call(i)
    return (resident() - before) / 1e6

x, m, key = np.ones(10), np.ones((4, 4)), random.key(0)
f = jit(lambda x: np.sin(x) * 2)
g = grad(lambda x: (np.sin(x) ** 2).sum())
bad = jit(lambda x: x + np.ones(3))

def refused(i):
    try:
        bad(x)
    except TypeError:
        pass
"""


def test_ten_thousand_calls() -> None:
    output, _ = run(
        _HEADER
        + """
calls = {
    "jit": lambda i: f(x),
    "eager": lambda i: np.cumsum(np.sort(x * 2 + i))[1:3].sum(),
    "update": lambda i: x.at[i % 10].set(i),
    "product": lambda i: m @ m,
    "large": lambda i: np.ones(30_000) + i,
    "random": lambda i: random.normal(random.fold_in(key, i), (3,)),
}
slower = {
    "grad": lambda i: g(x),
    "jit of grad": lambda i: jit(g)(x) if i % 20 == 0 else None,
    "vmap": lambda i: vmap(np.tanh)(m),
    "new functions": lambda i: jit(lambda a: a * 2 + 1)(x) if i % 20 == 0 else None,
    "new loops": lambda i: lax.scan(lambda c, a: (c + a, c), 0.0, x) if i % 20 == 0 else None,
    "errors": refused,
}
for group, count in ((calls, 10_000), (slower, 10_000)):
    for name, call in group.items():
        grown = growth(call, 500, count)
        assert grown < 4, (name, grown)
print("done")
"""
    )
    assert output == "done\n"


def test_two_thousand_shapes() -> None:
    output, _ = run(
        _HEADER
        + """
calls = {
    "sum": lambda n: np.sum(np.ones(n + 1)),
    "add": lambda n: np.ones(n) + np.ones(n),
    "reshape": lambda n: np.ones(2 * n).reshape(2, n).T,
    "cumsum": lambda n: np.cumsum(np.ones(n)),
    "sort": lambda n: np.sort(np.ones(n)),
    "concatenate": lambda n: np.concatenate([np.ones(n), np.ones(2)]),
    "matmul": lambda n: np.ones((3, n)) @ np.ones((n, 3)),
    "index": lambda n: np.ones(n)[np.arange(n) // 2],
    "where": lambda n: np.where(np.ones(n) > 0, 1.0, 0.0),
    "mean": lambda n: np.mean(np.ones((n + 1, 2)), axis=0),
}
for name, call in calls.items():
    grown = growth(call, 100, 2000)
    assert grown < 12, (name, grown)
print("done")
"""
    )
    assert output == "done\n"


def test_decisions_about_shapes_are_bounded() -> None:
    output, _ = run("""
        from vires.engine.llvm import eager
        eager._MOST_RUNNERS = 50
        made = []
        original = eager.Eager._runner
        def counted(self, *args):
            made.append(self)
            return original(self, *args)
        eager.Eager._runner = counted
        for n in range(1, 300):
            lax.cumsum(np.ones(n)), lax.rev(np.ones(n), (0,))
        assert len(made) > 100 and len(made[0]._runners) <= 50
        print("done")
    """)
    assert output == "done\n"
