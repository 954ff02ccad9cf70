"""The house's rules: layers, no cycles, no imports inside functions, sizes of files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "vires"

# A folder imports only from those above it; names on one line stand beside each other.
LAYERS = [
    ["_native"],
    ["core"],
    ["dialect"],
    ["ops"],
    ["transform"],
    ["control"],
    ["engine"],
    ["api"],
    ["lax"],
    ["numpy"],
    ["random"],
    ["nn"],
    ["scipy", "image"],
    [
        "tree_util",
        "dtypes",
        "errors",
        "debug",
        "ad_checkpoint",
        "custom_derivatives",
        "custom_batching",
        "dlpack",
        "flatten_util",
        "test_util",
        "typing",
    ],
    ["tree"],
    ["stax", "minmax"],
    ["experimental", "example_libraries"],
    ["__init__"],
]
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}
# Slow or optional packages may be imported where they are used.
LAZY = {"llvmlite", "scipy", "scipy_openblas32", "matplotlib", "tqdm", "opt_einsum"}
FILES = sorted(SOURCE.rglob("*.py"))


def layer(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else path.stem


def module_of(path: Path) -> str:
    parts = ("vires", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, top_level_only: bool = False) -> list[tuple[str, int, bool]]:
    """Modules that a file imports at run time, with line and whether inside a function."""
    tree = ast.parse(path.read_text())
    found: list[tuple[str, int, bool]] = []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            for alias in node.names:
                target = SOURCE.joinpath(*module.split(".")[1:], alias.name)
                is_module = module.startswith("vires") and (
                    target.with_suffix(".py").exists() or target.is_dir() or alias.name == "_native"
                )
                found.append(
                    (f"{module}.{alias.name}" if is_module else module, node.lineno, inside)
                )
        for child in ast.iter_child_nodes(node):
            visit(
                child,
                inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)),
            )

    visit(tree, False)
    return [f for f in found if not (top_level_only and f[2])]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_folder_imports_only_from_those_above(path: Path) -> None:
    mine = layer(path)
    assert mine in RANK, f"{mine}: give the folder its place in LAYERS"
    for module, line, _ in imports(path):
        if module.split(".")[0] != "vires":
            continue
        parts = module.split(".")
        theirs = parts[1] if len(parts) > 1 else "__init__"
        allowed = theirs == mine or RANK[theirs] < RANK[mine]
        assert allowed, (
            f"{path.relative_to(SOURCE)}:{line} imports {module}, which lies below or beside {mine}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_stand_at_the_top(path: Path) -> None:
    for module, line, inside in imports(path):
        if inside:
            assert module.split(".")[0] in LAZY, (
                f"{path.relative_to(SOURCE)}:{line} imports {module} in a function"
            )


def test_the_engines_do_not_know_each_other() -> None:
    engines = {"llvm", "pjrt"}
    for path in (SOURCE / "engine").rglob("*.py"):
        parts = path.relative_to(SOURCE / "engine").parts
        mine = parts[0].removesuffix(".py")
        for module, line, _ in imports(path):
            other = module.split(".")[2:3]
            if (
                module.startswith("vires.engine.")
                and mine in engines
                and other
                and other[0] in engines
            ):
                assert other[0] == mine, f"{path}:{line} imports {module}"


def test_no_cycles() -> None:
    names = {module_of(p): p for p in FILES}
    graph = {
        name: {
            m
            for m, _, _ in imports(p, top_level_only=True)
            if m in names and m != name and m != "vires"
        }
        for name, p in names.items()
    }
    state: dict[str, int] = {}

    def walk(name: str, path: list[str]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, f"cycle: {' -> '.join([*path[path.index(name) :], name])}"
        state[name] = 1
        for other in sorted(graph[name]):
            walk(other, [*path, name])
        state[name] = 2

    for name in sorted(graph):
        walk(name, [])


def test_files_hold_one_concept() -> None:
    sizes = sorted(len(p.read_text().splitlines()) for p in FILES)
    assert sizes[-1] <= 800, "a file outgrew its concept"
    assert sizes[int(0.9 * (len(sizes) - 1))] <= 400


def test_the_walk_sees_what_it_should(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("import vires.core\ndef f():\n    from vires.engine import engine\n")
    found = imports(sample)
    assert [(m, inside) for m, _, inside in found] == [
        ("vires.core", False),
        ("vires.engine.engine", True),
    ] or [(m, inside) for m, _, inside in found] == [("vires.core", False), ("vires.engine", True)]
