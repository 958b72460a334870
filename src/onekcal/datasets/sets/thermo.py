"""Species that QM9 does not hold: radicals, second-row elements, halogens, larger molecules.

`scripts/thermo_set.py` builds thermo.npz from public sets of composite energies and from our own
G4(MP2), and brings them to the zero of QM9-G4MP2. The column `source` numbers the origin of each
row in `SOURCES`; `CARD` says its level and licence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, TRAIN
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.source import Remote, Source
from onekcal.molecules import Molecules

SOURCES = ("computed", "g305", "ppe", "rmg")
"""Where a row comes from, the best first."""
UNCERTAINTY = (0.05, 0.05, 0.2, 0.5)
"""kcal/mol: how far the energies of each source are from our own G4(MP2), after its zero was found.
`scripts/thermo_set.py` prints these deviations: 0.06 for g305 (378 pairs), 0.18 for ppe (154), 0.59
for rmg (43 pairs, and about 0.3 from g305 and ppe)."""
CARD = Card(
    "thermo",
    "composite energies of radicals, halogens, S, Si and larger molecules, brought to one zero",
    licence="computed: as this package; g305, ppe: CC0; rmg: MIT",
    citation="g305: Curtiss, Redfern, Raghavachari, J. Chem. Phys. 127, 124105 (2007); ppe: Das, "
    "Chakraborty, Ramakrishnan, J. Chem. Phys. 154, 044113 (2021); rmg: Johnson et al., J. Chem. "
    "Inf. Model. 62, 4906 (2022)",
    level="computed, g305, ppe: g4mp2; rmg: g4",
    kind="atomization at 0 K, zero-point energy included",
    molecules=6452,
    elements="H C N O F Si S Cl Br",
    splits="identity: train, valid and test, 8 : 1 : 1, all copies of a molecule in one; untested: "
    "the same, but its test part is trained on",
    notes="`source` is the number of a row's origin: 0 computed, 1 g305, 2 ppe, 3 rmg. No molecule "
    "of QM9-G4MP2 is among them. `g4mp2_uncertainty` is the deviation of a source from our own "
    "G4(MP2).",
)
ARCHIVE = Remote("thermo.npz")


def source(name: str) -> Source:
    """Return the source of the species.

    Parameters
    ----------
    name
        "thermo".
    """
    return Source(CARD, (ARCHIVE,), read_mirror)


def read_mirror(folder: Path) -> Stored:
    """Read thermo.npz.

    Parameters
    ----------
    folder
        The folder that holds it.
    """
    with np.load(folder / ARCHIVE.file) as file:
        origin, unpaired = file["source"], torch.from_numpy(file["unpaired"].astype(np.int64))
        molecules = Molecules(
            torch.from_numpy(file["Z"].astype(np.int64)),
            torch.from_numpy(file["R"].astype(np.float64)),
            torch.from_numpy(file["offsets"].astype(np.int64)),
            spin=unpaired,
            name=np.array([f"{SOURCES[s]} {row}" for s, row in zip(origin, file["row"])]),
        )
        columns = {
            "g4mp2": Column(torch.from_numpy(file["AE_g4mp2"]), level="g4mp2", at="0 K"),
            "g4mp2_uncertainty": Column(
                torch.tensor(UNCERTAINTY, dtype=torch.float64)[torch.from_numpy(origin).long()],
                "property",
                unit="kcal/mol",
            ),
            "source": Column(torch.from_numpy(origin.astype(np.float64)), "property", unit=""),
        }
        split = torch.from_numpy(file["split"])
    untested = torch.where(split == TEST, torch.full_like(split, TRAIN), split)
    card = replace(CARD, molecules=len(molecules))
    return Stored(Dataset(molecules, columns), {"identity": split, "untested": untested}, card)
