"""Imports point one way; nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "onekcal"
LAYERS = [  # a module may import from its own layer and from those below it (later in this list)
    {"cli", "cli_bench", "cli_show", "cli_field", "__main__", "__init__", "surroundings"}, {"app"}, {"show"}, {"bench"},
    {"run", "prediction", "calculator"}, {"run_folder", "splits"},
    {"answers", "questions"}, {"experiment"}, {"trust"}, {"models"}, {"fit"}, {"features"}, {"conformers", "thermo"},
    {"labels"}, {"data"}, {"io"}, {"molecules", "energies", "units", "errors", "provenance", "tensor_file", "memory"},
]
EXCEPTIONS = {
    ("io", "data"): "a file is read into a Dataset, which is the lowest part of data",
    ("fit", "models"): "the loop trains what obeys the protocol",
}


def test_what_is_public_is_listed_and_typed() -> None:
    """Names made on first use are known to `dir` and, under TYPE_CHECKING, to type checkers."""
    import onekcal

    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    typed = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             and (node.module or "").startswith("onekcal.") for name in node.names}
    assert typed | {"__version__"} == set(dir(onekcal)) == set(onekcal.__all__)
    assert all(getattr(onekcal, name) is not None for name in onekcal.__all__)
    assert callable(onekcal.predict)  # and not a module, whatever else was imported


def layer(module: str) -> int:
    return next(k for k, names in enumerate(LAYERS) if module in names)


def imported(path: Path) -> set[str]:
    """The parts of onekcal a file imports, wherever in the file."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not getattr(node, "level", 0), f"{path}: a relative import"
        if isinstance(node, ast.Import):
            out |= {name.name.split(".")[1] for name in node.names if name.name.startswith("onekcal.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "onekcal":
            out |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("onekcal."):
            out.add(node.module.split(".")[1])
    return {name for name in out if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()}


def violations(files: dict[str, set[str]]) -> list[str]:
    return [
        f"{part} imports {other}"
        for part, others in files.items()
        for other in others
        if layer(other) < layer(part) and (part, other) not in EXCEPTIONS
    ]


def test_imports_point_one_way() -> None:
    files: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        files.setdefault(part, set()).update(imported(path))
    assert violations(files) == []


def test_an_upward_import_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import onekcal.models.stack\ndef late():\n    from onekcal.show import report\n"
                                   "    from onekcal import trust, __version__\n")
    assert imported(tmp_path / "a.py") == {"models", "show", "trust"}
    assert violations({"features": {"models"}}) == ["features imports models"]


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'sklearn', 'rdkit', 'pydantic', 'plotly', 'ase'}"
    code = f"import sys, onekcal.cli; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
