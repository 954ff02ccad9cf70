"""The cache on disk, the loader of object code, and what the compiler prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import numpy as onp
import pytest
from compiled import staged

import vires
import vires.numpy as np
from vires import _native
from vires.core.errors import CacheWarning
from vires.engine.llvm import cache, machine
from vires.engine.llvm.fingerprint import NotCanonical, fingerprint, text

PROGRAM = """
    import sys, numpy as onp, vires, vires.numpy as np
    x = np.asarray(onp.arange(12, dtype="float32").reshape(3, 4))
    c = np.asarray(onp.ones(4, "float32"))
    f = vires.jit(lambda x: np.sin(x) + c * np.sort(x, 1) @ np.eye(4))
    print(onp.asarray(f(x)).sum())
    try:
        vires.jit(lambda x, i: x[i])(x, np.array([5]))
    except IndexError as error:
        print("IndexError")
    print("llvmlite" in sys.modules)
"""


def launch(directory, program=PROGRAM):
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(program)],
        env={**os.environ, "VIRES_CACHE_DIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def files(directory):
    return [os.path.join(root, name) for root, _, names in os.walk(directory) for name in names]


def test_a_second_process_needs_no_compiler(tmp_path):
    first, _ = launch(tmp_path)
    assert first[1] == "IndexError"
    second, _ = launch(tmp_path)
    assert second[:2] == first[:2]
    if _native.loads_objects():
        assert second[2] == "False"


def test_the_name_of_the_directory_need_not_be_utf8(tmp_path):
    directory = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    launch(directory)
    assert files(directory)
    launch(directory)


def test_damaged_files_are_made_anew(tmp_path):
    first, _ = launch(tmp_path)
    for path in files(tmp_path):
        with open(path, "r+b") as file:
            file.seek(60)
            file.write(b"garbage!")
    assert launch(tmp_path)[0][:2] == first[:2]
    for path in files(tmp_path):
        with open(path, "wb"):
            pass
    assert launch(tmp_path)[0][:2] == first[:2]


def test_two_processes_at_once(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    environment = {**os.environ, "VIRES_CACHE_DIR": str(tmp_path)}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0].split()[:2] for process in both]
    assert outputs[0] == outputs[1]


def test_a_directory_that_cannot_be_written_warns_once(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    output, errors = launch(blocked / "cache")
    assert output[1] == "IndexError" and errors.count("CacheWarning") == 1


def test_warning_names_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "directory", lambda: str(tmp_path / "x\0y"))
    monkeypatch.setitem(cache._state, "warned", False)
    with pytest.warns(CacheWarning, match="VIRES_CACHE_DIR"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "makedirs", _refuse)
        cache.write("00ab", {}, b"")
        cache.report()


def test_the_warning_is_at_the_line_that_asked_for_code(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    program = (
        "import vires, vires.numpy as np\nx = np.ones(3)\nvires.jit(lambda x: np.sin(x) * 3)(x)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "VIRES_CACHE_DIR": str(tmp_path / "file" / "cache")},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<string>:3: CacheWarning" in done.stderr


def _refuse(*args, **kwargs):
    raise OSError(30, "Read-only file system")


def test_fingerprints_tell_programs_apart():
    x = onp.ones(3, "float32")
    texts = {
        fingerprint(staged(f, x))
        for f in (
            lambda x: x + 1,
            lambda x: x + 2,
            lambda x: x * 1.5,
            lambda x: np.sin(x),
            lambda x: x.sum(),
            lambda x: [x, x],
        )
    }
    assert len(texts) == 6
    assert fingerprint(staged(lambda x: x + 1, x)) == fingerprint(staged(lambda y: y + 1, x))
    assert fingerprint(staged(lambda x: x + 1, x)) != fingerprint(
        staged(lambda x: x + 1, x.astype("float64"))
    )
    with pytest.raises(NotCanonical):
        text(lambda: 0)


@pytest.mark.skipif(not _native.loads_objects(), reason="loads x86-64 ELF objects")
def test_loader():
    ir = """
        @table = private constant [3 x i64] [i64 5, i64 7, i64 9]
        @count = internal global i64 0
        declare double @cos(double)
        declare i64 @given(i64)
        define i64 @f(i64 %i) {
          %n = load i64, ptr @count
          %n1 = add i64 %n, 1
          store i64 %n1, ptr @count
          %p = getelementptr i64, ptr @table, i64 %i
          %v = load i64, ptr %p
          %c = call double @cos(double 0.0)
          %k = fptosi double %c to i64
          %g = call i64 @given(i64 %v)
          %s = add i64 %g, %k
          %r = add i64 %s, %n
          ret i64 %r
        }
    """
    import ctypes

    given = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: 100 * x)
    image = machine.compile_ir(ir, 0, verify=True)
    loaded = _native.load_object(image, {"given": ctypes.cast(given, ctypes.c_void_p).value})
    f = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded.address("f"))
    assert [f(0), f(1), f(2)] == [501, 702, 903]


def test_loader_leaves_the_rest_to_llvm():
    image = machine.compile_ir("define i32 @g() {\n ret i32 5\n}\n", 0)
    for damaged in (b"\x7fELF\x01\x01" + bytes(100), image[:100], image[: len(image) // 2]):
        with pytest.raises(RuntimeError):
            _native.load_object(damaged, {})
    unknown = machine.compile_ir(
        "declare i32 @vires_nobody()\n"
        "define i32 @g() {\n %r = call i32 @vires_nobody()\n ret i32 %r\n}\n"
    )
    with pytest.raises(RuntimeError, match="no symbol vires_nobody"):
        _native.load_object(unknown, {})
    assert machine.load(image, "test", ["g"], {}).address("g")
    with pytest.raises(KeyError, match="absent"):
        machine.load(image, "test", ["g"], {}).address("absent")


def test_stages_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("VIRES_DUMP", "all")
    vires.jit(lambda x: np.sin(x).sum() + np.sort(x)[0])(np.arange(10.0))
    printed = capsys.readouterr().err
    for stage in ("jaxpr", "simplify", "fuse", "schedule", "memory", "llvm", "asm"):
        assert printed.count(f"--- {stage}: <lambda>") == 1
    assert "sin:float32" in printed and "define" in printed
    assert re.search(r"kernel over \[10\]: reduce_sum#\d+\nsort", printed)
    monkeypatch.setenv("VIRES_DUMP", "fuse")
    vires.jit(lambda x: vires.lax.scan(lambda c, r: (np.sort(c * r), None), x[0], x)[0])(
        np.ones((4, 50))
    )
    printed = capsys.readouterr().err
    assert re.search(r"--- fuse: <lambda>, inside .*\nkernel over \[50\]: .*mul", printed)
    assert "--- llvm" not in printed
    monkeypatch.setenv("VIRES_DUMP", "nonsense")
    with pytest.raises(ValueError, match="VIRES_DUMP"):
        vires.jit(lambda x: x + 1)(np.arange(11.0))


def test_the_oldest_files_of_a_full_folder_go(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "directory", lambda: str(tmp_path))
    monkeypatch.setattr(cache, "_LIMIT", 1000)
    for number in range(20):
        name = f"ab{number + 1:04x}"
        cache.write(name, {}, bytes(200))
        _native.flush_files()
        os.utime(tmp_path / "ab" / name, (number, number))
    assert len(files(tmp_path)) == 20
    cache.write("ab0040", {}, bytes(200))
    _native.flush_files()
    left = {os.path.basename(path) for path in files(tmp_path)}
    assert "ab0040" in left and "ab0001" not in left
    assert sum(os.path.getsize(path) for path in files(tmp_path)) <= 1000
