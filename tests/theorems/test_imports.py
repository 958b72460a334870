"""Imports point one way, file by file; nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "onekcal"
ROOMS = [  # a file may import from its own room and from those above it in this list
    ("errors",), ("units",), ("molecules",), ("energies",), ("system",), ("data",), ("io",),
    ("datasets",),
    ("quantum",), ("geometry",), ("thermo",), ("labels",), ("features",), ("fields",), ("trust",),
    ("models",), ("networks",), ("runs",), ("signals",), ("selection",),
    ("prediction",), ("calculator",),
    ("dynamics",), ("battery",), ("bench",), ("show",), ("serve",), ("cli",),
    ("__init__", "__main__"),
]  # fmt: skip
LAZY = {"models/registry.py", "datasets/catalogue.py", "signals/registry.py", "__init__.py"}
"""Files that name classes of later rooms as strings and import them when asked."""


def place(module: str) -> int:
    """Where in the list a module's room stands."""
    room = module.split(".")[0] or "__init__"
    return next(k for k, names in enumerate(ROOMS) if room in names)


def modules(root: Path) -> dict[str, Path]:
    """Every module below `root` by its dotted name without the package's own."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts)
        .removesuffix("__init__")
        .rstrip("."): path
        for path in root.rglob("*.py")
    }


def imported(path: Path, known: set[str]) -> set[str]:
    """The modules of onekcal a file imports, wherever in the file, type checking included."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out |= {name.name[8:] for name in node.names if name.name.startswith("onekcal.")}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            if (node.module or "").split(".")[0] == "onekcal":
                parent = (node.module or "")[8:]
                for name in node.names:
                    child = f"{parent}.{name.name}".strip(".")
                    out.add(child if child in known else parent)
    return out


def graph(root: Path) -> dict[str, set[str]]:
    """module → the modules it imports."""
    files = modules(root)
    return {name: imported(path, set(files)) - {name} for name, path in files.items()}


def upward(imports: dict[str, set[str]]) -> list[str]:
    """Imports of a later room."""
    return sorted(
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in others
        if place(other) > place(module)
    )


def circles(imports: dict[str, set[str]]) -> Iterator[list[str]]:
    """Every path along imports that comes back to where it began."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
            return
        if module in done:
            return
        for other in sorted(imports.get(module, ())):
            yield from walk(other, [*path, module])
        done.add(module)

    for module in sorted(imports):
        yield from walk(module, [])


def test_every_file_imports_earlier_rooms_alone() -> None:
    assert upward(graph(ROOT)) == []


def test_no_file_imports_itself_by_any_way_round() -> None:
    assert list(circles(graph(ROOT))) == []


def test_an_upward_import_and_a_circle_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.py").write_text(
        "import onekcal.models.b\ndef late():\n    from onekcal.show import plots\n"
        "    from onekcal import models, __version__\n"
    )
    (tmp_path / "models" / "b.py").write_text("from onekcal.models import a\n")
    (tmp_path / "models" / "__init__.py").write_text("")
    found = graph(tmp_path)
    assert found["models.a"] == {"models.b", "show", "models", ""}
    assert upward(found) == ["models.a imports ", "models.a imports show"]
    assert list(circles(found)) == [["models.a", "models.b", "models.a"]]


def test_only_the_registries_import_by_name() -> None:
    by_name = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "import_module" in path.read_text(encoding="utf-8")
    }
    assert by_name <= LAZY


def test_the_root_holds_the_vocabulary_and_no_file_is_long() -> None:
    assert len([path for path in ROOT.iterdir() if path.is_file()]) <= 8
    lengths = sorted(
        len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")
    )
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 130


def test_what_is_public_is_listed_and_typed() -> None:
    """Names made on first use are known to `dir` and, under TYPE_CHECKING, to type checkers."""
    import onekcal

    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("onekcal.")
        for name in node.names
    }
    assert typed | {"__version__"} == set(dir(onekcal)) == set(onekcal.__all__)
    assert all(getattr(onekcal, name) is not None for name in onekcal.__all__)
    assert callable(onekcal.predict)  # and not a module, whatever else was imported


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'sklearn', 'rdkit', 'pydantic', 'plotly', 'ase'}"
    code = f"import sys, onekcal.cli.main; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
