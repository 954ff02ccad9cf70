"""Rough costs, in additions: of an equation's element (fusion), of an operation (schedule)."""

from __future__ import annotations

#: A task above this cost (tens of milliseconds) lets Ctrl-C wait: then there are more tasks, or
#: they ask for signals.
LONG_TASK = 1e9
#: A kernel below this cost is one task.
SERIAL = 150_000.0

_COMMON = "exp exp2 log log2 sin cos tanh logistic erf expm1 log1p atan"
_RARE = "tan asin acos sinh cosh asinh acosh atanh atan2 cbrt erfc erf_inv"


def _table(rows: dict[str, float]) -> dict[str, float]:
    """A cost for each of the names in a row."""
    return {name: cost for names, cost in rows.items() for name in names.split()}


#: By primitive; one where it is not listed.
PRIMITIVES = _table(
    {
        "broadcast_in_dim reshape transpose squeeze slice rev copy expand_dims": 0.0,
        "convert_element_type bitcast_convert_type real imag neg abs not": 0.5,
        "dynamic_slice": 2.0,
        "select_n": 1.0,
        "div sqrt rsqrt rem integer_pow clamp pad concatenate": 3.0,
        "gather nextafter": 4.0,
        _COMMON: 12.0,
        _RARE: 20.0,
        "pow lgamma digamma threefry2x32 random_bits igamma": 40.0,
    }
)
#: By operation of an expression; one where it is not listed.
OPERATIONS = _table(
    {
        "const var index argument": 0.0,
        "load": 1.5,
        "floordiv": 3.0,
        "div rem sqrt rsqrt": 4.0,
        _COMMON: 20.0,
        _RARE: 40.0,
        "pow lgamma digamma": 80.0,
    }
)
