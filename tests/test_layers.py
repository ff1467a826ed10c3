"""The house rules that imports can break: which way modules look, and who may talk and exit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import spikedeblur

PACKAGE = Path(spikedeblur.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = {"errors", "quantities", "machine"}
MIDDLE = {
    "io",
    "timeline",
    "geometry",
    "voxel",
    "classical",
    "light",
    "resample",
    "windows",
    "cuts",
    "tiling",
    "models",
    "metrics",
}
UPPER = {
    "pipeline",
    "exposures",
    "inference",
    "restorers",
    "slowmotion",
    "inspection",
    "output",
    "alignment",
    "training",
    "benchmark",
    "report",
    "sample",
}
TOP = {"cli", "__main__"}
HEAVY = {"torch", "numpy", "av", "rich", "tifffile", "pydantic", "yaml", "einops", "torchmetrics"}


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def layer(room: str) -> int:
    """0 for the base, 3 for the command line. A room that has no layer yet fails here."""
    if room == "":
        return 0  # the package itself: names loaded lazily
    for number, rooms in enumerate((BASE, MIDDLE, UPPER, TOP)):
        if room in rooms:
            return number
    raise AssertionError(f"spikedeblur.{room} has no place in the layers: give it one here")


def room_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(module: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names a module imports; those under TYPE_CHECKING are left out."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names if node.module == "spikedeblur" else [node.module or ""]
        elif is_for_types_only(node) or (top_level_only and isinstance(node, FUNCTIONS)):
            continue
        waiting.extend(ast.iter_child_nodes(node))


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def rooms_imported(module: Path) -> set[str]:
    own = (name.split(".") for name in imports(module))
    return {
        parts[1] if len(parts) > 1 and parts[1] != "__version__" else ""
        for parts in own
        if parts[0] == "spikedeblur"
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_look_down_only(module):
    room = room_of(module)
    if room == "":
        return
    for other in rooms_imported(module) - {room, ""}:
        assert layer(other) <= layer(room), f"{module} imports spikedeblur.{other}"


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) == "io"], ids=lambda p: p.name)
def test_io_knows_neither_torch_nor_models(module):
    assert "models" not in rooms_imported(module)
    assert not any(name.split(".")[0] == "torch" for name in imports(module))


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if room_of(m) == "models"],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_models_know_torch_and_little_else(module):
    assert rooms_imported(module) <= {"models", "errors", ""}
    foreign = {name.split(".")[0] for name in imports(module)}
    assert not foreign & {"av", "click", "rich", "tifffile", "torchmetrics"}


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room_of(m) != "cli"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_only_the_command_line_talks_and_exits(module):
    assert not {name.split(".")[0] for name in imports(module)} & {"click", "rich"}
    if module.name == "__main__.py":
        return
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "input", "exit", "sys.exit", "os._exit"), f"{module}"


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if room_of(m) in ("", "cli", "__main__")],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_the_command_line_imports_nothing_heavy_before_it_must(module):
    names = set(imports(module, top_level_only=True))
    assert not {name.split(".")[0] for name in names} & HEAVY
    light = ("errors", "quantities", "machine.memory", "cli", "__version__")
    own = {name.removeprefix("spikedeblur.") for name in names if name.startswith("spikedeblur.")}
    assert all(name.startswith(light) for name in own)


def test_no_file_is_above_450_lines():
    long = {
        str(module.relative_to(PACKAGE)): count
        for module in MODULES
        if (count := len(module.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long
