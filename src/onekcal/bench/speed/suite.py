"""Our features, kernels and predictions beside kernelforge and qmllib, in one process.

Contestants take turns (A B A B …) on the same molecules with the same number of threads. Their
results are compared, and a row holds the difference. On a busy machine seconds mean little; the
ratio of the medians is the result. The environment variable OMP_NUM_THREADS sets the threads of
all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal import datasets as data
from onekcal.bench.results_file import write
from onekcal.bench.speed.contest import Contest, Contestant, SpeedResults, SpeedRow, measure
from onekcal.bench.speed.densenet import densenet_training
from onekcal.bench.speed.dimenet import dimenet_training
from onekcal.bench.speed.hipnn import hipnn_training
from onekcal.bench.speed.product_net import product_net_training
from onekcal.bench.speed.schnet import schnet_training
from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, DataError, unknown
from onekcal.features.fchl import environments
from onekcal.features.fchl_torch import Fchl19
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.kernels.fchl_features import atoms
from onekcal.models.kernels.fchl_kernel import FchlKernel
from onekcal.models.kernels.local_kernel import Axes, symmetric
from onekcal.models.kernels.projected_features import FEATURES
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.molecules import Molecules
from onekcal.system.provenance import provenance

SIGMA = 4.0
REGULARIZATION = 1e-6
CUTOFFS: dict[str, Any] = {"rcut": 6.0, "acut": 6.0}
"""Å, of the features of every contestant."""
KERNELS = (1000, 2000, 10_000)
"""Molecules of the symmetric kernels."""
SLOW = 1000
"""Molecules of the largest kernel that qmllib computes."""
LEARNED = 2000
"""Training molecules of the models whose prediction rate is measured."""
ASKED = 300
"""Molecules whose features are made and whose energies are predicted."""
LANDMARKS = 6000


PARTS = (
    "features",
    "predictions",
    "hipnn",
    "schnet",
    "dimenet",
    "product_net",
    "densenet",
    "kernels",
)
"""What can be measured; the longest comes last."""


def run(
    results: Path,
    size: int = KERNELS[-1],
    rounds: int = 5,
    watch: Callable[[SpeedRow], None] = lambda row: None,
    parts: Sequence[str] = PARTS,
) -> SpeedResults:
    """Measure, and write `results`/speed.json.

    The molecules are those of QM9 from the store; without it, those of the shipped set mini.

    Parameters
    ----------
    results
        The folder of results.
    size
        Molecules of the largest kernel.
    rounds
        Turns of every contestant.
    watch
        Hears of each row when it is done.
    parts
        What is measured; rows of other parts stay as they are.

    Returns
    -------
    SpeedResults
        The content of speed.json.
    """
    for part in parts:
        if part not in PARTS:
            unknown("part of the speed benchmark", part, PARTS, ConfigError)
    if size < 10 or rounds < 1:
        raise ConfigError(
            f"`size` must be at least 10 molecules and `rounds` at least 1, got {size} and {rounds}"
        )
    speeds, known, asked = _begun(size)
    contests = dict(
        zip(
            PARTS,
            (
                features,
                predictions,
                hipnn_training,
                schnet_training,
                dimenet_training,
                product_net_training,
                densenet_training,
                kernels,
            ),
        )
    )
    rows = {
        part: [row for row in _rows(results / "speed.json") if row.get("part") == part]
        for part in PARTS
    }
    for part in (part for part in PARTS if part in parts):
        rows[part] = []
        for contest in contests[part](known, asked):
            rows[part].append(
                {
                    **measure(contest, rounds),
                    "part": part,
                    "time": speeds["time"],
                    "commit": speeds["commit"],
                }
            )
            speeds["rows"] = [row for part in PARTS for row in rows[part]]
            write(results / "speed.json", dict(speeds))
            watch(rows[part][-1])
    return speeds


def _rows(path: Path) -> list[SpeedRow]:
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []


def _begun(size: int) -> tuple[SpeedResults, Dataset, Dataset]:
    """Head of the results; `size` molecules to learn and some to ask for, drawn at random."""
    try:
        name, stored = "qm9", data.load("qm9")
    except DataError:
        name, stored = "mini", data.load("mini")
    draw = torch.randperm(len(stored.dataset), generator=torch.Generator().manual_seed(0))[
        : size + ASKED
    ]
    drawn = stored.dataset[draw.tolist()].aimed("b3lyp")
    first = min(ASKED, len(drawn) // 3)
    known = drawn[first : first + size]
    there = set(known.molecules.elements)
    asked = drawn[[m for m in range(first) if there.issuperset(drawn.molecules[m].elements)]]
    made, threads = provenance(), torch.get_num_threads()
    speeds: SpeedResults = {
        "suite": "speed",
        "title": f"Seconds and molecules per second on {name}, threads: {threads}, contestants "
        "taking turns; a ratio above 1 means onekcal is faster",
        "cite": "",
        "unit": "medians",
        "threads": threads,
        "data": stored.digest,
        "rows": [],
        "commit": made["commit"],
        "hardware": made["hardware"],
        "time": made["time"],
        "packages": {**made["packages"], "qmllib": qmllib_version()},
    }
    return speeds, known, asked


def qmllib_version() -> str | None:
    """Look up the version of qmllib; None where it is not installed and takes no part."""
    try:
        return version("qmllib")
    except PackageNotFoundError:
        return None


# --- what is compared -------------------------------------------------------------------------


def features(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contest of FCHL19 features, from geometries.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One contest.
    """
    molecules, elements, size = (
        asked.molecules,
        asked.molecules.elements,
        int(asked.molecules.sizes.max()),
    )
    ours = Fchl19(tuple(elements), **CUTOFFS)
    contestants: dict[str, Contestant] = {
        "onekcal": lambda: torch.cat(
            [ours(molecules[m : m + FEATURES]) for m in range(0, len(molecules), FEATURES)]
        ),
        "kernelforge": lambda: (
            atoms(environments(molecules, elements, size, **CUTOFFS), elements).features
        ),
    }
    if qmllib_version():
        contestants["qmllib"] = lambda: np.concatenate(
            [
                x[:n]
                for x, n in zip(
                    _qmllib_features(molecules, elements, size), molecules.sizes.tolist()
                )
            ]
        )
    yield Contest("FCHL19 features", "molecules/s", len(molecules), contestants)


def kernels(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contests of symmetric local kernels, from features in memory.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One for each number of molecules.
    """
    for count in sorted({*(count for count in KERNELS if count < len(known)), len(known)}):
        yield _kernel(known.molecules[:count])


def _kernel(molecules: Molecules) -> Contest:
    from kernelforge import local_kernels

    count, elements = len(molecules), molecules.elements
    around = environments(molecules, elements, int(molecules.sizes.max()), **CUTOFFS)

    def ours() -> np.ndarray:
        blocks = [atoms(around, elements)]
        return symmetric(Axes(blocks, len(elements), SIGMA).project(blocks, count))

    contestants: dict[str, Contestant] = {
        "onekcal": ours,
        "kernelforge": lambda: local_kernels.kernel_gaussian_symm_rfp(*around, SIGMA),
    }
    note = ""
    if qmllib_version() and count <= SLOW:
        from qmllib.kernels import get_local_symmetric_kernel

        charges = [z[:n] for z, n in zip(around.charges, around.sizes)]
        contestants["qmllib"] = lambda: get_local_symmetric_kernel(around.features, charges, SIGMA)
    elif qmllib_version():
        note = f"qmllib is asked for {SLOW:,} molecules at most: its time grows with N²"
    return Contest(f"symmetric local kernel, N = {count:,}", "s", count, contestants, note)


def predictions(known: Dataset, asked: Dataset) -> Iterator[Contest]:
    """Contests of energies from geometries; kernelforge's exact kernel has the weights of our fit.

    Parameters
    ----------
    known
        Molecules to learn from.
    asked
        Molecules to ask for.

    Yields
    ------
    Contest
        One for the exact kernel, one for the sparse one.
    """
    from kernelforge import local_kernels

    train, molecules = known[:LEARNED], asked.molecules
    train = train.minus(DressedAtoms().fit(train, train[:0]).energies(train.molecules))
    size, elements = (
        int(max(train.molecules.sizes.max(), molecules.sizes.max())),
        train.molecules.elements,
    )
    exact = FchlKernel(SIGMA, REGULARIZATION, forces=False, **CUTOFFS).fit(train, train[:0])
    there = environments(train.molecules, elements, size, **CUTOFFS)

    def direct() -> np.ndarray:
        here = environments(molecules, elements, size, **CUTOFFS)
        return local_kernels.kernel_gaussian_local_matvec(
            here.features,
            there.features,
            exact.weights,
            here.charges,
            there.charges,
            here.sizes,
            there.sizes,
            SIGMA,
        )

    peers: dict[str, Contestant] = {"kernelforge": direct}
    yield Contest(
        f"prediction, fchl_kernel of {len(train):,} molecules",
        "molecules/s",
        len(molecules),
        {"onekcal": lambda: exact.energies(molecules), **peers},
    )
    landmarks = min(LANDMARKS, 3 * len(train))
    sparse = SparseKernel(SIGMA, landmarks=landmarks, **CUTOFFS).fit(train, train[:0])
    yield Contest(
        f"prediction, sparse_kernel of {landmarks:,} landmarks",
        "molecules/s",
        len(molecules),
        {"onekcal": lambda: sparse.energies(molecules), **peers},
        same=False,
        note=f"kernelforge: the exact kernel of the same {len(train):,} training molecules; its "
        "rate falls with their number, that of a sparse kernel does not",
    )


def _qmllib_features(molecules: Molecules, elements: list[int], size: int) -> list[np.ndarray]:
    from qmllib.representations import generate_fchl19

    return [
        generate_fchl19(
            one.numbers.numpy(), one.positions.numpy(), elements=elements, pad=size, **CUTOFFS
        )
        for one in molecules
    ]
