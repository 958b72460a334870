r"""Build thermo.npz: G4(MP2) energies of species that QM9 does not hold, brought to one zero.

    python scripts/thermo_set.py DATA OUT/thermo.npz [--computed FOLDER]

DATA holds g305.npz, ppe_dev.npz, rmg_g4.npz, rmg_reference.npz, qm9.npz and qm9_g4mp2_labels.npz.
With `--computed`, the species of that folder (as ONEKCAL_HOME/computed keeps them) are added to
those that ship. `onekcal data get thermo` reads the file from a mirror, and

    onekcal label thermo thermo-relaxed.h5 --relax --keep g4mp2

relaxes it with GFN2-xTB.

Every source s has a zero of its own, a number of kcal/mol an atom of element z:

    E_s(m) − E_t(m) = Σ_z n_z(m) (c_sz − c_tz)

for a molecule m that the sources s and t hold. Our own G4(MP2) and QM9-G4MP2 have c = 0. The G4 of
rmg_reference.npz stands between them and that of rmg_g4.npz; it gives no rows. The others
are found by least squares over all pairs at once, without pairs that are off by `FAR`: those are
another conformer, or an error. Species with an element whose zero fewer than `LEAST` pairs fix
are left out.

One species an identity: computed here first, then G3/05, PPE1694, and the G4 of the Reaction
Mechanism Generator. What QM9-G4MP2 holds is left out, for it has a label there. Species of
rmg_reference.npz are left out of its G4. Elements that fewer than `FEWEST` species hold are left
out: they are too few to learn from. The split `identity` deals identities into train, valid
and test, 8 : 1 : 1.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onekcal.bench.computed import results as checked
from onekcal.bench.computed.cases import Arrays, archive, molecule_at
from onekcal.bench.experiments import folds
from onekcal.data.splits import TEST, TRAIN, VALID
from onekcal.datasets.sets.thermo import SOURCES
from onekcal.energies import free_atoms
from onekcal.geometry.identity import identity
from onekcal.geometry.inertia import MASSES, shape_of
from onekcal.labels.computed import Shelf, shipped
from onekcal.labels.g4mp2 import Computed
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.thermo.free_energies import electronic_enthalpy
from onekcal.thermo.frequencies import thermal_enthalpy
from onekcal.thermo.ledger import ATOM_FORMATION, ELEMENT_HEAT
from onekcal.units import HARTREE

FAR = 1.0
"""kcal/mol beside the fitted zeros; such a pair is no pair."""
LEAST = 3
"""Pairs with an element that fix its zero."""
FEWEST = 10
"""Species that hold an element."""
OWN, BETWEEN = "computed", "reference"
ATOMS = free_atoms("g4mp2")


@dataclass(frozen=True)
class Entry:
    """One energy of one species.

    Parameters
    ----------
    source
        One of `SOURCES`, or `BETWEEN`.
    row
        Its number there.
    molecule
        At the geometry of the source, Å.
    energy
        kcal/mol relative to free atoms at 0 K, with the zero of the source.
    heat
        H(298 K) − H(0), kcal/mol.
    """

    source: str
    row: int
    molecule: Molecules
    energy: float
    heat: float


Species = dict[str, list[Entry]]


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("data", type=Path)
    ask.add_argument("out", type=Path)
    ask.add_argument("--computed", type=Path, help="a folder of computed species")
    ask.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    asked = ask.parse_args()
    species = gathered(asked.data, asked.computed)
    qm9 = in_qm9(asked.data, species)
    zeros = fitted_zeros([*differences(species, qm9), *checks(asked.data, asked.results)])
    kept = often(chosen(species, set(qm9), zeros))
    write(asked.out, kept, zeros)


def gathered(data: Path, computed: Path | None) -> Species:
    """Identity → its energies, of neutral species of two atoms or more."""
    reference, species = dict(between(data)), Species()
    every = (
        *own(computed),
        *pople(data, "g305", "g305.npz"),
        *pople(data, "ppe", "ppe_dev.npz"),
        *rmg(data),
    )
    for entry in every:
        one = entry.molecule
        if len(one.numbers) < 2 or int(one.charges[0]) or set(one.elements) - set(ATOMS.hartree):
            continue
        key = identity(one)
        species.setdefault(key, []).append(entry)
    for key in species.keys() & reference.keys():
        row, molecule, formation = reference[key]
        heat = species[key][0].heat
        energy = formation - heat - atoms_alone(molecule)
        species[key].append(Entry(BETWEEN, row, molecule, energy, heat))
    return species


def between(data: Path) -> Iterator[tuple[str, tuple[int, Molecules, float]]]:
    """Identity, row, molecule and ΔfH(298 K) of G4 in rmg_reference.npz."""
    file = archive(data, "rmg_reference.npz")
    for row, formation in enumerate(file["dfH298_g4"].tolist()):
        molecule = molecule_at(file, row)
        if math.isfinite(formation) and not set(molecule.elements) - set(ATOM_FORMATION):
            yield identity(molecule), (row, molecule, formation)


def atoms_alone(molecule: Molecules) -> float:
    """ΔfH(0 K) of the free atoms less the heat of the elements, kcal/mol."""
    return sum(ATOM_FORMATION[z] - ELEMENT_HEAT[z] for z in molecule.numbers.tolist())


def own(folder: Path | None) -> Iterator[Entry]:
    """What ships, and what lies in a folder."""
    done = [Computed.from_dict(record) for record in shipped().values()]
    done += [] if folder is None else list(Shelf(folder, Computed))
    for row, one in enumerate(done):
        if one.method == "g4mp2" and not set(one.molecule.elements) - set(ATOMS.hartree):
            yield Entry(OWN, row, one.molecule, one.energy, one.heat)


def pople(data: Path, source: str, name: str) -> Iterator[Entry]:
    """G3/05 or PPE1694: totals at 0 K."""
    file = archive(data, name)
    heats = ((file["HT_Ha"] - file["U0_Ha"]) * HARTREE).tolist()
    for row, total in enumerate((file["U0_Ha"] * HARTREE).tolist()):
        molecule = molecule_at(file, row)
        if not set(molecule.elements) - set(ATOMS.hartree):
            bound = total - float(ATOMS.energies(molecule)[0])
            yield Entry(source, row, molecule, bound, heats[row])


def rmg(data: Path) -> Iterator[Entry]:
    """G4's ΔfH(298 K), from which heat and atoms are taken off."""
    file = archive(data, "rmg_g4.npz")
    waves = file["frequency_offsets"]
    for row, formation in enumerate(file["dfH298"].tolist()):
        molecule = molecule_at(file, row)
        own_waves = file["frequencies"][waves[row] : waves[row + 1]].astype(float)
        masses = np.array([MASSES[int(z)] for z in molecule.numbers])
        kind = shape_of(masses, molecule.positions.numpy())
        heat = thermal_enthalpy(own_waves[own_waves > 0], kind).total
        heat += electronic_enthalpy(molecule)
        yield Entry("rmg", row, molecule, formation - heat - atoms_alone(molecule), heat)


def in_qm9(data: Path, species: Species) -> dict[str, list[float]]:
    """Identity → labels (kcal/mol) of the species that QM9-G4MP2 holds."""
    wanted = {formula(entries[0].molecule.numbers.numpy()) for entries in species.values()}
    file, labels = archive(data, "qm9.npz"), archive(data, "qm9_g4mp2_labels.npz")
    found: dict[str, list[float]] = {}
    for row, energy in zip(labels["qm9_row"].tolist(), labels["AE_g4mp2"].tolist()):
        numbers = file["Z"][file["offsets"][row] : file["offsets"][row + 1]]
        if formula(numbers) in wanted:
            key = identity(molecule_at(file, row))
            if key in species:
                found.setdefault(key, []).append(energy)
    return found


def formula(numbers: np.ndarray) -> tuple[int, ...]:
    """The nuclear charges, sorted."""
    return tuple(sorted(numbers.tolist()))


Difference = tuple[str, str, Molecules, float]
"""Two sources, the molecule, and the energy of the first less that of the second, kcal/mol."""


def differences(species: Species, qm9: dict[str, list[float]]) -> Iterator[Difference]:
    """The smallest difference of every two sources that hold a species."""
    for key, entries in species.items():
        values: dict[str, list[float]] = {}
        for entry in entries:
            values.setdefault(entry.source, []).append(entry.energy)
        if key in qm9:
            values.setdefault(OWN, []).extend(qm9[key])
        names = sorted(values)
        for k, first in enumerate(names):
            for second in names[k + 1 :]:
                apart = [a - b for a in values[first] for b in values[second]]
                yield first, second, entries[0].molecule, min(apart, key=abs)


def checks(data: Path, results: Path) -> Iterator[Difference]:
    """Ours minus published of the species that were computed at published geometries."""
    known = checked.known(results)
    for source, name, file in (("g305", "g305", "g305.npz"), ("ppe", "ppe", "ppe_dev.npz")):
        arrays: Arrays = archive(data, file)
        for record in known.get(name, []):  # type: ignore[call-overload]
            if "difference" in record:
                yield OWN, source, molecule_at(arrays, record["row"]), record["difference"]


def fitted_zeros(pairs: list[Difference]) -> dict[tuple[str, int], float]:
    """(source, nuclear charge) → kcal/mol an atom; those that some pair fixes."""
    pairs = [pair for pair in pairs if not int(pair[2].charges[0])]
    keys = sorted({(s, z) for a, b, m, _ in pairs for s in (a, b) if s != OWN for z in m.elements})
    table = np.zeros((len(pairs), len(keys)))
    for row, (first, second, molecule, _) in enumerate(pairs):
        for z in molecule.numbers.tolist():
            for source, sign in ((first, 1.0), (second, -1.0)):
                if source != OWN:
                    table[row, keys.index((source, z))] += sign
    target = np.array([apart for *_, apart in pairs])
    use = np.abs(target) < 20.0
    for _ in range(10):
        zeros = np.linalg.lstsq(table[use], target[use], rcond=1e-8)[0]
        left = target - table @ zeros
        use = np.abs(left) < max(FAR, float(3.0 * np.median(np.abs(left))))
    free = np.linalg.svd(table[use])[2][np.linalg.matrix_rank(table[use], tol=1e-6) :]
    fixed = (np.abs(free) < 1e-6).all(0)
    counts = (table[use] != 0).sum(0)
    fixed &= counts >= LEAST
    for k, (source, z) in enumerate(keys):
        value = f"{zeros[k]:+.3f}" if fixed[k] else "not fixed"
        print(f"zero of {source:5s} {SYMBOLS[z]:2s} {value}  ({counts[k]} pairs)")
    print(f"{int(use.sum())} of {len(pairs)} pairs, {left[use].std():.3f} kcal/mol are left")
    for sources in sorted({pair[:2] for pair in pairs}):
        own_left = left[[pair[:2] == sources for pair in pairs]]
        robust = 1.4826 * float(np.median(np.abs(own_left)))
        print(f"{' and '.join(sources)}: {len(own_left)} pairs, deviation {robust:.3f} kcal/mol")
    return {key: float(zeros[k]) for k, key in enumerate(keys) if fixed[k]}


def chosen(
    species: Species, qm9: set[str], zeros: dict[tuple[str, int], float]
) -> dict[str, Entry]:
    """Identity → the energy that counts, with the zero of our own G4(MP2)."""
    kept: dict[str, Entry] = {}
    for key, entries in species.items():
        if key in qm9:
            continue
        sources = {entry.source for entry in entries}
        barred = {BETWEEN, "rmg"} if BETWEEN in sources else {BETWEEN}
        some = [entry for entry in entries if entry.source not in barred]
        for entry in sorted(some, key=lambda one: SOURCES.index(one.source)):
            numbers = entry.molecule.numbers.tolist()
            if entry.source != OWN and any((entry.source, z) not in zeros for z in numbers):
                continue
            above = sum(zeros.get((entry.source, z), 0.0) for z in numbers)
            kept[key] = replace(entry, energy=entry.energy - above)
            break
    return kept


def often(kept: dict[str, Entry]) -> dict[str, Entry]:
    """Leave out species with an element that too few hold."""
    while True:
        counts = Counter(z for entry in kept.values() for z in entry.molecule.elements)
        rare = {z for z, count in counts.items() if count < FEWEST}
        if not rare:
            return kept
        kept = {k: entry for k, entry in kept.items() if not rare & set(entry.molecule.elements)}


def write(out: Path, kept: dict[str, Entry], zeros: dict[tuple[str, int], float]) -> None:
    """Write the archive."""
    dealt = folds(kept, 10)
    parts = {8: VALID, 9: TEST}
    entries = [kept[key] for key in sorted(kept)]
    whole = Molecules.concatenate([entry.molecule for entry in entries])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        offsets=whole.offsets.numpy(),
        Z=whole.numbers.numpy().astype(np.uint8),
        R=whole.positions.numpy().astype(np.float32),
        unpaired=whole.spins.numpy().astype(np.uint8),
        AE_g4mp2=np.array([entry.energy for entry in entries]),
        source=np.array([SOURCES.index(entry.source) for entry in entries], dtype=np.uint8),
        row=np.array([entry.row for entry in entries], dtype=np.int32),
        split=np.array([parts.get(dealt[key], TRAIN) for key in sorted(kept)], dtype=np.uint8),
        zeros=json.dumps({f"{s} {SYMBOLS[z]}": round(v, 4) for (s, z), v in zeros.items()}),
    )
    for name in SOURCES:
        print(f"{name}: {sum(entry.source == name for entry in entries)} species")


if __name__ == "__main__":
    main()
