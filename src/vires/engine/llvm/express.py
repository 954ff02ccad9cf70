"""Fill kernels with expressions: pull every result at the index of the domain, and merge loops
where one will do.
"""

from __future__ import annotations

from collections.abc import Sequence

from vires.engine.llvm.builder import Builder
from vires.engine.llvm.expressions import Expr, Index, LoopVar
from vires.engine.llvm.program import Fold, Kernel, Reduction, Shape, Store


def express(builder: Builder, kernel: Kernel) -> None:
    """Give a kernel its loops, stores and folds.

    When all values are used at their own index, neighbouring axes of one role (kept or reduced) are
    one loop
    from the start. Otherwise each axis is a loop, and axes that every offset treats as one are
    merged afterwards.
    """
    if kernel.flat:
        _pull(builder, kernel, flat=True)
        axes = sum(v.bit for v in builder.axis_variables)
        if not any(x.vars & axes for x in kernel.roots()):
            return
    _pull(builder, kernel, flat=False)
    _merge(kernel)


def express_groups(
    builder: Builder, kernel: Kernel, groups: Sequence[int]
) -> list[LoopVar | None] | None:
    """Give a kernel of stores one loop for each group of so many neighbouring axes, or none where
    a group has no axis; None if that cannot be.
    """
    _pull(builder, kernel, flat=False)
    indices = [x for x in kernel.expressions() if isinstance(x, Index)]
    found: list[LoopVar | None] = []
    start = 0
    for count in groups:
        loops = _merged(kernel.loops[start : start + count], indices)
        if len(loops) > 1:
            return None
        found.append(loops[0] if loops else None)
        start += count
    kernel.loops = [v for v in found if v is not None]
    return found


def _pull(builder: Builder, kernel: Kernel, flat: bool) -> None:
    builder.restart_variables()
    builder.memo.clear()
    kernel.stores.clear()
    kernel.folds.clear()
    domain, reduced_axes = kernel.domain, kernel.axes or ()
    axis_variables = [builder.variable(size) for size in domain]
    builder.axis_variables = axis_variables
    indices = [builder.as_index(v) for v in axis_variables]
    if flat:
        loops: list[int] = []
        roles: list[bool] = []
        for position, size in enumerate(domain):
            role = position in reduced_axes
            if roles and roles[-1] == role:
                loops[-1] *= size
            else:
                loops.append(size)
                roles.append(role)
        variables = [builder.variable(size) for size in loops]
    else:
        variables, roles = (
            axis_variables,
            [position in reduced_axes for position in range(len(domain))],
        )
    kernel.loops = [v for v, role in zip(variables, roles, strict=True) if not role]
    kernel.reduced = [v for v, role in zip(variables, roles, strict=True) if role]
    whole = _position(builder, variables)
    kept = _position(builder, kernel.loops)
    done: set[int] = set()
    for node in kernel.nodes:
        if node.kind == "pull":
            index = _identity(builder, node.shape, indices, whole)
            expr = node.element(index)
            builder.memo[node, index] = expr
            kernel.stores.append(Store(node.memory, whole, expr))
        elif id(node.definition) not in done:
            done.add(id(node.definition))
            kernel.folds.append(_fold(builder, node.definition, indices, whole, kept))


def _position(builder: Builder, variables: Sequence[LoopVar]) -> Index:
    """The row-major position of loop variables."""
    terms: list[tuple[Expr, int]] = []
    stride = 1
    for v in reversed(variables):
        terms.append((v, stride))
        stride *= v.size
    return builder.index(0, tuple(reversed(terms)))


def _identity(
    builder: Builder, shape: Shape, indices: list[Index], whole: Index
) -> tuple[Index, ...]:
    """The index of the domain for a value whose shape may have axes of size 1 besides."""
    zero, rest = builder.index(0, ()), iter(indices)
    index = tuple([zero if n == 1 else next(rest) for n in shape])
    if index == builder.identity:
        index = builder.identity
    builder.identity, builder.identity_shape, builder.identity_offset = index, shape, whole
    return index


def _fold(
    builder: Builder, group: Reduction, indices: list[Index], whole: Index, kept: Index
) -> Fold:
    index = _identity(builder, group.shape, indices, whole)
    if group.element is None:
        exprs = [builder.element(x, index) for x in group.sources]
    else:
        exprs = list(group.element(index))
    buffers = [x.buffer for x in group.results]
    fold = Fold(buffers, kept, exprs, group.combine, group.identities)
    fold.contraction = group.contraction
    fold.prefix = group.prefix
    if group.prefix:
        fold.offset = whole
        if group.prefix == "reverse":
            place = list(index)
            for d in group.axes:
                place[d] = place[d] * -1 + (group.shape[d] - 1)
            fold.offset = builder.offset(group.shape, place)
    if not isinstance(group.combine, str):
        left, right = ([builder.argument(x.dtype) for x in exprs] for _ in range(2))
        fold.arguments = (*left, *right)
        fold.combined = list(group.combine(tuple(left), tuple(right)))
    return fold


def _merge(kernel: Kernel) -> None:
    """Make one loop of two neighbours where every index that depends on them sees one position."""
    if len(kernel.loops) + len(kernel.reduced) < 2:
        return
    indices = [x for x in kernel.expressions() if isinstance(x, Index)]
    kernel.loops = _merged(kernel.loops, indices)
    kernel.reduced = _merged(kernel.reduced, indices)


def merge_loops(kernel: Kernel, runs: Sequence[list[LoopVar]]) -> list[LoopVar]:
    """The loops of some runs of neighbours, merged inside each run where one loop will do."""
    indices = [x for x in kernel.expressions() if isinstance(x, Index)]
    return [v for run in runs for v in _merged(run, indices)]


def _merged(loops: list[LoopVar], indices: list[Index]) -> list[LoopVar]:
    if len(loops) < 2:
        return loops
    result = [loops[-1]]
    for outer in reversed(loops[:-1]):
        inner = result[-1]
        if all(x.factor(outer) == inner.size * x.factor(inner) for x in indices):
            inner.size *= outer.size
            outer.size = 1  # its place in every sum is taken by the inner loop
        else:
            result.append(outer)
    return result[::-1]
