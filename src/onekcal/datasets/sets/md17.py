"""MD17 and revised MD17: molecular-dynamics trajectories of ten molecules with energies and forces.

rMD17 (`rmd17-NAME`) is PBE/def2-SVP, five official splits of 1,000 + 1,000 frames; MD17
(`md17-NAME`) is PBE+TS. Both are total energies: the free atoms of these levels are not published
with them, so their kind stays `total` and an experiment begins with `dressed_atoms`. Train on at
most 1,000 frames: neighbours in time are alike.

Official files: md17_NAME.npz (E kcal/mol, F kcal/mol/Å, R Å, z) and rmd17.tar.bz2
(rmd17/npz_data/rmd17_NAME.npz with nuclear_charges, coords, energies, forces;
rmd17/splits/index_train_01.csv …).
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import label_split
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.source import Remote, Source
from onekcal.errors import DataError, in_short
from onekcal.molecules import Molecules

SHA256 = {
    "aspirin": "a87ff73b1c11d38c1e902f505be4136ee7d93ba88fc88672241d5bc8c74142b6",
    "benzene": "28bbcdff36ec2c89ed5a8e75b08203246f8c57ed9359dca0dec0ecd4703a78d4",
    "ethanol": "d5fffcc5c354f5ef162e3a2db9166fead139818404425030f1d4fc56bc6c9b47",
    "malonaldehyde": "1fa6b27f3f3e9cafb90567064b2c96c0bf29f7923ac83424a77a2d8f88161334",
    "naphthalene": "88d7d11204c48181185f2f37616f294aaab25833e63edea822920c115292ad19",
    "salicylic": "1f477fee34bb0b6ce2df00136eb4fc835ee7d9a6e0a00a0914d766ac7e2a2ca2",
    "toluene": "3a19297c4f4e8a4ef9ab049ef3def9b56526be2563fa3b2d2d314380eb39e2ef",
    "uracil": "c66a3dd088772b8678e9ea820e7ae1495b06a932a0472c372e184f0960f6ee0d",
}
"""Checksums of the mirror's files. The other molecules have no file there."""
OFFICIAL_NAMES = {
    "benzene": "md17_benzene2017",
    "azobenzene": "azobenzene_dft",
    "paracetamol": "paracetamol_dft",
}
"""MD17's file names that are not md17_ and the molecule."""
FRAMES = {"azobenzene": 99999, "paracetamol": 106490}
"""Numbers of frames of the trajectories that have no file in the mirror."""
FORMULAS = {
    "aspirin": "H C O",
    "azobenzene": "H C N",
    "benzene": "H C",
    "ethanol": "H C O",
    "malonaldehyde": "H C O",
    "naphthalene": "H C",
    "paracetamol": "H C N O",
    "salicylic": "H C O",
    "toluene": "H C",
    "uracil": "H C N O",
}
SPLITS = range(1, 6)
ARCHIVE = "rmd17.tar.bz2"


def revised(name: str) -> Source:
    """Return the source of rMD17 for one molecule.

    Parameters
    ----------
    name
        "rmd17-" and the molecule.
    """
    molecule = name.removeprefix("rmd17-")
    card = Card(
        name,
        f"revised MD17: {molecule}",
        licence="CC0",
        citation="Christensen & von Lilienfeld, Mach. Learn.: Sci. "
        "Technol. 1, 045018 (2020), arXiv:2007.09593",
        level="pbe/def2-svp",
        kind="total, electronic",
        molecules=9633 if molecule in SHA256 else 100000,
        elements=FORMULAS[molecule],
        splits="split1 … split5 (official, 1,000 train and 1,000 test frames each)",
        notes="the mirror holds the 9,633 frames of the official splits, "
        "the official archive all 100,000",
    )
    return Source(
        card,
        _mirror(molecule),
        lambda folder: read_mirror(folder, molecule, card, "", "pbe"),
        (Remote(ARCHIVE, "https://figshare.com/ndownloader/files/23950376"),),
        lambda folder: read_archive(folder, molecule, card),
    )


def original(name: str) -> Source:
    """Return the source of MD17 for one molecule.

    Parameters
    ----------
    name
        "md17-" and the molecule.
    """
    molecule = name.removeprefix("md17-")
    card = Card(
        name,
        f"MD17: {molecule}",
        licence="none stated by its authors; cite the paper",
        citation="Chmiela et al., Sci. Adv. 3, e1603015 (2017); "
        "Schütt et al., Nat. Commun. 8, 13890 (2017)",
        level="pbe+ts",
        kind="total, electronic",
        molecules=FRAMES.get(molecule, 9633),
        elements=FORMULAS[molecule],
        splits="split1 … split5 of rMD17 (mirror); random",
        notes="the mirror holds the 9,633 frames of rMD17's splits, "
        "the official file the whole trajectory",
    )
    file = OFFICIAL_NAMES.get(molecule, f"md17_{molecule}") + ".npz"
    return Source(
        card,
        _mirror(molecule),
        lambda folder: read_mirror(folder, molecule, card, "_md17", "pbe_ts"),
        (Remote(file, f"http://www.quantum-machine.org/gdml/data/npz/{file}"),),
        lambda folder: read_trajectory(folder / file, card),
    )


def _mirror(molecule: str) -> tuple[Remote, ...]:
    """The molecule's file in a mirror. Azobenzene and paracetamol have none there."""
    return (Remote(f"rmd17_{molecule}.npz", sha256=SHA256[molecule]),) if molecule in SHA256 else ()


def _frames(
    charges: np.ndarray,
    positions: np.ndarray,
    energies: np.ndarray,
    forces: np.ndarray,
    column: str,
    card: Card,
) -> Stored:
    """Frames of one molecule; energies in kcal/mol (total), forces in kcal/mol/Å."""
    count, size = positions.shape[:2]
    molecules = Molecules(
        torch.from_numpy(charges.astype(np.int64)).repeat(count),
        torch.from_numpy(positions.reshape(-1, 3).astype(np.float64)),
        torch.arange(count + 1) * size,
        name=np.char.add("frame ", np.arange(count).astype(str)),
    )
    columns = {
        column: Column(
            torch.from_numpy(energies.ravel().astype(np.float64)), level=card.level, kind="total"
        ),
        f"{column}_forces": Column(
            torch.from_numpy(forces.reshape(-1, 3).astype(np.float64)),
            "forces",
            card.level,
            unit="kcal/mol/Å",
        ),
    }
    return Stored(Dataset(molecules, columns), {}, card)


def read_mirror(folder: Path, molecule: str, card: Card, labels: str, column: str) -> Stored:
    """Read rmd17_NAME.npz of a mirror.

    Parameters
    ----------
    folder
        The folder that holds it.
    molecule
        The molecule's name.
    card
        The card of the set.
    labels
        "" reads the revised labels E and F, "_md17" the original ones.
    column
        The name of the column of energies.
    """
    with np.load(folder / f"rmd17_{molecule}.npz") as file:
        stored = _frames(file["Z"], file["R"], file[f"E{labels}"], file[f"F{labels}"], column, card)
        for k in SPLITS:
            rows = file[f"test_0{k}"], file[f"train_0{k}"]
            stored.splits[f"split{k}"] = label_split(len(stored.dataset), *rows)
    return stored


def read_archive(folder: Path, molecule: str, card: Card) -> Stored:
    """Read one molecule of rmd17.tar.bz2.

    Parameters
    ----------
    folder
        The folder that holds it.
    molecule
        The molecule's name.
    card
        The card of the set.
    """
    wanted = f"npz_data/rmd17_{molecule}.npz"
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(folder / ARCHIVE, "r|bz2") as tar:
            for member in tar:
                if member.name.endswith(wanted) or "/splits/index_" in member.name:
                    file = tar.extractfile(member)
                    if file is None:
                        raise DataError(f"{ARCHIVE}: {member.name} is no file; fetch it again")
                    contents[member.name.rsplit("/", 1)[-1]] = file.read()
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise DataError(
            f"{folder / ARCHIVE} is damaged ({in_short(problem)}); fetch it again"
        ) from None
    if f"rmd17_{molecule}.npz" not in contents:
        raise DataError(f"{ARCHIVE} holds no {wanted}")
    with np.load(io.BytesIO(contents[f"rmd17_{molecule}.npz"])) as data:
        stored = _frames(
            data["nuclear_charges"], data["coords"], data["energies"], data["forces"], "pbe", card
        )
    for k in SPLITS:
        train, test = (
            _rows(contents.get(f"index_{part}_0{k}.csv"), part, k) for part in ("train", "test")
        )
        if max(train.max(), test.max()) >= len(stored.dataset):
            raise DataError(
                f"{ARCHIVE}: split {k} names frame {max(train.max(), test.max())}, but {molecule} "
                f"has {len(stored.dataset)} frames"
            )
        stored.splits[f"split{k}"] = label_split(len(stored.dataset), test, train)
    return stored


def _rows(text: bytes | None, part: str, k: int) -> np.ndarray:
    if text is None:
        raise DataError(f"{ARCHIVE} holds no splits/index_{part}_0{k}.csv")
    return np.loadtxt(io.BytesIO(text), dtype=np.int64, ndmin=1)


def read_trajectory(path: Path, card: Card) -> Stored:
    """Read md17_NAME.npz.

    Parameters
    ----------
    path
        The file.
    card
        The card of the set.
    """
    try:
        with np.load(path) as file:
            return _frames(file["z"], file["R"], file["E"], file["F"], "pbe_ts", card)
    except (KeyError, ValueError, OSError, EOFError) as problem:
        raise DataError(
            f"{path} is not an MD17 file or is damaged ({in_short(problem)}); fetch it again"
        ) from None
