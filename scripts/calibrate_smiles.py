"""Calibrate the interval from SMILES of a model anew: the file itself is changed.

    python scripts/calibrate_smiles.py g4mp2-smiles.h5 src/onekcal/shipped/g4mp2.safetensors

For a search of conformers that has changed since the model was fitted. Three in four hold-out
molecules of SMILES.h5 (scripts/smiles_geometries.py --tested) calibrate, the others are measured by
`conformer_share.py --fourth`. Labels that GFN2-xTB moved by more than 1 kcal/mol are left out: the
answers are better than these. The next fit calibrates on its validation molecules again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from onekcal import datasets as data
from onekcal.data.splits import TEST
from onekcal.models.artefact import Artefact
from onekcal.trust.conformal import Conformal, coverage, rivalry_of
from onekcal.trust.traits import traits

MOVED = 1.0
"""kcal/mol."""


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    ask.add_argument("smiles", type=Path)
    ask.add_argument("model", type=Path)
    asked = ask.parse_args()
    stored, artefact = data.load(str(asked.smiles)), Artefact.load(asked.model)
    held_out = np.flatnonzero(stored.splits["ward"].numpy() == TEST)
    some = stored.dataset[held_out[np.arange(len(held_out)) % 4 > 0]].aimed("g4mp2")
    moved = some.columns["g4mp2_published"].values - some.energies
    some = some[moved < MOVED]
    rivalry = rivalry_of(some)
    known = traits(some.molecules, artefact.model.novelty(some.molecules), rivalry)
    predicted = artefact.model.energies(some.molecules, some.columns)
    fresh = Conformal.calibrated(some.energies - predicted, rivalry, known)
    lower, upper = fresh.interval(predicted, rivalry=rivalry, traits=known)
    print(
        f"{len(some)} molecules calibrate: ± {float((upper - lower).mean() / 2):.2f} kcal/mol on "
        f"average, holds {100 * coverage(some.energies, lower, upper):.0f} % of themselves"
    )
    calibration = artefact.calibration | {"smiles": fresh}
    replace(artefact, calibration=calibration).save(asked.model)


if __name__ == "__main__":
    main()
