"""A molecule as plain values: what the records of everything computed share."""

from __future__ import annotations

from onekcal.molecules import Molecules


def molecule_record(molecule: Molecules, smiles: str, name: str) -> dict[str, object]:
    """Return one molecule as plain values, for JSON.

    Parameters
    ----------
    molecule
        One molecule (Å).
    smiles, name
        Empty where they are not known.
    """
    return {
        "name": name,
        "smiles": smiles,
        "numbers": molecule.numbers.tolist(),
        "positions": [[round(x, 6) for x in row] for row in molecule.positions.tolist()],
        "charge": int(molecule.charges[0]),
        "spin": int(molecule.spins[0]),
    }


def molecule_of(record: dict) -> Molecules:
    """Return the molecule (Å) that `molecule_record` wrote.

    Parameters
    ----------
    record
        It may hold more.
    """
    name = record["name"] or record["smiles"]
    return Molecules.one(
        record["numbers"], record["positions"], record["charge"], record["spin"], name
    )
