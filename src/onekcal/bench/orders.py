"""The table of HIP-NN's orders: the error of the energy up to E⁰, E¹ and E².

A page asks for it with `<!-- results: hipnn-orders -->`. It is made from the results of HIP-NN's
suites; rows of one seed, and rows of several that all tell their orders.
"""

from __future__ import annotations

from pathlib import Path

from onekcal.bench.results import Line
from onekcal.bench.results_file import stored
from onekcal.bench.tables import error_text

NAME = "hipnn-orders"
SUITES = ("hipnn-qm9", "hipnn-tables")
ORDER = "mae_order_"


def block(results: Path) -> tuple[str, list[Line]]:
    """Make the caption and the lines of the table.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    tuple
        The caption, and a line for each row whose orders were measured.
    """
    lines = []
    for suite in SUITES:
        for row in stored(results / f"{suite}.json").get("rows", []):
            errors = [value for key, value in row.get("ours", {}).items() if key.startswith(ORDER)]
            if errors:
                lines.append({"row": row["name"], "train": f"{row['train']:,}"} | _told(errors))
    return "Mean absolute errors of the energy up to each order; kcal/mol.", lines


def _told(errors: list[float]) -> Line:
    """The errors, and whether each is smaller than the one before."""
    heads = [f"E⁰ to E{'⁰¹²³'[k]}" if k else "E⁰" for k in range(len(errors))]
    falls = all(later < earlier for earlier, later in zip(errors, errors[1:]))
    return dict(zip(heads, map(error_text, errors))) | {"falls": "yes" if falls else "no"}
