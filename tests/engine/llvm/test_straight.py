"""Scalar code is cut off from vectors, and phis follow the blocks that are cut."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from vires.engine.llvm import machine
from vires.engine.llvm.straight import cut

SCALAR = [f"  %s{i} = add i64 {'%task' if not i else f'%s{i - 1}'}, {i}" for i in range(40)]
VECTOR = ["  %v = insertelement <4 x i64> poison, i64 %s39, i64 0"]


def test_what_stays_in_one_block():
    for lines in ([], SCALAR, VECTOR * 50, [*SCALAR[:10], *VECTOR]):
        assert cut(lines) == lines


def test_scalar_code_has_blocks_of_its_own():
    assert cut([*SCALAR, *VECTOR]) == [*SCALAR, "  br label %part1", "part1:", *VECTOR]
    assert cut([*VECTOR, *SCALAR])[1:3] == ["  br label %part1", "part1:"]
    assert [x for x in cut([*VECTOR, *SCALAR, *VECTOR]) if x[0] != " "] == ["part1:", "part2:"]


def test_phis_come_from_the_last_part():
    before = [*SCALAR, *VECTOR, "  br label %loop", "loop:"]
    phi = "  %i = phi i64 [ 0, %entry ], [ %n, %loop ]"
    found = cut([*before, phi, "  %n = add i64 %i, 1"])
    assert found[-2] == "  %i = phi i64 [ 0, %part1 ], [ %n, %loop ]"
    assert sum(line == "  %n = add i64 %i, 1" for line in found) == 1


def test_lines_that_come_together_are_lines():
    """Fragments are appended as one text, with the labels of their blocks in it."""
    before = [
        "  %u = fadd float %a, %b",
        "  br label %f.join",
        "f.join:",
        "  %w = fadd float %u, %u",
    ]
    after = [*SCALAR, *VECTOR, "  br label %loop", "loop:"]
    phi = "  %i = phi i64 [ 0, %f.join ], [ 1, %entry ]"
    found = cut(["\n".join(before), *after, phi])
    assert found == cut([*before, *after, phi])
    assert found[-1] == "  %i = phi i64 [ 0, %part2 ], [ 1, %entry ]"


@pytest.mark.parametrize("level", [0, 1])
def test_the_code_computes_the_same(level):
    body = [
        *["  %v0 = insertelement <4 x i64> zeroinitializer, i64 %task, i64 1"],
        *SCALAR,
        *VECTOR,
        *["  %w = add <4 x i64> %v, %v0", "  br label %loop", "loop:"],
        "  %i = phi i64 [ 0, %entry ], [ %n, %loop ]",
        "  %n = add i64 %i, 1",
        "  %c = icmp slt i64 %n, 5",
        *["  br i1 %c, label %loop, label %done", "done:"],
        "  %a = extractelement <4 x i64> %v0, i64 1",
        "  %b = extractelement <4 x i64> %v, i64 0",
        *["  %x = add i64 %a, %b", "  %y = add i64 %x, %n", "  store i64 %y, ptr %out"],
        "  ret void",
    ]
    assert len(cut(body)) > len(body)
    text = "\n".join(["define void @f(ptr %out, i64 %task) {", "entry:", *cut(body), "}", ""])
    image = machine.compile_ir(text, level, verify=True)
    linked = machine.load(image, "test", ["f"], {})
    out = np.zeros(1, np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(linked.address("f"))
    function(out.ctypes.data, 7)
    assert out[0] == 7 + (7 + sum(range(40))) + 5
