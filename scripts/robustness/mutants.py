"""Change one operator, comparison or number of a file and run its tests, again and again.

    python scripts/robustness/mutants.py src/onekcal/thermo/ledger.py --most 40 --keep

The file itself is never touched: each mutant is a copy of the package that comes first on the path.
The tests of a file are those of its room, `tests/ROOM/`, that import it, or those that are named.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
import rdkit.Chem
import scipy.optimize
import sklearn
import torch

LOADED = (rdkit.Chem, scipy.optimize, sklearn, torch)
"""What most tests import; the forks need not."""
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "onekcal"
SECONDS = 120.0
"""A mutant whose tests take longer is noticed: it hangs."""
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Give every mutant of a file: where and what, and its text."""
    tree = ast.parse(text)
    places = [k for k, node in enumerate(ast.walk(tree)) if _can_change(node)]
    for place in places:
        changed = deepcopy(tree)
        node = list(ast.walk(changed))[place]
        what = _change(node)
        yield f"line {node.lineno}: {what}", ast.unparse(ast.fix_missing_locations(changed))  # type: ignore[attr-defined]


def _can_change(node: ast.AST) -> bool:
    if isinstance(node, (ast.BinOp, ast.BoolOp)):
        return type(node.op) in OPERATORS and not _is_text(node)
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in OPERATORS
    return isinstance(node, ast.Constant) and type(node.value) in (int, float, bool)


def _is_text(node: ast.AST) -> bool:
    """Sums of texts, and unions of types, are no arithmetic."""
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, (str, type(None))))
        for part in ast.walk(node)
    )


def _change(node: ast.AST) -> str:
    before = ast.unparse(node)
    if isinstance(node, (ast.BinOp, ast.BoolOp)):
        node.op = OPERATORS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Compare):
        node.ops[0] = OPERATORS[type(node.ops[0])]()  # type: ignore[call-overload]
    elif isinstance(node, ast.Constant):
        old = node.value
        node.value = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else (
            1.01 * old if old else 1.0  # type: ignore[operator]
        )  # fmt: skip
    return f"{before} → {ast.unparse(node)}"


def tests_of(path: Path) -> list[str]:
    """Return the tests of a file's room that name its module."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    room = ROOT / "tests" / parts[0]
    name = re.compile(rf"onekcal\.{re.escape('.'.join(parts))}\b|import .*\b{parts[-1]}\b")
    return [str(one) for one in sorted(room.rglob("test_*.py")) if name.search(one.read_text())]


def noticed(package: Path, tests: list[str]) -> bool:
    """Return whether the tests fail with the package of this folder.

    They run in a fork of this process, which has imported what the package needs, and nothing of
    the package itself.
    """
    child = os.fork()
    if not child:
        status = 1
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            sys.dont_write_bytecode = True
            sys.path.insert(0, str(package))
            os.chdir(ROOT)
            status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
        finally:
            os._exit(status)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> None:
    """Run the mutants of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tests", nargs="*", help="instead of those of its room")
    parser.add_argument("--most", type=int, default=30, help="mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="add it to results/reliability.json")
    asked = parser.parse_args()
    path = asked.file.resolve()
    tests = asked.tests or tests_of(path)
    inside, begun = path.relative_to(SOURCE), time.monotonic()
    every = list(mutants(path.read_text(encoding="utf-8")))
    drawn = Random(asked.seed).sample(every, min(asked.most, len(every)))
    alive: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(SOURCE, Path(scratch) / "onekcal")
        if noticed(Path(scratch), tests):
            sys.exit(f"{tests} fail without a mutant")
        for what, text in drawn:
            (Path(scratch) / "onekcal" / inside).write_text(text, encoding="utf-8")
            if not noticed(Path(scratch), tests):
                alive[what] = 1
                print(f"not noticed: {inside}, {what}", flush=True)
    row = {
        "name": str(inside),
        "mutants": len(drawn),
        "killed": len(drawn) - len(alive),
        "findings": alive,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(f"{inside}: {row['killed']} of {row['mutants']} noticed, {len(every)} possible")
    if asked.keep:
        from robustness import record  # it imports the package

        record.add("mutants", row)


if __name__ == "__main__":
    main()
