"""Rotations of three-dimensional space, and interpolation between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vires import random
from vires.core import dtypes
from vires.numpy.arithmetic import clip, sqrt
from vires.numpy.choosing import where
from vires.numpy.contraction import matmul
from vires.numpy.creation import asarray
from vires.numpy.joining import concatenate, stack
from vires.numpy.linalg import eigh
from vires.numpy.operands import ShapeError, operand, promote_inexact, shape_text
from vires.numpy.reductions import argmax
from vires.numpy.reductions import sum as sum_
from vires.numpy.sorting import searchsorted
from vires.numpy.transcendental import arctan2, cos, sin

__all__ = ["Rotation", "Slerp"]


def _components(function: str, x: Any, count: int) -> Any:
    """One vector of `count` components, or a stack of them."""
    (value,) = promote_inexact(operand(x, function))
    if value.aval.ndim not in (1, 2) or value.aval.shape[-1] != count:
        raise ShapeError(
            f"{function}: needs vectors of {count} components; got {shape_text(value)}"
        )
    return value


def _length(x: Any) -> Any:
    """The Euclidean norm along the last axis, with derivative 0 at 0."""
    square = sum_(x * x, -1, keepdims=True)
    zero = square == 0
    return where(zero, 0, sqrt(where(zero, 1, square)))


def _product(p: Any, q: Any) -> Any:
    """The product of quaternions (x, y, z, w)."""
    px, py, pz, pw = (p[..., i] for i in range(4))
    qx, qy, qz, qw = (q[..., i] for i in range(4))
    return stack(
        [
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
            pw * qw - px * qx - py * qy - pz * qz,
        ],
        -1,
    )


def _normalized(q: Any) -> Any:
    return q / _length(q)


class Rotation(NamedTuple):
    """A rotation, or a stack of them, as unit quaternions (x, y, z, w); a pytree.

    >>> from vires.scipy.spatial.transform import Rotation
    >>> from vires import numpy as np
    >>> r = Rotation.from_euler("z", np.array(90.0), degrees=True)
    >>> r.apply(np.array([1.0, 0.0, 0.0])).round(4).tolist()
    [0.0, 1.0, 0.0]
    """

    quat: Any

    @classmethod
    def from_quat(cls, quat: Any) -> Rotation:
        """From quaternions (x, y, z, w), which are normalised."""
        return cls(_normalized(_components("from_quat", quat, 4)))

    @classmethod
    def from_matrix(cls, matrix: Any) -> Rotation:
        """From orthogonal matrices of determinant 1."""
        (m,) = promote_inexact(operand(matrix, "from_matrix", "matrix"))
        if m.aval.shape[-2:] != (3, 3) or m.aval.ndim not in (2, 3):
            raise ShapeError(f"from_matrix: needs matrices of 3 x 3; got {shape_text(m)}")
        diagonal = [m[..., i, i] for i in range(3)]
        trace = diagonal[0] + diagonal[1] + diagonal[2]
        # Four formulas; each is accurate where its component is the largest.
        candidates = []
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            parts: list[Any] = [None] * 4
            parts[i] = 1 - trace + 2 * diagonal[i]
            parts[j] = m[..., j, i] + m[..., i, j]
            parts[k] = m[..., k, i] + m[..., i, k]
            parts[3] = m[..., k, j] - m[..., j, k]
            candidates.append(stack(parts, -1))
        candidates.append(
            stack(
                [
                    m[..., 2, 1] - m[..., 1, 2],
                    m[..., 0, 2] - m[..., 2, 0],
                    m[..., 1, 0] - m[..., 0, 1],
                    1 + trace,
                ],
                -1,
            )
        )
        best = argmax(stack([*diagonal, trace], -1), -1)[..., None]
        quat = candidates[3]
        for i in range(3):
            quat = where(best == i, candidates[i], quat)
        return cls(_normalized(quat))

    @classmethod
    def from_rotvec(cls, rotvec: Any, degrees: bool = False) -> Rotation:
        """From axes times angles in radians, or in degrees."""
        vector = _components("from_rotvec", rotvec, 3)
        vector = vector * (math.pi / 180) if degrees else vector
        angle = _length(vector)
        small = angle < 1e-3
        safe = where(small, 1, angle)
        square = sum_(vector * vector, -1, keepdims=True)
        series = 0.5 - square * (1 / 48) + square * square * (1 / 3840)
        scale = where(small, series, sin(0.5 * safe) / safe)
        return cls(concatenate([vector * scale, cos(0.5 * angle)], -1))

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """From modified Rodrigues parameters, axes times tan(angle / 4)."""
        vector = _components("from_mrp", mrp, 3)
        square = sum_(vector * vector, -1, keepdims=True)
        return cls(concatenate([2 * vector, 1 - square], -1) / (1 + square))

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """From angles about axes, such as "zyx" (fixed axes) or "ZYX" (axes that turn along)."""
        intrinsic, axes = _sequence("from_euler", seq)
        (turns,) = promote_inexact(operand(angles, "from_euler", "angles"))
        if len(axes) == 1 and (turns.aval.ndim == 0 or turns.aval.shape[-1] != 1):
            turns = turns[..., None]
        if not turns.aval.ndim or turns.aval.shape[-1] != len(axes):
            raise ShapeError(
                f"from_euler: needs {len(axes)} angles for {seq!r}; got {shape_text(turns)}"
            )
        half = turns * (0.5 * (math.pi / 180 if degrees else 1))
        total: Any = None
        for k, axis in enumerate(axes):
            parts = [half[..., k] * 0] * 3 + [cos(half[..., k])]
            parts[axis] = sin(half[..., k])
            quat = stack(parts, -1)
            if total is None:
                total = quat
            else:
                total = _product(total, quat) if intrinsic else _product(quat, total)
        return cls(total)

    @classmethod
    def identity(cls, num: int | None = None, dtype: Any = float) -> Rotation:
        """No rotation, or a stack of `num` of them."""
        values = np.zeros((1 if num is None else num, 4))
        values[:, 3] = 1
        target = dtypes.default_float() if dtype is float else dtypes.canonical(dtype)
        quat = asarray(values.astype(target))
        return cls(quat[0] if num is None else quat)

    @classmethod
    def random(cls, random_key: Any, num: int | None = None) -> Rotation:
        """Rotations drawn uniformly."""
        shape = (4,) if num is None else (num, 4)
        return cls(_normalized(random.normal(random_key, shape)))

    @classmethod
    def concatenate(cls, rotations: Sequence[Rotation]) -> Rotation:
        """Several rotations as one stack."""
        return cls(concatenate([r.quat.reshape((-1, 4)) for r in rotations]))

    @property
    def single(self) -> bool:
        """Whether this is one rotation, not a stack."""
        return self.quat.ndim == 1

    def __len__(self) -> int:
        if self.single:
            raise TypeError("Rotation: needs a stack of rotations for len; got one")
        return self.quat.shape[0]

    def __getitem__(self, indexer: Any) -> Rotation:
        if self.single:
            raise TypeError("Rotation: needs a stack of rotations for an index; got one")
        return Rotation(self.quat[indexer])

    def __mul__(self, other: Rotation) -> Rotation:  # type: ignore[override] - composition, no repetition
        """The rotation by `other`, then by this one."""
        return Rotation(_normalized(_product(self.quat, other.quat)))

    def apply(self, vectors: Any, inverse: bool = False) -> Any:
        """The vectors turned, or turned back."""
        (v,) = promote_inexact(operand(vectors, "apply", "vectors"))
        if not v.aval.ndim or v.aval.shape[-1] != 3:
            raise ShapeError(f"apply: needs vectors of 3 components; got {shape_text(v)}")
        matrix = self.as_matrix()
        if inverse:
            matrix = matrix.swapaxes(-1, -2)
        return matmul(matrix, v[..., None])[..., 0]

    def as_quat(self, canonical: bool = False, scalar_first: bool = False) -> Any:
        """Quaternions (x, y, z, w), or (w, x, y, z); of two `canonical` ones that with w >= 0."""
        q = self.quat
        if canonical:
            # The first of w, x, y, z that is not 0 decides.
            sign: Any = 0
            for i in (3, 0, 1, 2):
                sign = where(sign == 0, where(q[..., i] > 0, 1, where(q[..., i] < 0, -1, 0)), sign)
            q = q * where(sign < 0, -1, 1)[..., None]
        return concatenate([q[..., 3:], q[..., :3]], -1) if scalar_first else q

    def as_matrix(self) -> Any:
        """Orthogonal matrices."""
        x, y, z, w = (self.quat[..., i] for i in range(4))
        rows = [
            [x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), -x * x + y * y - z * z + w * w, 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), -x * x - y * y + z * z + w * w],
        ]
        return stack([stack(row, -1) for row in rows], -2)

    def as_rotvec(self, degrees: bool = False) -> Any:
        """Axes times angles in [0, pi], in radians or degrees."""
        q = where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        sine = _length(q[..., :3])
        half = arctan2(sine, q[..., 3:])
        small = half < 5e-4
        square = sine * sine
        series = 2 + square * (1 / 3)
        scale = where(small, series, 2 * half / where(small, 1, sine))
        return q[..., :3] * (scale * (180 / math.pi) if degrees else scale)

    def as_mrp(self) -> Any:
        """Modified Rodrigues parameters, axes times tan(angle / 4)."""
        sign = where(self.quat[..., 3:] < 0, -1, 1)
        return self.quat[..., :3] * sign / (1 + sign * self.quat[..., 3:])

    def as_euler(self, seq: str, degrees: bool = False) -> Any:
        """Angles about three axes; the middle one lies in [0, pi] for first and last axes that are
        equal, else in [-pi/2, pi/2]. Where the others are not determined, the third is 0."""
        intrinsic, axes = _sequence("as_euler", seq)
        if len(axes) != 3:
            raise ValueError(f"as_euler: needs 3 axes; got {seq!r}")
        i, j, k = axes[::-1] if intrinsic else axes
        same = i == k
        k = 3 - i - j if same else k
        sign = 1 if (i, j, k) in ((0, 1, 2), (1, 2, 0), (2, 0, 1)) else -1
        q = self.quat
        w = q[..., 3]
        if same:
            a, b, c, d = w, q[..., i], q[..., j], q[..., k] * sign
        else:
            a, b = w - q[..., j], q[..., i] + q[..., k] * sign
            c, d = q[..., j] + w, q[..., k] * sign - q[..., i]
        middle = 2 * arctan2(_length(stack([c, d], -1))[..., 0], _length(stack([a, b], -1))[..., 0])
        at_zero, at_turn = abs(middle) < 1e-7, abs(middle - math.pi) < 1e-7
        plus, minus = arctan2(b, a), arctan2(d, c)
        first, third = plus - minus, plus + minus
        # Only a sum or a difference of two angles is known there.
        free = where(at_zero, 2 * plus, -2 * minus if not intrinsic else 2 * minus)
        locked = at_zero | at_turn
        if intrinsic:
            third = where(locked, free, third)
            first = where(locked, 0, first)
        else:
            first = where(locked, free, first)
            third = where(locked, 0, third)
        if not same:
            third = third * sign
            middle = middle - math.pi / 2
        angles = [third, middle, first] if intrinsic else [first, middle, third]
        wrapped = [
            where(t < -math.pi, t + 2 * math.pi, where(t > math.pi, t - 2 * math.pi, t))
            for t in angles
        ]
        result = stack(wrapped, -1)
        return result * (180 / math.pi) if degrees else result

    def inv(self) -> Rotation:
        """The rotation back."""
        return Rotation(self.quat * np.array([-1, -1, -1, 1], np.int8))

    def magnitude(self) -> Any:
        """The angle, in [0, pi]."""
        return 2 * arctan2(_length(self.quat[..., :3])[..., 0], abs(self.quat[..., 3]))

    def mean(self, weights: Any = None) -> Rotation:
        """The rotation closest to all of a stack, by the chordal distance."""
        q = self.quat.reshape((-1, 4))
        scaled = q if weights is None else q * asarray(weights)[:, None]
        return Rotation(eigh(matmul(scaled.T, q)).eigenvectors[:, -1])


def _sequence(function: str, seq: str) -> tuple[bool, tuple[int, ...]]:
    """Whether the axes turn along, and their numbers."""
    lower = seq.lower()
    if not 1 <= len(seq) <= 3 or set(lower) - set("xyz") or seq not in (lower, seq.upper()):
        raise ValueError(
            f"{function}: needs up to 3 of the letters xyz, or of XYZ for axes that turn along; "
            f"got {seq!r}"
        )
    if any(a == b for a, b in itertools.pairwise(lower)):
        raise ValueError(f"{function}: needs different axes side by side; got {seq!r}")
    return seq != lower, tuple("xyz".index(c) for c in lower)


class Slerp(NamedTuple):
    """Rotations at times between given ones, by turning with constant speed; a pytree."""

    times: Any
    timedelta: Any
    rotations: Rotation
    rotvecs: Any

    @classmethod
    def init(cls, times: Any, rotations: Rotation) -> Slerp:
        """From ascending times and as many rotations, at least 2."""
        (instants,) = promote_inexact(asarray(times))
        if rotations.single or len(rotations) < 2 or instants.shape != (len(rotations),):
            raise ValueError(
                "Slerp: needs as many times as rotations, at least 2; "
                f"got times of shape {instants.shape} and quaternions of {rotations.quat.shape}"
            )
        start, end = Rotation(rotations.quat[:-1]), Rotation(rotations.quat[1:])
        between = Rotation(_product(start.inv().quat, end.quat))
        return cls(instants, instants[1:] - instants[:-1], start, between.as_rotvec())

    def __call__(self, times: Any) -> Rotation:
        """The rotation at a time, or at several."""
        (t,) = promote_inexact(operand(times, "Slerp", "times"))
        place = clip(searchsorted(self.times, t, side="right") - 1, 0, len(self.rotations) - 1)
        share = (t - self.times[place]) / self.timedelta[place]
        turned = Rotation.from_rotvec(self.rotvecs[place] * share[..., None])
        return self.rotations[place] * turned
