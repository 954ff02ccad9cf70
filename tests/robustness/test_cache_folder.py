"""The cache folder damaged, impossible to write, switched off, or shared by several processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from processes import finish, run, start

_PROGRAM = """
x = np.arange(12.0).reshape(3, 4)
f = jit(lambda x: (np.tanh(x) @ x.T, np.cumsum(np.sin(x) + {number}, axis=1)))
product, total = f(x)
values = onp.arange(12.0, dtype="float32").reshape(3, 4)
onp.testing.assert_allclose(product, onp.tanh(values) @ values.T, rtol=1e-5)
onp.testing.assert_allclose(total, onp.cumsum(onp.sin(values) + {number}, axis=1), rtol=1e-5)
g = jit(lambda x: np.exp(x) * {number})  # a second program: one warning only
g(x), np.cosh(x)
print("done")
"""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _program(number: int = 1) -> str:
    return _PROGRAM.format(number=number)


def test_cache_is_filled_and_read(tmp_path: Path) -> None:
    for _ in range(2):
        output, errors = run(_program(), VIRES_CACHE_DIR=str(tmp_path))
        assert output == "done\n" and "CacheWarning" not in errors
        files = _files(tmp_path)
        assert len(files) >= 3
    times = {path: path.stat().st_mtime_ns for path in files}
    run(_program(), VIRES_CACHE_DIR=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in _files(tmp_path)} == times


def test_damaged_files_are_made_anew_with_one_warning(tmp_path: Path) -> None:
    run(_program(), VIRES_CACHE_DIR=str(tmp_path))
    damages = (
        lambda x: b"",
        lambda x: x[: len(x) // 2],
        lambda x: x[:-1] + bytes([x[-1] ^ 1]) if x else x,
        lambda x: b"junk" * 50,
    )
    for damage in damages:
        for path in _files(tmp_path):
            path.write_bytes(damage(path.read_bytes()))
        output, errors = run(_program(), VIRES_CACHE_DIR=str(tmp_path))
        assert output == "done\n"
        assert errors.count("CacheWarning") == 1
        assert "needs undamaged files; got a damaged one" in errors
    _, errors = run(_program(), VIRES_CACHE_DIR=str(tmp_path))
    assert "CacheWarning" not in errors


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for place in (file, file / "below"):
        output, errors = run(_program(), VIRES_CACHE_DIR=str(place))
        assert output == "done\n"
        assert errors.count("CacheWarning") == 1
        assert "cache: needs a directory that can be written; got" in errors
        assert "<string>" in errors  # the user's line
    assert file.read_text() == "in the way"


def test_folder_that_may_only_be_read() -> None:
    # Root may write everywhere: it becomes nobody once everything is imported.
    as_nobody = "import os, numpy.testing\nif os.geteuid() == 0: os.setuid(65534)\n"
    with tempfile.TemporaryDirectory() as folder:
        run(_program(), VIRES_CACHE_DIR=folder)
        before = _files(Path(folder))
        assert len(before) >= 3
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o444 if path.is_file() else 0o555)
        output, errors = run(as_nobody + _program(), VIRES_CACHE_DIR=folder)
        assert output == "done\n" and errors.count("CacheWarning") <= 1
        output, errors = run(as_nobody + _program(2), VIRES_CACHE_DIR=folder)
        assert output == "done\n"
        assert errors.count("CacheWarning") == 1
        assert f"needs a directory that can be written; got {folder} (Permission denied)" in errors
        assert _files(Path(folder)) == before
        for path in (Path(folder), *(p for p in Path(folder).rglob("*") if p.is_dir())):
            path.chmod(0o755)


def test_switched_off(tmp_path: Path) -> None:
    output, errors = run(_program(), VIRES_CACHE_DIR="off", XDG_CACHE_HOME=str(tmp_path))
    assert output == "done\n" and "CacheWarning" not in errors and not _files(tmp_path)


def test_processes_share_the_folder(tmp_path: Path) -> None:
    several = [start(_program(number % 2), VIRES_CACHE_DIR=str(tmp_path)) for number in range(4)]
    for process in several:
        output, errors = finish(process)
        assert output == "done\n" and "CacheWarning" not in errors
    assert not [path for path in _files(tmp_path) if path.name.startswith(".")]
