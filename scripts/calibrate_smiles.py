"""Calibrate the interval from SMILES of a model anew: the file itself is changed.

    python scripts/calibrate_smiles.py g4mp2-smiles.h5 src/onekcal/shipped/g4mp2.safetensors

For a search of conformers that has changed since the model was fitted. Every second hold-out
molecule of SMILES.h5 (scripts/smiles_geometries.py --tested) calibrates, the others are measured by
`conformer_share.py --half`. The next fit calibrates on its validation molecules again.
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


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    ask.add_argument("smiles", type=Path)
    ask.add_argument("model", type=Path)
    asked = ask.parse_args()
    stored, artefact = data.load(str(asked.smiles)), Artefact.load(asked.model)
    held_out = np.flatnonzero(stored.splits["ward"].numpy() == TEST)[::2]
    some = stored.dataset[held_out].aimed("g4mp2")
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
