"""Measure which route to ΔfH(298 K) is nearer to experiment: results/routes.json.

    python scripts/routes.py FOLDER [--results results]

FOLDER holds rmg_reference.npz (experiments and G4), qm9.npz and qm9_g4mp2_labels.npz. Three kinds
of energies are tried on the same experiments: G4 as RMG-database lists it, for molecules and
partners alike; published G4(MP2) of QM9-G4MP2 without Ward's hold-out; and the learned model from
SMILES. The last two take the partners that `predict --route both` takes. A molecule that is a
partner of itself has no second route, and is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.errors import OnekcalError
from onekcal.geometry.species import Species, species
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question
from onekcal.prediction.routes import isodesmic
from onekcal.prediction.separation import separations
from onekcal.system.provenance import provenance
from onekcal.thermo.ledger import ATOM_FORMATION, ledger

HOLD_OUT = 2
ORGANIC = {1, 6, 7, 8, 9}


class Known(NamedTuple):
    """A neutral species of the reference set; kcal/mol at 298.15 K."""

    state: Species
    experiment: float
    g4: float


class Routes(NamedTuple):
    """The errors of both routes for one molecule, kcal/mol."""

    smiles: str
    rung: int
    atomization: float
    isodesmic: float
    half: float = float("nan")


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("folder", type=Path)
    ask.add_argument("--results", type=Path, default=Path("results"))
    asked = ask.parse_args()
    started = time.perf_counter()
    known = reference(asked.folder)
    artefact = load_model("g4mp2")
    sets = {
        "G4": list(by_g4(known)),
        "G4(MP2), published": list(by_labels(asked.folder, known, artefact)),
        "learned": list(by_model(known, artefact)),
    }
    made = {key: value for key, value in provenance().items() if key != "python"}
    rows: list[Measured] = []
    for method, found in sets.items():
        for name, some in classes(found, known):
            rows.append(
                {
                    "name": f"{method}, {name}",
                    "ours": {key: float(f"{value:.4g}") for key, value in measured(some).items()},
                    "paper": {},
                    "test": len(some),
                    "seconds": round(time.perf_counter() - started, 1),
                    **made,  # type: ignore[typeddict-item]
                }
            )
            print(rows[-1]["name"], rows[-1]["ours"])
    write(
        asked.results / "routes.json",
        {
            "suite": "routes",
            "title": "ΔfH(298 K) against experiment by two routes",
            "cite": "experiments: RMG-database's reference set (ATcT, CCCBDB, CATCH)",
            "unit": "kcal/mol",
            "rows": rows,
            "molecules": [
                {
                    "method": method,
                    **{
                        k: round(v, 3) if isinstance(v, float) else v
                        for k, v in one._asdict().items()
                        if v == v
                    },
                }
                for method, found in sets.items()
                for one in found
            ],
        },
    )


def reference(folder: Path) -> dict[str, Known]:
    """The neutral species by canonical SMILES."""
    found = {}
    with np.load(folder / "rmg_reference.npz") as file:
        fields = ("smiles", "charge", "unpaired", "expt", "dfH298_g4")
        for smiles, charge, unpaired, experiment, g4 in zip(*(file[f].tolist() for f in fields)):
            try:
                state = species(smiles)
            except OnekcalError:
                continue
            elements = {atom.GetAtomicNum() for atom in state.mol.GetAtoms()}
            if not charge and state.spin == unpaired and elements <= set(ATOM_FORMATION):
                found[state.smiles] = Known(state, experiment, g4)
    return found


def by_g4(known: dict[str, Known]) -> Iterator[Routes]:
    """Both rungs of the hierarchy with the energies of the reference set."""
    errors = {smiles: one.g4 - one.experiment for smiles, one in known.items()}
    for smiles in known:
        try:
            every = separations(smiles)
        except OnekcalError:
            continue
        for one in every:
            if set(one.partners) <= set(known):
                left = errors[smiles] - sum(n * errors[key] for key, n in one.partners.items())
                yield Routes(smiles, one.rung, errors[smiles], left)


def by_labels(folder: Path, known: dict[str, Known], artefact: Artefact) -> Iterator[Routes]:
    """The published energies of those that QM9-G4MP2 holds."""
    with np.load(folder / "qm9.npz") as file:
        offsets, numbers, positions = file["offsets"], file["Z"], file["R"]
    with np.load(folder / "qm9_g4mp2_labels.npz") as file:
        table = {name: file[name] for name in ("smiles", "qm9_row", "AE_g4mp2", "split")}
    formulas = {"".join(sorted(filter(str.isalpha, smiles.upper()))) for smiles in known}
    seen = set()
    for k in np.flatnonzero(table["split"] != HOLD_OUT):
        text = table["smiles"][k].decode()
        if "".join(sorted(filter(str.isalpha, text.upper()))) not in formulas:
            continue  # most molecules are in no list of experiments
        smiles = species(text).smiles
        if smiles not in known or smiles in seen:
            continue
        seen.add(smiles)
        row = slice(*offsets[table["qm9_row"][k] :][:2])
        molecule = Molecules.one(numbers[row], positions[row])
        lines = ledger(molecule, float(table["AE_g4mp2"][k]), "g4mp2", thermal="gfn2")
        yield from both(
            Answer(smiles, smiles=smiles, level="g4mp2", half=0.0, molecule=molecule,
                   ledger=lines, rung="g4mp2", geometry="b3lyp"),
            known[smiles].experiment,
            artefact,
        )  # fmt: skip


def by_model(known: dict[str, Known], artefact: Artefact) -> Iterator[Routes]:
    """The learned answers from SMILES."""
    for smiles, one in known.items():
        if one.state.spin == 0:
            plain = Options(rung="learned", route="atomization")
            found = answer(Question(smiles, smiles=smiles), artefact, plain, may_compute=False)
            if not found.problem and len(one.state.mol.GetAtoms()) > 1:
                yield from both(found, one.experiment, artefact)


def both(found: Answer, experiment: float, artefact: Artefact) -> Iterator[Routes]:
    """The errors of an answer, where it has a second route."""
    plain = Options(rung="learned", route="atomization")
    assert found.ledger is not None
    try:
        second = isodesmic(
            found,
            artefact,
            lambda text: answer(Question(text, smiles=text), artefact, plain, may_compute=False),
        )
    except OnekcalError:
        return
    first = found.ledger.formation_298
    yield Routes(
        found.smiles,
        second.separation.rung,
        first - experiment,
        second.formation - experiment,
        second.half,
    )


def classes(found: list[Routes], known: dict[str, Known]) -> Iterator[tuple[str, list[Routes]]]:
    """Closed shells of H C N O F, those with other elements, and radicals, by rung."""
    for kind in ("closed shells of H C N O F", "closed shells with S Cl", "radicals"):
        for rung in (1, 2):
            some = [one for one in found if one.rung == rung and kind_of(known[one.smiles]) == kind]
            if len(some) > 4:
                yield f"{kind}: {len(some)} by {('bond', 'neighbour')[rung - 1]} separation", some


def kind_of(one: Known) -> str:
    """The class of a species."""
    if one.state.spin:
        return "radicals"
    elements = {atom.GetAtomicNum() for atom in one.state.mol.GetAtoms()}
    return f"closed shells {'of H C N O F' if elements <= ORGANIC else 'with S Cl'}"


def measured(some: list[Routes]) -> dict[str, float]:
    """Mean absolute errors, the 90 % quantiles, and how often the interval holds."""
    first, second = (
        np.abs([getattr(one, name) for one in some]) for name in ("atomization", "isodesmic")
    )
    out = {
        "count": float(len(some)),
        "mae": float(first.mean()),
        "ninety": float(np.quantile(first, 0.9)),
        "mae_isodesmic": float(second.mean()),
        "ninety_isodesmic": float(np.quantile(second, 0.9)),
    }
    half = np.array([one.half for one in some])
    if np.isfinite(half).all():
        out |= {"interval": float(half.mean()), "coverage": float((second <= half).mean())}
    return out


if __name__ == "__main__":
    main()
