"""The house rules that imports can break: which way modules look, and who may talk and exit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

import spikedeblur

PACKAGE = Path(spikedeblur.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))

# Which rooms each room may import. CONTRIBUTING draws it: a row there imports the rows above it.
BASE = {"errors", "quantities", "vocabulary", "notebook", "machine"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "quantities": {"errors", "vocabulary"},
    "vocabulary": set(),
    "notebook": set(),
    "machine": {"errors", "vocabulary"},
    "io": {"errors", "quantities", "vocabulary"},
    "recording": {"errors", "quantities", "vocabulary", "io"},
    "metrics": set(),
    "prior": {"errors", "vocabulary", "machine", "recording"},
    "classical": {"errors", "vocabulary", "recording", "prior"},
    "models": {"errors", "vocabulary", "prior"},
    "output": BASE | {"io", "recording"},
    "agreement": BASE | {"io", "recording", "prior"},
    "restoration": BASE
    | {"io", "recording", "prior", "classical", "models", "output", "agreement"},
    "simulation": BASE | {"io", "recording"},
    "alignment": BASE | {"io", "recording", "prior"},
    "inspection": BASE | {"io", "recording", "classical", "models"},
    "sample": BASE | {"io", "recording", "simulation"},
    "training": BASE | {"io", "recording", "metrics", "prior", "models", "simulation"},
    "benchmarking": BASE
    | {"io", "recording", "metrics", "models", "restoration", "sample", "training"},
    "report": BASE | {"io", "recording", "restoration", "benchmarking"},
}
MAY_IMPORT["api"] = set(MAY_IMPORT)
MAY_IMPORT["cli"] = set(MAY_IMPORT)
MAY_IMPORT["__main__"] = {"cli"}
HEAVY = {"torch", "numpy", "av", "rich", "tifffile", "pydantic", "yaml", "einops", "torchmetrics"}


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(module: Path) -> str:
    """Dotted name of a module; the package itself has none: its names are loaded lazily."""
    parts = module.relative_to(PACKAGE.parent).with_suffix("").parts
    return "" if parts[1:] == ("__init__",) else ".".join(parts).removesuffix(".__init__")


def room_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(module: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names a module imports, and the modules they are of; not those under TYPE_CHECKING."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            if node.module and node.module != "spikedeblur":
                yield node.module
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
def test_a_room_imports_only_what_it_may(module):
    room = room_of(module)
    if room == "":
        return  # the package itself: names loaded lazily
    assert rooms_imported(module) - {room, ""} <= MAY_IMPORT[room]


def test_the_diagram_for_contributors_shows_the_same():
    """Every room has a row, and imports none of a row below its own."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    diagram = text.partition("```text\nerrors")[2].partition("```")[0]
    row = {
        room: number
        for number, line in enumerate(f"errors{diagram}".split("<-"))
        for room in line.replace(",", " ").split()
    }
    assert row.keys() == MAY_IMPORT.keys() - {"__main__"}
    for room, number in row.items():
        assert all(row[other] <= number for other in MAY_IMPORT[room] - {room})


def test_no_rooms_know_each_other():
    TopologicalSorter(MAY_IMPORT).prepare()  # raises CycleError, which names the circle


def test_no_imports_go_round_in_a_circle():
    names = {name_of(module): module for module in MODULES}
    order = TopologicalSorter(
        {name: names.keys() & set(imports(module)) for name, module in names.items() if name}
    )
    order.prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) == "io"], ids=lambda p: p.name)
def test_io_knows_neither_torch_nor_models(module):
    assert "models" not in rooms_imported(module)
    assert not any(name.split(".")[0] == "torch" for name in imports(module))


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if room_of(m) in ("models", "prior")],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_models_know_torch_and_little_else(module):
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
    light = (
        "errors",
        "quantities",
        "vocabulary",
        "io.pipes",
        "restoration.methods",
        "machine.memory",
        "machine.threads",
        "cli",
        "__version__",
    )
    own = {name.removeprefix("spikedeblur.") for name in names if name.startswith("spikedeblur.")}
    assert all(name.startswith(light) for name in own)


# Public names that may stand in several modules, each for one idea.
SHARED = {
    "command",  # what the root group of the command line loads from a command's module
    "Deblurrer",  # as Python calls it (api), and what it does (restoration)
    "SpikeStream",  # as Python opens it (api), and what it is (io)
    *("sdm", "tfp", "tfi", "joint"),  # a method: of one frame (classical), of a video (methods)
}


def public_names(module: Path) -> Iterator[str]:
    """Names of the functions, classes and constants that a module defines."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_a_name_has_one_meaning():
    places: dict[str, set[str]] = {}
    for module in MODULES:
        for name in public_names(module):
            if not name.startswith("_"):
                places.setdefault(name, set()).add(str(module.relative_to(PACKAGE)))
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert twice.keys() - SHARED == set(), twice


def test_files_are_short():
    counts = {
        str(module.relative_to(PACKAGE)): len(module.read_text(encoding="utf-8").splitlines())
        for module in MODULES
    }
    assert median(counts.values()) <= 130
    assert {name: count for name, count in counts.items() if count > 300} == {}


@pytest.mark.parametrize("module", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_are_short_and_import_no_tests(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 350
    own = [name for name in imports(module) if name.startswith("tests.")]
    assert not [name for name in own if any(part.startswith("test_") for part in name.split("."))]
