"""Exceptions and warnings (as `jax.errors`, and Vires's own)."""

from vires.core.errors import (
    CacheWarning,
    ConcretizationTypeError,
    KeyReuseError,
    KeyReuseWarning,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    TypePromotionError,
    UnexpectedTracerError,
    ViresIndexError,
    ViresTypeError,
)

#: The names that JAX's users know: what their `except` clauses catch.
JAXTypeError = ViresTypeError
JAXIndexError = ViresIndexError
JaxRuntimeError = RuntimeError

__all__ = [
    "CacheWarning",
    "ConcretizationTypeError",
    "JAXIndexError",
    "JAXTypeError",
    "JaxRuntimeError",
    "KeyReuseError",
    "KeyReuseWarning",
    "NonConcreteBooleanIndexError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "TypePromotionError",
    "UnexpectedTracerError",
    "ViresIndexError",
    "ViresTypeError",
]
