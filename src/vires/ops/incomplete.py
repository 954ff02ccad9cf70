"""The regularized incomplete gamma and beta functions."""

from __future__ import annotations

import math as scalar_math
from typing import Any

from vires.core.primitive import Undefined
from vires.ops.accept import FLOAT
from vires.ops.elementwise import add, mul, neg, sub
from vires.ops.families import Elementwise
from vires.ops.filled import full_like
from vires.ops.formula import Dual, Number, on_arrays, on_numpy, plain, polynomial, repeat, where
from vires.ops.math import exp, log, log1p
from vires.ops.special import digamma, lgamma

_EPSILON = 2.0**-53
_TINY = 1e-290


class _Program(Elementwise):
    """An elementwise operation whose kernel is a program on whole arrays, since it iterates."""

    def __init__(self, name: str, doc: str, *, formula: Any, jvp: Any) -> None:
        super().__init__(
            name,
            FLOAT,
            doc,
            reference=on_numpy(formula),
            jvp=jvp,
            loops=Undefined(f"{name}: has no kernel of one element"),
            arity=len(jvp),
        )
        self.loops = on_arrays(formula)


# --- incomplete gamma functions
#
# P(a, x) is the integral of t^(a-1) e^-t / Gamma(a) from 0 to x, and Q = 1 - P. Three regions:
# near x = a for large a, Temme's uniform expansion; else for x < a + 1 the power series of P, and
# for x > a + 1 the continued fraction of Q.

#: d_kn of the uniform expansion (DLMF 8.12): the correction is a sum of d_kn eta^n a^-k.
_TEMME = (
    (
        -0.333333333333333333, 0.0833333333333333333, -0.0148148148148148148,
        0.00115740740740740741, 0.0003527336860670194, -0.000178755144032921811,
        0.0000391926317852243778, -2.18544851067999216e-6, -1.85406221071515996e-6,
        8.29671134095308601e-7, -1.76659527368260793e-7, 6.70785354340149858e-9,
        1.0261809784240308e-8, -4.38203601845335319e-9, 9.14769958223679023e-10,
        -2.55141939949462498e-11, -5.83077213255042507e-11, 2.43619480206674162e-11,
        -5.02766928011417559e-12, 1.10043920319561348e-13, 3.37176326240098538e-13,
    ),
    (
        -0.00185185185185185185, -0.00347222222222222222, 0.0026455026455026455,
        -0.000990226337448559671, 0.000205761316872427984, -4.01877572016460905e-7,
        -0.0000180985503344899778, 7.64916091608111008e-6, -1.6120900894563446e-6,
        4.64712780280743434e-9, 1.37863344691572096e-7, -5.75254560351770496e-8,
        1.19516285997781473e-8, -1.75432417197476476e-11, -1.00915437106004126e-9,
        4.16279299184258264e-10, -8.56390702649298064e-11, 6.06721510160475862e-14,
        7.16249896481148539e-12,
    ),
    (
        0.0041335978835978836, -0.00268132716049382716, 0.000771604938271604938,
        2.00938786008230453e-6, -0.000107366532263651605, 0.0000529234488291201254,
        -0.0000127606351886187277, 3.42357873409613807e-8, 1.37219573090629332e-6,
        -6.29899213838005502e-7, 1.42806142060642418e-7, -2.0477098421990866e-10,
        -1.40925299108675211e-8, 6.22897408492202203e-9, -1.36704883966171135e-9,
        9.4283561590146782e-13, 1.28722524000893181e-10,
    ),
    (
        0.000649434156378600823, 0.000229472093621399177, -0.000469189494395255712,
        0.000267720632062838853, -0.0000756180167188397641, -2.39650511386729665e-7,
        0.0000110826541153473024, -5.67495282699159657e-6, 1.42309007324358839e-6,
        -2.78610802915281422e-11, -1.69584040919302773e-7, 8.09946490538808236e-8,
        -1.91111684859736541e-8, 2.3928620439808118e-12, 2.06201318154887984e-9,
    ),
    (
        -0.000861888290916711699, 0.000784039221720066627, -0.00029907248030319018,
        -1.46384525788434182e-6, 0.0000664149821546512219, -0.0000396836504717943466,
        0.0000113757269706784191, 2.5074972262375328e-10, -1.6954149536558306e-6,
        8.90750753220530969e-7, -2.29293483400080487e-7, 2.95679413754404905e-11,
        2.88658297427087836e-8, -1.41897394378032194e-8,
    ),
    (
        -0.00033679855336635815, -0.0000697281375836585777, 0.000277275324495939208,
        -0.000199325705161888477, 0.0000679778047793720784, 1.41906292064396701e-7,
        -0.0000135940481897686933, 8.01847025633420154e-6, -2.29148117650809517e-6,
        -3.25247355129845395e-10, 3.4652846491085265e-7,
    ),
    (
        0.000531307936463992223, -0.000592166437353693883, 0.000270878209671804483,
        7.90235323266032787e-7, -0.0000815396936756196875, 0.0000561168275310624965,
        -0.0000183291165828433756,
    ),
)  # fmt: skip

#: Stirling's series: log Gamma(a) = (a - 1/2) log a - a + log(2 pi) / 2 + polynomial(1 / a^2) / a.
_STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
)  # fmt: skip


def _log_excess(ratio: Any) -> Any:
    """ratio - 1 - log(ratio) without cancellation near 1."""
    # log(r) = 2 artanh(u) for u = (r - 1) / (r + 1), and r - 1 = 2 u / (1 - u)
    u = (ratio - 1) / (ratio + 1)
    near = abs_below(u, 0.25)
    v = where(near, u, 0.0)
    square = v * v
    series = polynomial(square, tuple(1 / (2 * k + 3) for k in range(13)))
    close = 2 * square * (1 / (1 - v) - v * series)
    return where(near, close, ratio - 1 - ratio.call("log"))


def abs_below(x: Any, bound: float) -> Number:
    """Whether |x| < bound."""
    return (x > -bound) & (x < bound)


def _density(a: Any, x: Any) -> Any:
    """x^a e^-x / Gamma(a + 1): times a / x it is the derivative of P in x."""
    large = a >= 10
    wide = where(large, a, 10.0)
    exponent = -wide * _log_excess(x / wide) - polynomial(1 / (wide * wide), _STIRLING) / wide
    by_stirling = exponent.call("exp") / (2 * scalar_math.pi * wide).call("sqrt")
    small = where(large, 1.0, a)
    direct = (small * x.call("log") - x - (small + 1).call("lgamma")).call("exp")
    return where(large, by_stirling, direct)


def _settled(total: Any, previous: Any) -> Number:
    """Whether a sum has stopped changing, its derivative too."""
    if isinstance(total, Dual):
        return _settled(total.value, previous.value) & _settled(total.slope, previous.slope)
    return abs_of(total - previous) <= abs_of(total) * _EPSILON


def abs_of(x: Number) -> Number:
    return x.call("abs")


def _series(a: Any, x: Any) -> Any:
    """P by its power series, without the factor x^a e^-x / Gamma(a + 1)."""
    one = a * 0.0 + 1

    def step(fixed: list[Any], state: list[Any]) -> tuple[list[Any], Number]:
        (x,) = fixed
        n, term, total = state
        n = n + 1
        term = term * x / n
        return [n, term, total + term], ~_settled(total + term, total)

    return repeat([x], [a, one, one], step, 2000)[2]


def _fraction(a: Any, x: Any) -> Any:
    """Q by its continued fraction (Lentz's method), without the factor x^a e^-x / Gamma(a)."""
    b = x + 1 - a
    d = 1 / b

    def step(fixed: list[Any], state: list[Any]) -> tuple[list[Any], Number]:
        (a,) = fixed
        n, b, c, d, h = state
        n = n + 1
        numerator = n * (a - n)
        b = b + 2
        d = 1 / _away_from_zero(numerator * d + b)
        c = _away_from_zero(b + numerator / c)
        new = h * (c * d)
        return [n, b, c, d, new], ~_settled(new, h)

    zero = b * 0.0
    return repeat([a + zero], [zero, b, zero + 1 / _TINY, d, d], step, 2000)[4]


def _away_from_zero(x: Any) -> Any:
    return where(abs_below(x, _TINY), _TINY, x)


def _uniform(a: Any, x: Any) -> tuple[Any, Any]:
    """P and Q for large a, x near a."""
    ratio = x / a
    half_square = _log_excess(ratio)
    # eta has the sign of x - a and eta^2 / 2 = ratio - 1 - log(ratio); its derivative exists at 0
    # too
    t = ratio - 1
    near = abs_below(t, 1e-4)
    root = where(near, 1.0, 2 * half_square).call("sqrt")
    series = polynomial(t, (0.0, 1.0, -1 / 3, 7 / 36, -73 / 540))
    eta = where(near, series, where(t < 0, -root, root))
    inverse = 1 / a
    total = polynomial(inverse, tuple(polynomial(eta, row) for row in _TEMME))
    size = (-a * half_square).call("exp") / (2 * scalar_math.pi * a).call("sqrt")
    argument = eta * (a * 0.5).call("sqrt")
    rest = size * total
    return (-argument).call("erfc") * 0.5 - rest, argument.call("erfc") * 0.5 + rest


def _gamma_ratio(a: Any, x: Any) -> tuple[Any, Any]:
    """P and Q, which add up to 1; each is accurate where it is small."""
    inside = (a > 0) & (x > 0) & (plain(x) < scalar_math.inf) & (plain(a) < scalar_math.inf)
    a, x = where(inside, a, 1.0), where(inside, x, 1.0)
    uniform = (a > 50) & (x > a * 0.6) & (x < a * 1.4)
    by_fraction = ~uniform & (x > a + 1) & (x > 1.1)
    by_series = ~uniform & ~by_fraction
    temme_p, temme_q = _uniform(where(uniform, a, 100.0), where(uniform, x, 100.0))
    series = _series(where(by_series, a, 1.0), where(by_series, x, 0.5))
    fraction = _fraction(where(by_fraction, a, 1.0), where(by_fraction, x, 4.0))
    density = _density(where(uniform, 1.0, a), where(uniform, 1.0, x))
    p, q = density * series, density * a * fraction
    lower = where(uniform, temme_p, where(by_series, p, 1 - q))
    upper = where(uniform, temme_q, where(by_series, _one_minus(a, x, p), q))
    return lower, upper


def _one_minus(a: Any, x: Any, p: Any) -> Any:
    """Q where P is near 1: for small x and a by the alternating series of x^-a times the integral
    from 0 to x."""
    use = (a < 0.5) & (x <= 1.1)
    small_a, small_x = where(use, a, 0.25), where(use, x, 1.0)
    total: Any = 0.0
    term: Any = 1.0
    for n in range(1, 24):
        term = -term * small_x / n
        total = total + term / (small_a + n)
    log_x = small_x.call("log")
    # log Gamma(1 + a), which vanishes with a
    tiny = abs_below(small_a, 1e-3)
    log_gamma = where(
        tiny,
        polynomial(small_a, (0.0, -0.5772156649015329, 0.8224670334241132, -0.40068563438653143)),
        (1 + small_a).call("lgamma"),
    )
    exponent = small_a * log_x - log_gamma
    value = -exponent.call("expm1") - exponent.call("exp") * small_a * total
    return where(use, value, 1 - p)


def _edges(a: Number, x: Number, value: Number, at_zero: float, at_infinity: float) -> Number:
    """Fix the values at the borders of the domain a > 0, x >= 0."""
    value = where((x.equals(scalar_math.inf)) | (a.equals(0)), at_infinity, value)
    value = where((x.equals(0)) | (a.equals(scalar_math.inf)), at_zero, value)
    undefined = ~((a >= 0) & (x >= 0)) | (a.equals(0) & x.equals(0))
    undefined = undefined | (a.equals(scalar_math.inf) & x.equals(scalar_math.inf))
    return where(undefined, scalar_math.nan, value)


def _igamma_formula(a: Number, x: Number) -> Number:
    return _edges(a, x, _gamma_ratio(a, x)[0], 0.0, 1.0)


def _igammac_formula(a: Number, x: Number) -> Number:
    return _edges(a, x, _gamma_ratio(a, x)[1], 1.0, 0.0)


def _slope_in_a(a: Number, x: Number) -> Number:
    return _gamma_ratio(Dual(a, a * 0.0 + 1), x)[0].slope


def _igamma_grad_formula(a: Number, x: Number) -> Number:
    return _edges(a, x, _slope_in_a(a, x), 0.0, 0.0)


def _sample_grad_formula(a: Number, x: Number) -> Number:
    inside = (a > 0) & (x > 0)
    safe_a, safe_x = where(inside, a, 1.0), where(inside, x, 1.0)
    slope = -_slope_in_a(safe_a, safe_x) / _density(safe_a, safe_x) * (safe_x / safe_a)
    return where(inside, slope, where(x.equals(0), 0.0, scalar_math.nan))


def _pdf(a: Any, x: Any) -> Any:
    """x^(a-1) e^-x / Gamma(a)."""
    one = full_like(a, 1)
    return exp(sub(sub(mul(sub(a, one), log(x)), x), lgamma(a)))


igamma = _Program(
    "igamma",
    """The regularized lower incomplete gamma function P(a, x) for a > 0 and x >= 0, else nan.""",
    formula=_igamma_formula,
    jvp=(
        lambda a, x, da: mul(da, igamma_grad_a(a, x)),
        lambda a, x, dx: mul(dx, _pdf(a, x)),
    ),
)

igammac = _Program(
    "igammac",
    """The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x), accurate where it is
    small.""",
    formula=_igammac_formula,
    jvp=(
        lambda a, x, da: neg(mul(da, igamma_grad_a(a, x))),
        lambda a, x, dx: neg(mul(dx, _pdf(a, x))),
    ),
)


def _grad_slope_in_x(a: Any, x: Any, dx: Any) -> Any:
    # the derivative of the density in a: density times (log x - digamma(a))
    return mul(dx, mul(_pdf(a, x), sub(log(x), digamma(a))))


igamma_grad_a = _Program(
    "igamma_grad_a",
    """The derivative of igamma(a, x) in a.""",
    formula=_igamma_grad_formula,
    jvp=(Undefined("igamma_grad_a: has no derivative in a"), _grad_slope_in_x),
)

random_gamma_grad = _Program(
    "random_gamma_grad",
    """The derivative in a of a gamma-distributed sample x at a fixed quantile.""",
    formula=_sample_grad_formula,
    jvp=(
        Undefined("random_gamma_grad: has no derivative in a"),
        Undefined("random_gamma_grad: has no derivative in x"),
    ),
)

# --- the incomplete beta function


def _beta_fraction(a: Any, b: Any, x: Any) -> Any:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    first = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))

    def step(fixed: list[Any], state: list[Any]) -> tuple[list[Any], Number]:
        a, b, x = fixed
        m, c, d, h = state
        m = m + 1
        even = m * (b - m) * x / ((a - 1 + m * 2) * (a + m * 2))
        d = 1 / _away_from_zero(even * d + 1)
        c = _away_from_zero(even / c + 1)
        half = h * (c * d)
        odd = -(a + m) * (a + b + m) * x / ((a + m * 2) * (a + 1 + m * 2))
        d = 1 / _away_from_zero(odd * d + 1)
        c = _away_from_zero(odd / c + 1)
        new = half * (c * d)
        return [m, c, d, new], ~_settled(new, h)

    zero = x * 0.0
    return repeat([a + zero, b + zero, x], [zero, zero + 1, first, first], step, 20000)[3]


def _betainc_formula(a: Number, b: Number, x: Number) -> Number:
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1) & (a < scalar_math.inf) & (b < scalar_math.inf)
    a_in, b_in, x_in = where(inside, a, 1.0), where(inside, b, 1.0), where(inside, x, 0.5)
    swapped = x_in > (a_in + 1) / (a_in + b_in + 2)
    p, q = where(swapped, b_in, a_in), where(swapped, a_in, b_in)
    y = where(swapped, 1 - x_in, x_in)
    exponent = p * y.call("log") + q * (-y).call("log1p") + _log_beta_inverse(p, q)
    tail = exponent.call("exp") / p * _beta_fraction(p, q, y)
    value = where(swapped, 1 - tail, tail)
    valid = (a >= 0) & (b >= 0) & (x >= 0) & (x <= 1)
    low = x.equals(0) | a.equals(scalar_math.inf) | b.equals(0)
    high = x.equals(1) | b.equals(scalar_math.inf) | a.equals(0)
    border = where(low & ~x.equals(1), 0.0, where(high, 1.0, scalar_math.nan))
    border = where(valid & ~(a.equals(0) & b.equals(0)), border, scalar_math.nan)
    return where(inside, value, border)


def _log_beta_inverse(a: Any, b: Any) -> Any:
    return (a + b).call("lgamma") - a.call("lgamma") - b.call("lgamma")


def _betainc_jvp_x(a: Any, b: Any, x: Any, dx: Any) -> Any:
    one = full_like(x, 1)
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    exponent = add(mul(sub(a, one), log(x)), mul(sub(b, one), log1p(neg(x))))
    return mul(dx, exp(sub(exponent, log_beta)))


regularized_incomplete_beta = _Program(
    "regularized_incomplete_beta",
    """The regularized incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1, else
    nan.""",
    formula=_betainc_formula,
    jvp=(
        Undefined("regularized_incomplete_beta: has no derivative in a"),
        Undefined("regularized_incomplete_beta: has no derivative in b"),
        _betainc_jvp_x,
    ),
)
