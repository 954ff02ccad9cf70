"""Which values go to memory, and which of them are made in one kernel.

A pulled value is computed again wherever it is used, unless that costs more than keeping it:
results of the
program, operands of blocks, and expensive values that are needed more often than they have elements
(broadcast, or pulled at several places) go to memory. Values over one domain
share a kernel when none of them
needs another one at a different index.
"""

from __future__ import annotations

import math

from vires.engine.llvm.builder import DEEP
from vires.engine.llvm.contract_layout import fold_transposes
from vires.engine.llvm.program import Block, Buffer, Kernel, Node, Reduction, Region, Shape, leader

#: A kernel takes no further results beyond these numbers of results and of operations.
_RESULTS, _WEIGHT = 8, 500.0
#: An expression up to this cost is computed wherever it is used.
_CHEAP = 4.0
#: Cost of a value in memory, in additions: for each element written, each element read, and at all.
_WRITE, _READ, _PLACE = 2.0, 0.7, 4000.0
#: The same for a value that consumers of several levels would compute again, each with vectors in a
#: kernel of its own; and how much more where it is larger than so many bytes, beyond the caches.
_KEEP, _LOOK, _BEYOND, _CACHED = 8.0, 4.0, 3.0, 12 << 20
#: Cheap operations on top of a value that is stored instead of their result.
_PASSED = 8.0
#: Cost of an element read across the rows of memory: one lane at a time.
_READ_ACROSS = 16.0


def fuse(region: Region) -> None:
    """Fill `region.steps` with kernels (not yet expressed) and blocks."""
    fold_transposes(region)
    _estimate(region)
    _decide(region)
    _group(region)


def _estimate(region: Region) -> None:
    """The cost of an element with its operands inlined, and the depth of that expression."""
    for node in region.nodes:
        node.used = 0
        node.alias = node.output = node.taken = False
        node.demand = {}
        node.store = node.kind != "pull"
        node.depth = 0
        node.passed = 0.0
        node.level = max((x.level for x in node.operands), default=0)
        if node.kind != "pull":
            if node.definition is not None:
                node.level = _level_of(node.definition) + 1
            continue
        weight, depth = node.weight, 0
        for x in node.operands:
            if x.kind == "pull" and not x.store:
                weight += x.weight
                depth = max(depth, x.depth)
            elif x.size > 1:
                weight += 1.0
        node.weight = min(weight if node.cheap else weight + 30.0, 1e4)
        node.depth = depth + 1
        if node.depth >= DEEP and node.size != 1:
            node.store = True


def _level_of(definition: Reduction | Block) -> int:
    """The level of what makes some values."""
    if isinstance(definition, Reduction):
        operands = (*definition.sources, *leader(definition).operands)
    else:
        operands = (*definition.operands, *definition.params.get("needs", ()))
    return max((x.level for x in operands), default=0)


def _want(node: Node, key: tuple[Shape, tuple[int, ...], int], count: int) -> None:
    """Note that a consumer over a domain needs `count` elements."""
    node.used += 1
    if node.kind == "pull":
        demand = node.demand
        demand[key] = max(demand.get(key, 0), count)


def _decide(region: Region) -> None:
    """From the last value to the first: who is needed, how often, and who goes to memory."""
    for node in region.outputs:
        node.used += 1
        node.output = True
        if node.kind == "pull":
            node.store = True
    for node in reversed(region.nodes):
        if node.kind == "pull":
            _decide_pull(node)
            continue
        definition = node.definition
        if leader(definition) is not node:
            continue
        if definition.__class__ is Reduction:
            if any(x.used for x in definition.results):
                key = (squeezed(definition.shape), (), _level_of(definition))
                size = math.prod(definition.shape)
                for x in definition.sources:
                    _want(x, key, size)
                if definition.element is not None:
                    for x in node.operands:
                        _want(x, key, size)
        elif definition.effect or any(x.used for x in definition.results):
            node.used += 1
            _need_block(definition)


def _need_block(block: Block) -> None:
    for x in block.operands:
        x.used += 1
        if x.kind == "pull":
            x.store = True
    # Pulled inside the block: by the region that tells of a failed check (which does not count), or
    # by its kernels.
    for x in block.params.get("needs", ()):
        key = (squeezed(x.shape), (), _level_of(block))
        _want(x, key, 0 if block.kind == "check" else x.size)


def _decide_pull(node: Node) -> None:
    if not node.used:
        return
    demand = node.demand
    if node.store and node.same and _shares(node, node.operands[0]):
        return
    if not node.store and demand and node.weight > _CHEAP:
        node.store = _is_dear(node)
    wanted = {(squeezed(node.shape), (), node.level): node.size} if node.store else demand
    # The number of a transpose is negative in a path.
    across = node.view is not None and node.view[-1:] != (len(node.view) - 1,)
    number = -node.number if across else node.number
    for x in node.operands:
        for (domain, path, level), count in wanted.items():
            _want(x, (domain, path if node.pointwise else (*path, number), level), count)


def _is_dear(node: Node) -> bool:
    """Whether a value costs more where it is used than in memory."""
    together: dict[tuple[Shape, tuple[int, ...]], int] = {}
    for (domain, path, _), count in node.demand.items():
        together[domain, path] = max(together.get((domain, path), 0), count)
    if len(together) > 6:
        return True
    size, once = node.size, sum(together.values())
    reads = sum(
        count * (_READ_ACROSS if path and min(path) < 0 else _READ)
        for (_, path), count in together.items()
    )
    if node.weight * (once - size) > reads + _WRITE * size + _PLACE:
        return True
    # Consumers of one level share a kernel, which computes it once.
    again = sum(node.demand.values())
    beyond = _BEYOND if size * node.dtype.itemsize > _CACHED else 1.0
    memory = beyond * (_LOOK * again + _KEEP * size) + _PLACE
    if node.weight * (again - once) <= memory:
        return False
    heavy = _heaviest(node)
    if heavy is not None and heavy.weight * (again - once) > memory:
        passed = node.passed + node.weight - heavy.weight
        if passed <= _PASSED:
            heavy.passed = max(heavy.passed, passed)
            return False
    return True


def _heaviest(node: Node) -> Node | None:
    """The operand, made in the same place, that most of the cost comes from. Others may need it,
    too, so that it had better be kept than what is little more.
    """
    if not node.pointwise:
        return None
    found = [x for x in node.operands if x.kind == "pull" and not x.store and x.size == node.size]
    return max(found, key=lambda x: x.weight, default=None)


def _shares(node: Node, source: Node) -> bool:
    """Let a value whose elements are another's in the same order share its memory, where that can
    be.
    """
    if source.kind == "literal":
        return False
    if node.output or node.taken:
        # The source gets the memory of the output, unless it has some already.
        if source.buffer is not None or source.output or source.taken:
            return False
        source.taken = True
    node.alias = True
    source.used += 1
    if source.kind == "pull":
        source.store = True
    return True


def squeezed(shape: Shape) -> Shape:
    """The shape without axes of size 1."""
    return tuple([n for n in shape if n != 1])


def _reach(node: Node) -> None:
    """Which stored nodes an element needs at its own index (`near`) and at others (`far`), as
    bits.
    """
    near = far = 0
    flat = node.pointwise
    for x in node.operands:
        if x.kind == "literal":
            continue
        inlined = x.kind == "pull" and not x.store
        near_of, far_of = (x.near, x.far) if inlined else (1 << x.number, 0)
        if node.pointwise:
            near |= near_of
            far |= far_of
            flat = flat and (not inlined or x.flat)
        else:
            far |= near_of | far_of
    if not node.pointwise and node.name == "broadcast_in_dim" and node.operands[0].size == 1:
        flat = True
    node.near, node.far, node.flat = near, far, flat


def _group(region: Region) -> None:
    """Form kernels, in the order of their first result."""
    made = 0
    open_kernels: dict[Shape, list[Kernel]] = {}
    for node in region.nodes:
        if node.kind == "pull":
            _reach(node)
            if node.alias:
                node.buffer = Buffer(node.shape, node.dtype)
                source = node.operands[0].buffer
                assert source is not None
                if node.output:
                    source.find().root = node.buffer
                else:
                    node.buffer.root = source
                made |= 1 << node.number
            elif node.store and node.used:
                domain = squeezed(node.shape)
                found = _join(
                    region, open_kernels, domain, node.near, node.far, made, None, node.weight
                )
                found.flat = found.flat and node.flat
                _add(found, node)
                found.near |= 1 << node.number
                made |= 1 << node.number
        elif node.definition.__class__ is Reduction:
            group = node.definition
            if leader(group) is node and any(x.used for x in group.results):
                made |= _group_reduction(region, open_kernels, group, made)
        elif leader(node.definition) is node and any(x.used for x in node.definition.results):
            for x in node.definition.results:
                x.buffer = Buffer(x.shape, x.dtype)
                made |= 1 << x.number
            region.steps.append(node.definition)


def _add(kernel: Kernel, node: Node) -> None:
    node.buffer = Buffer(node.shape, node.dtype)
    kernel.nodes.append(node)
    kernel.weight += node.weight


def _group_reduction(
    region: Region, open_kernels: dict[Shape, list[Kernel]], group: Reduction, made: int
) -> int:
    near = far = 0
    flat = group.element is None
    weight = 1.0
    for x in (*group.sources, *(leader(group).operands if group.element is not None else ())):
        if x.kind == "literal":
            continue
        inlined = x.kind == "pull" and not x.store
        near |= x.near if inlined else 1 << x.number
        far |= x.far if inlined else 0
        flat = flat and (not inlined or x.flat)
        weight += x.weight if inlined else 1.0
    if group.elsewhere:
        near, far = 0, near | far
    domain = squeezed(group.shape)
    places = [d for d, n in enumerate(group.shape) if n != 1]
    axes = tuple([places.index(a) for a in group.axes if group.shape[a] != 1])
    found = _join(region, open_kernels, domain, near, far, made, axes, weight)
    found.flat = found.flat and flat
    found.axes = axes
    bits = 0
    for x in group.results:
        if x.number >= 0:
            _add(found, x)
            bits |= 1 << x.number
    return bits


def _join(
    region: Region,
    open_kernels: dict[Shape, list[Kernel]],
    domain: Shape,
    near: int,
    far: int,
    made: int,
    axes: tuple[int, ...] | None,
    weight: float,
) -> Kernel:
    """An open kernel that can compute a value with these needs, or a new one."""
    candidates = open_kernels.setdefault(domain, [])
    for found in reversed(candidates[-4:]):
        if len(found.nodes) >= _RESULTS or found.weight + weight > _WEIGHT:
            continue
        if axes is not None and found.axes is not None and axes != found.axes:
            continue
        if far & found.near or (near | far) & made & ~(found.available | found.near):
            continue
        return found
    found = Kernel(domain, made)
    region.steps.append(found)
    candidates.append(found)
    return found
