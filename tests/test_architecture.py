"""Which room may import which: docs/architecture.md, as a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rescli

ROOT = Path(rescli.__file__).parent
EVERYBODYS = {"errors", "program", "words"}
ALLOWED = {
    "__main__": {"cli"},
    "cli": {"commands", "console"},
    "commands": {
        *(
            "analysis",
            "backends",
            "bench",
            "console",
            "data",
            "engine",
            "models",
            "profiling",
            "recipes",
            "reproduce",
            "store",
        ),
    },
    "console": set(),
    "reproduce": {"analysis", "backends", "data", "engine", "models", "profiling", "recipes", "store"},
    "analysis": {"backends", "data", "engine", "models", "profiling", "recipes", "store"},
    "bench": {"backends", "data", "engine", "models", "profiling", "store"},
    "engine": {"backends", "data", "models", "profiling", "recipes", "store"},
    "profiling": {"models"},
    "backends": {"data", "models"},
    "recipes": {"models"},
    "data": {"store"},
    "models": {"store"},
    "store": set(),
    **{room: set() for room in (*EVERYBODYS, "__init__")},
}
"""Which rooms each room may import, besides itself and what is everybody's."""
OWNERS = {
    "typer": {"cli", "commands"},
    "rich": {"console"},
    "h5py": {"store"},
    "filelock": {"store"},
    "torch": {"models", "data", "backends", "bench"},  # bench: the plain loop to be measured against
    "torchvision": {"data", "bench"},
    "matplotlib": {"analysis", "profiling"},
    "plotext": {"console"},
    "jinja2": {"analysis"},
    "PIL": {"data", "bench"},
    "safetensors": {"models"},
    "onnx": {"models"},
    "onnxruntime": {"models"},
    "onnxscript": {"models"},
    "platformdirs": {"data"},
    "psutil": {"backends", "bench", "store"},
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path, *, at_load: bool = False) -> Iterator[str]:
    """Names of imported modules; with `at_load`, only those that importing the file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if at_load else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_run_one_way(path: Path) -> None:
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "rescli" and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in {room(path), *EVERYBODYS, *ALLOWED[room(path)]}, f"{path} imports {name}"


def test_no_arrow_comes_back() -> None:
    """What a room may import may not import that room, however far around."""

    def beyond(room: str, seen: frozenset[str] = frozenset()) -> set[str]:
        assert room not in seen, f"{room} imports itself by way of {sorted(seen)}"
        return {room}.union(*(beyond(one, seen | {room}) for one in ALLOWED[room]))

    assert beyond("__main__") == set(ALLOWED) - EVERYBODYS - {"__init__"}


def test_every_arrow_that_is_allowed_is_there() -> None:
    drawn = {
        (room(path), name.split(".")[1]) for path in modules() for name in imports(path) if name.startswith("rescli.")
    }
    assert {(one, other) for one, others in ALLOWED.items() for other in others} <= drawn


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_rooms(path: Path) -> None:
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or room(path) in owners, f"{path} imports {name}"


@pytest.mark.parametrize(
    "name",
    [
        "models/spec.py",
        "models/operators.py",
        "models/names.py",
        "profiling/cost.py",
        "profiling/count.py",
        "recipes/cifar.py",
        "recipes/imagenet.py",
        "recipes/recipe.py",
        "data/names.py",
    ],
)
def test_descriptions_are_without_torch_and_numpy(name: str) -> None:
    assert not {imported.split(".")[0] for imported in imports(ROOT / name)} & {"torch", "numpy"}


@pytest.mark.parametrize("path", sorted((ROOT / "commands").rglob("*.py")), ids=str)
def test_commands_load_without_heavy_libraries(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path, at_load=True)} & {"torch", "numpy", "h5py", "torchvision"}
