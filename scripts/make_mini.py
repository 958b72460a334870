"""Rebuild the embedded `mini` data set from nothing but a seed.

    python scripts/make_mini.py --work build/mini --workers 2

Four steps, each resumable (finished molecules are kept in WORK/*.jsonl, one line each, and never
done twice):

1. enumerate small molecules of H C N O F S by growing bond graphs atom by atom, and draw a sample;
2. one RDKit conformer each, relaxed with GFN2-xTB (tblite) to 0.01 eV/Å; a molecule whose bonds
change is dropped;
3. B3LYP/6-31G with density fitting (pyscf) on the relaxed geometry;
4. thermal-like displaced frames of a few molecules, with GFN2-xTB and B3LYP/6-31G energies and
forces.

Free atoms at both levels come last; everything is written to `src/onekcal/data/mini.npz`.
Needs: rdkit, ase, tblite, pyscf.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

SEED = 7
HEAVY = ("C", "N", "O", "F", "S")
VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1, "S": 2}
PER_SIZE = {1: 99, 2: 99, 3: 99, 4: 260, 5: 420, 6: 620}
# Molecules the valence rules above cannot grow, or that everyone looks for first.
WANTED = [
    "[H][H]",
    "[C-]#[O+]",
    "CS(C)=O",
    "C[N+](=O)[O-]",
    "O=S=O",
    "c1ccccc1",
    "C1CCCCC1",
    "c1ccsc1",
    "c1ccoc1",
    "c1ccncc1",
    "CCO",
    "CC(C)=O",
    "CC(=O)O",
    "CC#N",
    "NC=O",
    "NC(N)=O",
    "CNC=O",
    "FC(F)(F)F",
    "C1CC1",
    "C1CO1",
    "CSC",
    "CCS",
    "S=C=S",
    "O=C=O",
    "O=C=S",
    "C=CC=C",
    "CC(C)(C)C",
    "OCCO",
    "NCC(=O)O",
]
SPINS = {1: 1, 6: 2, 7: 3, 8: 2, 9: 1, 16: 2}  # unpaired electrons of the ground-state atoms
BOHR = 0.529177210903  # Å
FRAME_SOURCES, FRAMES_EACH = 24, 15


# --- 1. enumeration ---------------------------------------------------------------------------


def neighbours(smiles: str) -> Iterable[str]:
    """Every molecule one heavy atom or one ring bond larger."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    free = [atom.GetTotalNumHs() for atom in mol.GetAtoms()]
    bonds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for i, room in enumerate(free):
        for element in HEAVY:
            for order in range(1, min(room, VALENCE[element], 3) + 1):
                grown = Chem.RWMol(mol)
                grown.AddBond(i, grown.AddAtom(Chem.Atom(element)), bonds[order])
                yield from canonical(grown)
        for j in range(i + 2, len(free)):
            if mol.GetBondBetweenAtoms(i, j) is None:
                for order in range(1, min(room, free[j], 2) + 1):
                    closed = Chem.RWMol(mol)
                    closed.AddBond(i, j, bonds[order])
                    yield from canonical(closed)


def canonical(mol) -> Iterable[str]:
    from rdkit import Chem

    try:
        Chem.SanitizeMol(mol)
    except (Chem.AtomValenceException, Chem.KekulizeException):
        return
    if plausible(mol):
        yield Chem.MolToSmiles(mol)


def plausible(mol) -> bool:
    """Keep what could stand in a bottle: few bonds between hetero atoms, no strained multiple
    bonds.
    """
    hetero = 0
    for bond in mol.GetBonds():
        pair = {bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()}
        if "C" not in pair:
            hetero += 1
            if pair not in ({"N"}, {"N", "O"}):
                return False
    rings = mol.GetRingInfo().AtomRings()
    if hetero > 1 or len(rings) > 2 or sum(a.GetSymbol() == "F" for a in mol.GetAtoms()) > 4:
        return False
    for ring in rings:
        inside = [
            b for b in mol.GetBonds() if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} <= set(ring)
        ]
        orders = [b.GetBondTypeAsDouble() for b in inside]
        if (
            max(orders) > 2
            or (len(ring) == 3 and max(orders) > 1)
            or (len(ring) == 4 and orders.count(2) > 1)
        ):
            return False
        if any(a.GetHybridization().name == "SP" for a in mol.GetAtoms() if a.GetIdx() in ring):
            return False
    return not any(a.GetSymbol() == "S" and a.GetTotalValence() > 2 for a in mol.GetAtoms())


def enumerate_smiles() -> list[str]:
    from rdkit import Chem

    rng = np.random.default_rng(SEED)
    layers: dict[int, set[str]] = {size: set() for size in PER_SIZE}
    layers[1] = {Chem.CanonSmiles(s) for s in HEAVY}
    for size in range(1, 7):
        frontier = list(layers[size])
        if size == 5:  # 6-atom molecules grow from a part of the 5-atom ones
            frontier = sorted(frontier)
            frontier = [
                frontier[i]
                for i in rng.choice(len(frontier), min(900, len(frontier)), replace=False)
            ]
        while frontier:
            for child in neighbours(frontier.pop()):
                count = Chem.MolFromSmiles(child).GetNumAtoms()
                if count in layers and child not in layers[count]:
                    layers[count].add(child)
                    if count == size:
                        frontier.append(child)
    chosen = [Chem.CanonSmiles(s) for s in WANTED]
    for size, quota in PER_SIZE.items():
        pool = sorted(layers[size])
        picks = rng.choice(len(pool), min(quota, len(pool)), replace=False)
        print(f"{len(pool):6d} molecules of {size} heavy atoms, {len(picks)} drawn")
        chosen += [pool[i] for i in picks]
    return list(dict.fromkeys(chosen))


# --- 2.-4. labels -----------------------------------------------------------------------------


def gfn2(numbers: list[int], positions: np.ndarray, unpaired: int = 0) -> tuple[float, np.ndarray]:
    """GFN2-xTB energy (Hartree) and forces (Hartree/Bohr)."""
    from tblite.interface import Calculator

    calculator = Calculator(
        "GFN2-xTB", np.array(numbers), np.asarray(positions) / BOHR, uhf=unpaired
    )
    calculator.set("verbosity", 0)
    result = calculator.singlepoint()
    return float(result.get("energy")), -np.asarray(result.get("gradient"))


def b3lyp(numbers: list[int], positions: np.ndarray, unpaired: int = 0, forces: bool = False):
    """B3LYP/6-31G energy (Hartree) and forces (Hartree/Bohr), density fitting with
    def2-universal-jkfit.
    """
    from pyscf import dft, gto, lib

    lib.num_threads(1)
    molecule = gto.M(
        atom=list(zip(numbers, np.asarray(positions).tolist())),
        basis="6-31g",
        spin=unpaired,
        verbose=0,
    )
    method = (dft.UKS if unpaired else dft.RKS)(molecule, xc="b3lyp").density_fit(
        auxbasis="def2-universal-jkfit"
    )
    energy = method.kernel()
    if not method.converged:
        method = method.newton()
        energy = method.kernel()
    if not method.converged:
        raise RuntimeError("SCF did not converge")
    return float(energy), -method.nuc_grad_method().kernel() if forces else None


def relax(smiles: str) -> dict:
    from ase import Atoms
    from ase.optimize import BFGS
    from rdkit import Chem
    from rdkit.Chem import AllChem
    from tblite.ase import TBLite

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(mol, randomSeed=SEED) != 0:
        raise RuntimeError("no conformer")
    if AllChem.MMFFHasAllMoleculeParams(mol):
        AllChem.MMFFOptimizeMolecule(mol)
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    atoms = Atoms(
        numbers,
        mol.GetConformer().GetPositions(),
        calculator=TBLite(method="GFN2-xTB", verbosity=0),
    )
    search = BFGS(atoms, logfile=None)
    if not search.run(fmax=0.01, steps=500):
        raise RuntimeError("relaxation did not converge")
    positions = atoms.get_positions() - atoms.get_positions().mean(0)
    wanted = {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in mol.GetBonds()}
    if bonded(numbers, positions) != wanted:
        raise RuntimeError("bonds changed on relaxation")
    energy, _ = gfn2(numbers, positions)
    return {"numbers": numbers, "positions": positions.tolist(), "gfn2": energy}


def bonded(numbers: list[int], positions: np.ndarray) -> set[frozenset[int]]:
    from ase.data import covalent_radii

    radii = covalent_radii[numbers]
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    heavy = np.array(numbers) > 1
    reach = np.where(
        heavy[:, None] & heavy[None], 1.25, 1.3
    )  # a four-ring's diagonal is 1.4 times a bond, H2 1.26
    i, j = np.nonzero(apart < reach * (radii[:, None] + radii[None]))
    return {frozenset(pair) for pair in zip(i.tolist(), j.tolist()) if pair[0] < pair[1]}


def label(record: dict) -> dict:
    energy, _ = b3lyp(record["numbers"], np.array(record["positions"]))
    return {"b3lyp": energy}


def frames(record: dict) -> dict:
    """Correlated displacements: Gaussian noise smoothed along the bonds, 0.05 to 0.12 Å per
    coordinate.
    """
    digest = hashlib.sha256(record["smiles"].encode()).digest()
    rng = np.random.default_rng([SEED, int.from_bytes(digest[:8], "big")])
    numbers, start = record["numbers"], np.array(record["positions"])
    near = np.exp(-(np.linalg.norm(start[:, None] - start[None], axis=-1) ** 2) / 2.0)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    out: dict = {"positions": [], "gfn2": [], "gfn2_forces": [], "b3lyp": [], "b3lyp_forces": []}
    for _ in range(FRAMES_EACH):
        moved = start + near @ rng.normal(0, rng.uniform(0.05, 0.12), start.shape)
        low, low_forces = gfn2(numbers, moved)
        high, high_forces = b3lyp(numbers, moved, forces=True)
        out["positions"].append(moved.tolist())
        out["gfn2"].append(low)
        out["gfn2_forces"].append(low_forces.tolist())
        out["b3lyp"].append(high)
        out["b3lyp_forces"].append(high_forces.tolist())
    return out


def resumable(
    title: str, file: Path, work: Callable[[object], dict], jobs: dict[str, object], workers: int
) -> dict:
    """Map `work` over `jobs`, one JSON line per finished key; what stands in the file is not done
    again.
    """
    done: dict[str, dict] = {}
    if file.exists():
        for line in file.read_text().splitlines():
            try:
                done.update([(lambda row: (row.pop("key"), row))(json.loads(line))])
            except json.JSONDecodeError:
                continue  # the line being written when a run was killed
    left = [key for key in jobs if key not in done]
    print(f"{title}: {len(done)} done, {len(left)} to do", flush=True)
    with ProcessPoolExecutor(workers) as pool, file.open("a") as out:
        futures = {pool.submit(work, jobs[key]): key for key in left}
        for count, future in enumerate(as_completed(futures), 1):
            key = futures[future]
            try:
                row = future.result()
            except Exception as problem:  # one molecule may fail; it is reported and left out
                row = {"failed": str(problem)}
                print(f"  {key}: {problem}", flush=True)
            out.write(json.dumps({"key": key, **row}) + "\n")
            out.flush()
            done[key] = row
            if count % 50 == 0:
                print(f"  {title}: {count} of {len(left)}", flush=True)
    return {key: done[key] for key in jobs if "failed" not in done[key]}


# --- the file ---------------------------------------------------------------------------------


def pack(records: list[dict], moving: dict[str, dict]) -> dict[str, np.ndarray]:
    """Ragged arrays: molecules first, then frames; `frame_of` is −1 for a molecule, else
    its row.
    """
    rows = [
        (r["numbers"], r["positions"], r["gfn2"], r["b3lyp"], None, None, -1, r["smiles"])
        for r in records
    ]
    where = {r["smiles"]: row for row, r in enumerate(records)}
    for smiles, f in moving.items():
        for k in range(len(f["gfn2"])):
            rows.append(
                (
                    records[where[smiles]]["numbers"],
                    f["positions"][k],
                    f["gfn2"][k],
                    f["b3lyp"][k],
                    f["gfn2_forces"][k],
                    f["b3lyp_forces"][k],
                    where[smiles],
                    smiles,
                )
            )
    sizes = [len(row[0]) for row in rows]
    moved = [row for row in rows if row[4] is not None]
    atoms = sorted(SPINS)
    return {
        "Z": np.concatenate([row[0] for row in rows]).astype(np.uint8),
        "R": np.round(np.concatenate([row[1] for row in rows]), 6).astype(np.float32),
        "offsets": np.cumsum([0, *sizes]).astype(np.int32),
        "E_gfn2": np.array([row[2] for row in rows]),
        "E_b3lyp": np.array([row[3] for row in rows]),
        "F_gfn2": np.concatenate([row[4] for row in moved]).astype(np.float32),
        "F_b3lyp": np.concatenate([row[5] for row in moved]).astype(np.float32),
        "frame_of": np.array([row[6] for row in rows], np.int32),
        "smiles": np.array([row[7] for row in rows]),
        "atom_Z": np.array(atoms),
        "atom_gfn2": np.array([gfn2([z], np.zeros((1, 3)), SPINS[z])[0] for z in atoms]),
        "atom_b3lyp": np.array([b3lyp([z], np.zeros((1, 3)), SPINS[z])[0] for z in atoms]),
        "doc": np.array(
            "R in Å; E in Hartree (total, no zero-point energy); F in Hartree/Bohr, frames only, "
            "in row order; gfn2 = GFN2-xTB (tblite), b3lyp = B3LYP/6-31G with density fitting "
            "(pyscf)"
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("build/mini"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--count", type=int, default=1060, help="label the first COUNT molecules of the drawn list"
    )
    parser.add_argument("--out", type=Path, default=Path("src/onekcal/data/mini.npz"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    listing = args.work / "smiles.json"
    if not listing.exists():
        listing.write_text(json.dumps(enumerate_smiles()))
    names = json.loads(listing.read_text())[: args.count]
    print(len(names), "molecules", flush=True)

    relaxed = resumable(
        "relax", args.work / "relax.jsonl", relax, {s: s for s in names}, args.workers
    )
    records = {s: {"smiles": s, **row} for s, row in relaxed.items()}
    sources = [s for s in records if 3 <= len(records[s]["numbers"]) <= 12][:FRAME_SOURCES]
    moving = resumable(
        "frames", args.work / "frames.jsonl", frames, {s: records[s] for s in sources}, args.workers
    )
    high = resumable("b3lyp", args.work / "b3lyp.jsonl", label, records, args.workers)

    arrays = pack(
        [{**records[s], **high[s]} for s in high], {s: f for s, f in moving.items() if s in high}
    )
    np.savez_compressed(args.out, **arrays)
    print(
        f"{args.out}: {len(high)} molecules, {(arrays['frame_of'] >= 0).sum()} frames, "
        f"{args.out.stat().st_size / 1e6:.2f} MB",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
