"""The pages are true of the code: their programs run, and the tutorial's page is its program."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def programs(page: Path) -> list[str]:
    """The Python programs of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/explain.md"])
def test_programs_of_a_page_run(name: str, tmp_path: Path) -> None:
    text = "\n".join(programs(ROOT / name))
    assert "import vires" in text
    path = tmp_path / "program.py"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"tutorial", "test", "check", "bench", "help"} <= targets
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(encoding="utf-8"), re.M):
            assert target in targets, f"{page.name} names `make {target}`"
    helped = subprocess.run(["make", "-C", ROOT, "-s", "help"], capture_output=True, text=True)
    assert helped.returncode == 0 and all(f"make {t}" in helped.stdout for t in targets - {"help"})


def test_the_tutorial_is_its_page() -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("tutorial", ROOT / "examples" / "tutorial.py")
    assert spec is not None and spec.loader is not None
    tutorial: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tutorial)
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert page.startswith(tutorial.PAGE_START)
    for number, (title, _, section, _) in enumerate(tutorial.SECTIONS, start=1):
        code = tutorial.source(section)
        assert f"## {number}. {title}\n" in page
        assert f"```python\n{code}\n```" in page, f"{title}: try examples/tutorial.py --page"
