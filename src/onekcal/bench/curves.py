"""Learning curves: the mean error of several seeds against the number of training molecules, and
the power law through it.

    ε(N) = a · N^−b,    log ε = log a − b log N,    least squares over the sizes measured

b = 0.5 is the slope of independent noise. A curve that ends flat has a smaller b at its end than
over its length. Beyond the sizes that were measured the law is an extrapolation, and tables and
pictures call it one. Errors are in the unit of what is learned, kcal/mol for energies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from onekcal.bench.results import KeptCurve, Line, Measured, Results
from onekcal.bench.suite import Curve, Suite
from onekcal.errors import ConfigError
from onekcal.runs.experiment import Experiment


@dataclass(frozen=True)
class Learned:
    """One learning curve.

    Parameters
    ----------
    name
        Its name in the suite.
    sizes
        Training molecules, ascending.
    mae
        Mean error over the seeds at each size, in the unit of what is learned.
    spread
        Standard deviation over the seeds at each size; None where there is one seed.
    a, b
        Of a · N^−b; None where there are fewer than two sizes.
    paper
        Training molecules → the paper's error.
    """

    name: str
    sizes: list[int]
    mae: list[float]
    spread: list[float | None]
    a: float | None
    b: float | None
    paper: dict[int, float]

    def beyond(self) -> tuple[int, float] | None:
        """Extrapolate to the paper's largest training set, where it is larger than ours.

        Returns
        -------
        tuple or None
            Training molecules, and a · N^−b there.
        """
        largest = max(self.paper, default=0)
        if self.a is None or self.b is None or largest <= max(self.sizes):
            return None
        return largest, self.a * largest**-self.b


def of(results: Results) -> list[Learned]:
    """Collect the curves in the results of a suite.

    Parameters
    ----------
    results
        The results.

    Returns
    -------
    list of Learned
        Rows that failed are left out.
    """
    papers = {
        curve["name"]: {int(size): mae for size, mae in curve["paper"].items()}
        for curve in results.get("curves", [])
    }
    by_name: dict[str, list[Measured]] = {}
    for row in results["rows"]:
        if row.get("curve") and "failed" not in row:
            by_name.setdefault(row["curve"], []).append(row)
    out = []
    for name, rows in by_name.items():
        rows = sorted(rows, key=lambda row: row["train"])
        sizes, mae = [row["train"] for row in rows], [row["ours"]["mae"] for row in rows]
        a, b = power_law(dict(zip(sizes, mae))) or (None, None)
        out.append(
            Learned(name, sizes, mae, [_spread(row) for row in rows], a, b, papers.get(name, {}))
        )
    return out


def power_law(errors: Mapping[int, float]) -> tuple[float, float] | None:
    """Fit a · N^−b by least squares of the logarithms.

    Parameters
    ----------
    errors
        Training molecules → error; errors of 0 are left out.

    Returns
    -------
    tuple or None
        a and b; None where there are fewer than two points.
    """
    points = [(math.log(n), math.log(error)) for n, error in errors.items() if error > 0]
    if len(points) < 2:
        return None
    x0, y0 = (sum(values) / len(points) for values in zip(*points))
    b = -sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)
    return math.exp(y0 + b * x0), b


def _spread(row: Measured) -> float | None:
    """Standard deviation of the seeds' errors, as of a sample."""
    errors = [run["mae"] for run in row["runs"]]
    mean = sum(errors) / len(errors)
    return (
        math.sqrt(sum((e - mean) ** 2 for e in errors) / (len(errors) - 1))
        if len(errors) > 1
        else None
    )


def told(results: Results, suite: Suite) -> list[KeptCurve]:
    """Describe the curves of a suite for its JSON.

    Parameters
    ----------
    results
        The results without their curves.
    suite
        The suite, which holds the paper's points.

    Returns
    -------
    list
        One entry for each curve, with six digits.
    """
    papers = {curve.name: curve.paper for curve in suite.curves}
    return [
        {
            "name": one.name,
            "sizes": one.sizes,
            "mae": [_rounded(error) for error in one.mae],
            "spread": [None if each is None else _rounded(each) for each in one.spread],
            "a": None if one.a is None else _rounded(one.a),
            "b": None if one.b is None else _rounded(one.b),
            "paper": papers.get(one.name, {}),
        }
        for one in of(results)
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def table(results: Results) -> list[Line]:
    """Make the table of learning curves: a line for each curve, and one for its paper.

    A line shows the mean and the spread at each size, b, and the law's value at the paper's
    last point where the paper went further.

    Parameters
    ----------
    results
        The results.

    Returns
    -------
    list
        Head of the column → text, one dict for each line.
    """
    curves = of(results)
    sizes = sorted({size for curve in curves for size in curve.sizes})
    far = any(curve.beyond() for curve in curves)
    lines = []
    for curve in curves:
        at = dict(zip(curve.sizes, zip(curve.mae, curve.spread)))
        cells = {f"N = {size:,}": _cell(*at[size]) if size in at else "–" for size in sizes}
        rows = [
            row for row in results["rows"] if row.get("curve") == curve.name and "failed" not in row
        ]
        seeds, quick = (
            max(len(row["runs"]) for row in rows),
            any(row.get("budget") == "quick" for row in rows),
        )
        beyond = curve.beyond()
        lines.append(
            {
                "row": curve.name + (" (quick)" if quick else ""),
                **cells,
                "seeds": str(seeds),
                "b": "–" if curve.b is None else f"{curve.b:.2f}",
                EXTRAPOLATED: "–"
                if beyond is None
                else f"{_cell(beyond[1], None)} at {beyond[0]:,}",
            }
        )
        paper = {row["train"]: row["paper"]["mae"] for row in rows if "mae" in row["paper"]}
        if paper or beyond:
            cells = {
                f"N = {size:,}": _cell(paper[size], None) if size in paper else "–"
                for size in sizes
            }
            last = (
                "–" if beyond is None else f"{_cell(curve.paper[beyond[0]], None)} at {beyond[0]:,}"
            )
            lines.append(
                {"row": f"{curve.name}: paper", **cells, "seeds": "–", "b": "–", EXTRAPOLATED: last}
            )
    return (
        lines
        if far
        else [{head: cell for head, cell in line.items() if head != EXTRAPOLATED} for line in lines]
    )


EXTRAPOLATED = "extrapolated by b"
"""Head of the column of errors that were not measured."""


def _cell(mae: float, spread: float | None) -> str:
    return f"{mae:#.3g}".rstrip(".") + ("" if spread is None else f" ± {spread:.1g}")


def suite_of(
    experiments: dict[str, Experiment], sizes: list[int], seeds: list[int], name: str = "curves"
) -> Suite:
    """Make a suite of learning curves from experiments.

    Parameters
    ----------
    experiments
        Name → experiment; all must be measured on the same molecules.
    sizes
        Numbers of training molecules.
    seeds
        Each draws its own molecules.
    name
        The name of the suite.

    Returns
    -------
    Suite
        A suite whose rows are valid.

    Raises
    ------
    ConfigError
        When the experiments are not about the same data.
    """
    asked = [(e.data.set, e.data.target, e.data.split, e.data.test) for e in experiments.values()]
    if len(set(asked)) > 1:
        shown = "; ".join(
            f"{one}: set {a[0]}, target {a[1]}, split {a[2]}, test {a[3]}"
            for one, a in zip(experiments, asked)
        )
        raise ConfigError(
            f"curves are drawn together for the same data, got {shown}. Give them the same set, "
            "target, split and number of test molecules, or draw them apart"
        )
    curves = [
        Curve(
            name=one,
            experiment=e.model_dump(mode="json", exclude={"name"}),
            sizes=sizes,
            seeds=seeds,
        )
        for one, e in experiments.items()
    ]
    where = f"{asked[0][0]}, {asked[0][1]}, split {asked[0][2]}"
    suite = Suite(name=name, title=f"Learning curves on {where}", curves=curves)
    for row in suite.rows:
        row.experiments()  # refused here, not when the row's turn comes
    return suite
