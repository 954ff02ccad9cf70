"""`einsum`: sums of products by axis labels, contracted in pairs along a good path."""

from __future__ import annotations

import functools
from typing import Any

from vires.core import dtypes
from vires.numpy.contraction import contract
from vires.numpy.operands import Shape, convert, no_out, operand, promote
from vires.numpy.planned import planned
from vires.numpy.triangles import diagonal
from vires.ops.elementwise import mul
from vires.ops.reduce import reduce_sum
from vires.ops.shape import broadcast_in_dim, reshape, transpose

__all__ = ["einsum", "einsum_path"]


def _parse(subscripts: Any, operands: tuple[Any, ...]) -> tuple[str, str, list[Any]]:
    """Input labels joined by commas, output labels, operands; ellipses are written out as
    labels."""
    if isinstance(subscripts, str) and "." not in subscripts:
        arrays = [operand(x, "einsum", f"operand {i}") for i, x in enumerate(operands)]
        return *_parse_text(subscripts), arrays
    from opt_einsum.parser import parse_einsum_input  # here, since it takes long to import

    arrays = [
        operand(x, "einsum", f"operand {i}")
        if not isinstance(x, (list, tuple)) and x is not Ellipsis
        else x
        for i, x in enumerate(operands)
    ]
    if isinstance(subscripts, str):
        given: list[Any] = [subscripts, *arrays]
    else:
        given = [operand(subscripts, "einsum", "operand 0"), *arrays]
    try:
        inputs, output, parsed = parse_einsum_input(given)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f"einsum: needs subscripts such as 'ij,jk->ik' that fit the operands; {error}"
        ) from error
    return inputs, output, list(parsed)


@functools.lru_cache(maxsize=1024)
def _parse_text(subscripts: str) -> tuple[str, str]:
    """Input and output labels of subscripts without an ellipsis; the default output is the labels
    that occur once."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    labels = inputs.replace(",", "")
    if not arrow:
        output = "".join(sorted(label for label in set(labels) if labels.count(label) == 1))
    if (
        (not (labels + output).isalpha() and labels + output)
        or len(set(output)) != len(output)
        or set(output) - set(labels)
    ):
        raise ValueError(
            "einsum: needs subscripts such as 'ij,jk->ik', each output label once and among the "
            f"inputs; got {subscripts!r}"
        )
    return inputs, output


Step = tuple[tuple[int, ...], str]


@functools.lru_cache(maxsize=1024)
def _plan(
    inputs: str, output: str, shapes: tuple[Shape, ...], optimize: Any
) -> tuple[tuple[Step, ...], dict[str, int]]:
    """Which operands to contract in which order, with the labels of each result; and the size of
    each label."""
    labels = inputs.split(",")
    if len(labels) != len(shapes):
        raise ValueError(
            f"einsum: needs {len(labels)} operands for '{inputs}->{output}'; got {len(shapes)}"
        )
    sizes: dict[str, int] = {}
    for term, shape in zip(labels, shapes, strict=True):
        if len(term) != len(shape):
            raise ValueError(f"einsum: needs an operand with axes '{term}'; got shape {shape}")
        for label, size in zip(term, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                if 1 not in (size, sizes[label]):
                    raise ValueError(
                        f"einsum: needs one size for label '{label}'; got {sizes[label]} and "
                        f"{size} in '{inputs}'"
                    )
                sizes[label] = max(size, sizes[label])
    if len(shapes) <= 2:
        return ((tuple(range(len(shapes))), output),), sizes
    from opt_einsum import contract_path

    filled = tuple(tuple(sizes[label] for label in term) for term in labels)
    path, _ = contract_path(
        f"{inputs}->{output}",
        *filled,
        shapes=True,
        optimize=list(optimize) if isinstance(optimize, tuple) else optimize,
    )
    steps: list[Step] = []
    for position in path:
        taken = [labels[i] for i in position]
        labels = [term for i, term in enumerate(labels) if i not in position]
        if labels:
            needed = set(output).union(*labels)
            result = "".join(label for label in dict.fromkeys("".join(taken)) if label in needed)
        else:
            result = output
        labels.append(result)
        steps.append((tuple(position), result))
    return tuple(steps), sizes


def _one_of_each(x: Any, labels: str) -> tuple[Any, str]:
    """The diagonal of axes that share a label."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            x = diagonal(x, axis1=i, axis2=j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + label
    return x, labels


def _drop_ones(x: Any, labels: str, sizes: dict[str, int]) -> tuple[Any, str]:
    """Without axes of size 1 whose label has another size: they broadcast."""
    kept = [d for d, label in enumerate(labels) if x.aval.shape[d] == sizes[label]]
    if len(kept) == len(labels):
        return x, labels
    x = reshape(x, new_sizes=tuple(x.aval.shape[d] for d in kept), dimensions=None)
    return x, "".join(labels[d] for d in kept)


def _sum_out(x: Any, labels: str, needed: set[str]) -> tuple[Any, str]:
    axes = tuple(d for d, label in enumerate(labels) if label not in needed)
    if axes:
        x = reduce_sum(x, axes=axes)
    return x, "".join(label for label in labels if label in needed)


def _ordered(x: Any, labels: str, output: str, sizes: dict[str, int]) -> Any:
    """The axes in the order of the output; labels that are missing were of size 1 everywhere
    else."""
    present = [label for label in output if label in labels]
    permutation = tuple(labels.index(label) for label in present)
    if permutation != tuple(range(len(permutation))):
        x = transpose(x, permutation=permutation)
    if len(present) < len(output):
        x = broadcast_in_dim(
            x,
            shape=tuple(sizes[label] for label in output),
            broadcast_dimensions=tuple(output.index(label) for label in present),
        )
    return x


def _pairwise(
    x: Any, lx: str, y: Any, ly: str, output: str, sizes: dict[str, int], precision: Any
) -> tuple[Any, str]:
    """The contraction of two operands and the labels of its axes."""
    x, lx = _sum_out(x, lx, set(ly) | set(output))
    y, ly = _sum_out(y, ly, set(lx) | set(output))
    shared = [label for label in lx if label in ly]
    summed = [label for label in shared if label not in output]
    batch = [label for label in shared if label in output]
    if not summed:
        labels = "".join(dict.fromkeys(lx + ly))
        shape = tuple(sizes[label] for label in labels)
        parts = []
        for z, lz in ((x, lx), (y, ly)):
            z = _ordered(z, lz, "".join(label for label in labels if label in lz), sizes)
            dims = tuple(labels.index(label) for label in labels if label in lz)
            parts.append(
                z
                if z.aval.shape == shape
                else broadcast_in_dim(z, shape=shape, broadcast_dimensions=dims)
            )
        return mul(*parts), labels
    result = contract(
        x,
        y,
        (tuple(lx.index(label) for label in summed), tuple(ly.index(label) for label in summed)),
        (tuple(lx.index(label) for label in batch), tuple(ly.index(label) for label in batch)),
        precision,
    )
    free = [label for label in lx if label not in shared] + [
        label for label in ly if label not in shared
    ]
    return result, "".join(batch + free)


@planned("operands")
def einsum(
    subscripts: Any, /, *operands: Any, out: None = None, optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: Any = None, out_sharding: Any = None,
) -> Any:  # fmt: skip
    """The sum of products of operands whose axes are labelled: labels absent from the output are
    summed over.

    `einsum("ij,jk->ik", a, b)` is a matrix product, `einsum("ii", a)` a trace,
    `einsum("...ij->...ji", a)` a transpose.

    >>> from vires import numpy as np
    >>> np.einsum("i,i->", np.arange(3.), np.ones(3))
    Array(3., dtype=float32)
    """
    no_out("einsum", out)
    inputs, output, arrays = _parse(subscripts, operands)
    optimize = "optimal" if optimize is True else "auto" if optimize is False else optimize
    if isinstance(optimize, list):
        optimize = tuple(tuple(step) if not isinstance(step, str) else step for step in optimize)
        optimize = optimize[1:] if optimize and optimize[0] == "einsum_path" else optimize
    return _contract_all(arrays, inputs, output, optimize, precision, preferred_element_type)


@planned("arrays")
def _contract_all(
    arrays: list[Any], inputs: str, output: str, optimize: Any, precision: Any, preferred: Any
) -> Any:
    xs = promote(*arrays)
    if preferred is not None:
        target = dtypes.canonical(preferred)
        xs = [convert(x, target) for x in xs]
    steps, sizes = _plan(inputs, output, tuple(x.aval.shape for x in xs), optimize)
    terms: list[tuple[Any, str]] = []
    for x, labels in zip(xs, inputs.split(","), strict=True):
        x, labels = _drop_ones(x, labels, sizes)
        terms.append(_one_of_each(x, labels))
    for chosen, result_labels in steps:
        taken = [terms[i] for i in chosen]
        terms = [term for i, term in enumerate(terms) if i not in chosen]
        (x, labels), *others = taken
        if not others:
            x, labels = _sum_out(x, labels, set(result_labels))
        for k, (y, other_labels) in enumerate(others, 1):
            needed = result_labels + "".join(term for _, term in taken[k + 1 :])
            x, labels = _pairwise(x, labels, y, other_labels, needed, sizes, precision)
        terms.append((x, labels))
    x, labels = terms[0]
    return _ordered(x, labels, output, sizes)


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[Any, Any]:
    """The order in which `einsum` would contract, and a description of its cost."""
    from opt_einsum import contract_path

    inputs, output, arrays = _parse(subscripts, operands)
    optimize = "optimal" if optimize is True else optimize
    return contract_path(
        f"{inputs}->{output}", *(x.aval.shape for x in arrays), shapes=True, optimize=optimize
    )
