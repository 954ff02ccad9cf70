"""Distributions and summaries with SciPy's names. The modules of distributions are imported when
they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType

from vires.scipy.stats.kernel_density import gaussian_kde
from vires.scipy.stats.summaries import ModeResult, mode, rankdata, sem

_DISTRIBUTIONS = (
    "bernoulli", "beta", "betabinom", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma",
    "gennorm", "geom", "gumbel_l", "gumbel_r", "laplace", "logistic", "multinomial",
    "multivariate_normal", "nbinom", "norm", "pareto", "poisson", "t", "truncnorm", "uniform",
    "vonmises", "wrapcauchy",
)  # fmt: skip

# The names are those of modules that are not there before their first use.
# pyright: reportUnsupportedDunderAll=false
__all__ = [*_DISTRIBUTIONS, "ModeResult", "gaussian_kde", "mode", "rankdata", "sem"]


def __getattr__(name: str) -> ModuleType:
    if name not in _DISTRIBUTIONS:
        raise AttributeError(f"module 'vires.scipy.stats' has no attribute {name!r}")
    return importlib.import_module(f"vires.scipy.stats.{name}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_DISTRIBUTIONS))
