"""Wavefunction files: what is written is read back, conventions are checked, what is damaged or
unknown is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import read_orbitals
from onekcal.units import BOHR

HYDROXYL = Molecules.one(["O", "H"], [[0.0, 0, 0], [0.3, 0.4, 0.8]], spin=1)
MOLDEN_H2 = """[Molden Format]
[Atoms] (AU)
H 1 1 0.0 0.0 0.0
H 2 1 0.0 0.0 1.4
[GTO]
1 0
s 3 1.00
3.42525091 0.15432897
0.62391373 0.53532814
0.16885540 0.44463454

2 0
s 3 1.00
3.42525091 0.15432897
0.62391373 0.53532814
0.16885540 0.44463454

[MO]
Sym= A1g
Ene= -0.578
Spin= Alpha
Occup= 2.0
1 0.548934
2 0.548934
"""
"""H₂ in STO-3G at 1.4 Bohr: the coefficients are 1/√(2(1 + S)) with S = 0.6593 (Szabo and Ostlund,
section 3.5).
"""

FCHK_LIH = """\
LiH
SP        RHF                                                         STO-3G
Number of atoms                            I                   2
Charge                                     I                   0
Multiplicity                               I                   1
Number of electrons                        I                   4
Number of alpha electrons                  I                   2
Number of beta electrons                   I                   2
Number of basis functions                  I                   6
Atomic numbers                             I   N=           2
           3           1
Nuclear charges                            R   N=           2
  3.00000000E+00  1.00000000E+00
Current cartesian coordinates              R   N=           6
  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00
  3.02356180E+00
Shell types                                I   N=           3
           0          -1           0
Number of primitives per shell             I   N=           3
           3           3           3
Shell to atom map                          I   N=           3
           1           1           2
Primitive exponents                        R   N=           9
  1.61195750E+01  2.93620070E+00  7.94650500E-01  6.36289700E-01  1.47860100E-01
  4.80887000E-02  3.42525091E+00  6.23913730E-01  1.68855400E-01
Contraction coefficients                   R   N=           9
  1.54328970E-01  5.35328140E-01  4.44634540E-01 -9.99672300E-02  3.99512830E-01
  7.00115470E-01  1.54328970E-01  5.35328140E-01  4.44634540E-01
P(S=P) Contraction coefficients            R   N=           9
  0.00000000E+00  0.00000000E+00  0.00000000E+00  1.55916270E-01  6.07683720E-01
  3.91957390E-01  0.00000000E+00  0.00000000E+00  0.00000000E+00
Coordinates of each shell                  R   N=           9
  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00
  0.00000000E+00  0.00000000E+00  0.00000000E+00  3.02356180E+00
Alpha MO coefficients                      R   N=          36
  9.91250528E-01  3.27065853E-02  5.23259463E-17  4.38622623E-17 -6.30837538E-03
  4.35305536E-03 -1.67089574E-01  4.55244346E-01 -1.19900028E-15 -1.12856639E-15
  3.46021084E-01  5.49078567E-01 -2.10042747E-01  7.99543362E-01  1.94924932E-15
  1.41916191E-15 -6.12070070E-01 -1.40166388E-01  1.97547315E-16 -1.07928244E-15
  7.37327709E-01  6.75535232E-01  2.04525153E-15  9.43890808E-16 -5.47464149E-17
  2.06182357E-16 -6.75535232E-01  7.37327709E-01 -2.28075407E-16 -1.45566263E-16
  9.34584987E-02 -7.02683808E-01  1.42116597E-16  2.94360502E-16 -9.79455890E-01
  1.18472280E+00
"""
"""LiH in STO-3G at 1.6 Å as a formatted checkpoint, with a shell of type SP."""


@pytest.fixture
def points() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(4).normal(0, 2.0, (200, 3)))


def scf_of(molecule: Molecules, basis: str, cart: bool) -> Any:
    """A few cycles of Hartree-Fock by pyscf: orbitals need not be converged to be written."""
    pytest.importorskip("pyscf")
    from pyscf import gto, scf

    atoms = [(int(z), r) for z, r in zip(molecule.numbers, molecule.positions.tolist())]
    to_g = {
        "O": [*gto.basis.load("6-31g", "O"), *([angular, [1.1, 1.0]] for angular in (2, 3, 4))],
        "H": "6-31g",
    }
    chosen = to_g if basis == "to g" else basis
    mol = gto.M(atom=atoms, basis=chosen, cart=cart, spin=int(molecule.spins[0]), verbose=0)
    solved = scf.UHF(mol) if mol.spin else scf.RHF(mol)
    solved.chkfile, solved.max_cycle = None, 3
    solved.kernel()
    return solved


def same_densities(
    path: Path, scf: object, molecule: Molecules, points: torch.Tensor, atol: float
) -> None:
    from onekcal.quantum.orbitals.dft import from_scf

    read, found = read_orbitals(path)
    torch.testing.assert_close(read.numbers, molecule.numbers)
    torch.testing.assert_close(read.positions, molecule.positions, rtol=0, atol=1e-8)
    assert (int(read.charges[0]), int(read.spins[0])) == (0, int(molecule.spins[0]))
    for ours, theirs in zip(
        found.density(points), from_scf(molecule, scf, "").density(points), strict=True
    ):
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, rtol=atol, atol=atol)


@pytest.mark.parametrize(("basis", "cart"), [("6-31g*", True), ("to g", False), ("to g", True)])
@pytest.mark.parametrize("open_shell", [False, True])
def test_molden_files_of_another_program_are_read(
    water: Molecules, points: torch.Tensor, tmp_path: Path, basis: str, cart: bool, open_shell: bool
) -> None:
    molecule = HYDROXYL if open_shell else water
    scf = scf_of(molecule, basis, cart)
    from pyscf.tools import molden

    molden.from_scf(scf, str(tmp_path / "a.molden"))
    same_densities(
        tmp_path / "a.molden", scf, molecule, points, 1e-9
    )  # coefficients have twelve digits


@pytest.mark.parametrize("open_shell", [False, True])
def test_wfx_files_are_read_as_they_are_defined(
    water: Molecules, points: torch.Tensor, tmp_path: Path, open_shell: bool
) -> None:
    molecule = HYDROXYL if open_shell else water
    scf = scf_of(molecule, "to g", True)  # s to g
    (tmp_path / "a.wfx").write_text(written_wfx(scf))
    same_densities(tmp_path / "a.wfx", scf, molecule, points, 1e-9)


def written_wfx(scf: Any) -> str:
    """A .wfx file: primitives of the Cartesian shells of a pyscf calculation, numbered by pyscf's
    table of types.
    """
    from pyscf.tools.wfn_format import TYPE_MAP

    mol = scf.mol
    centres, types, exponents, weights, rows = [], [], [], [], []
    first = 0
    for shell in range(mol.nbas):
        angular = mol.bas_angular(shell)
        norm = {0: 0.282094791773878143, 1: 0.488602511902919921}.get(
            angular, 1.0
        )  # of Y_00 and Y_1m
        for column in mol._libcint_ctr_coeff(shell).T:
            for exponent, weight in zip(mol.bas_exp(shell), column * norm):
                for offset, kind in enumerate(TYPE_MAP[angular]):
                    centres.append(mol.bas_atom(shell) + 1)
                    types.append(kind)
                    exponents.append(exponent)
                    weights.append(weight)
                    rows.append(first + offset)
            first += len(TYPE_MAP[angular])
    unrestricted = np.ndim(scf.mo_occ) == 2
    spins = (
        [("Alpha", scf.mo_coeff[0], scf.mo_occ[0]), ("Beta", scf.mo_coeff[1], scf.mo_occ[1])]
        if unrestricted
        else [("Alpha and Beta", scf.mo_coeff, scf.mo_occ)]
    )
    filled = [(name, c[rows, i] * weights, n[i]) for name, c, n in spins for i in np.flatnonzero(n)]
    parts = {
        "Keywords": "GTO",
        "Nuclear Charges": _lines(mol.atom_charges()), "Atomic Numbers": _lines(mol.atom_charges()),
        "Number of Electrons": f" {mol.nelectron}",
        "Nuclear Cartesian Coordinates": _lines(mol.atom_coords().flatten()),
        "Primitive "
        "Centers": _lines(centres), "Primitive "
                                    "Types": _lines(types), "Primitive "
                                                            "Exponents": _lines(exponents),
        "Molecular Orbital Occupation Numbers": _lines([n for _, _, n in filled]),
        "Molecular Orbital Spin Types": "\n".join(f" {name}" for name, _, _ in filled),
        "Molecular Orbital Primitive Coefficients": "\n".join(
            f"<MO Number>\n {number}\n</MO "
            f"Number>\n{_lines(c)}" for number, (_, c, _) in enumerate(filled, 1)),
    }  # fmt: skip
    return "".join(f"<{name}>\n{body}\n</{name}>\n" for name, body in parts.items())


def _lines(values: Iterable[float]) -> str:
    words = [f"{v:22.14E}" if isinstance(v, float) else f"{v:20d}" for v in values]
    return "\n".join("".join(words[i : i + 4]) for i in range(0, len(words), 4))


def test_a_formatted_checkpoint_with_sp_shells_is_read(
    tmp_path: Path, points: torch.Tensor
) -> None:
    (tmp_path / "a.fchk").write_text(FCHK_LIH)
    molecule, found = read_orbitals(tmp_path / "a.fchk")
    assert molecule.formulas == ["HLi"]
    assert found.electrons == 4
    scf = scf_of(molecule, "sto-3g", False)
    scf.max_cycle = 50
    scf.kernel()
    same_densities(
        tmp_path / "a.fchk", scf, molecule, points, 1e-5
    )  # two SCF runs that end at 1e-9 Hartree


@pytest.mark.parametrize(("basis", "cart"), [("6-31g*", True), ("to g", False), ("to g", True)])
def test_formatted_checkpoints_of_another_program_are_read(
    points: torch.Tensor, tmp_path: Path, basis: str, cart: bool
) -> None:
    iodata = pytest.importorskip("iodata")
    scf = scf_of(HYDROXYL, basis, cart)
    from pyscf.tools import molden

    molden.from_scf(scf, str(tmp_path / "a.molden"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        iodata.dump_one(
            iodata.load_one(str(tmp_path / "a.molden")),
            str(tmp_path / "a.fchk"),
            allow_changes=True,
        )
    same_densities(
        tmp_path / "a.fchk", scf, HYDROXYL, points, 1e-5
    )  # nine digits, of exponents to 1e5, too


# --- what the file says of electrons ----------------------------------------------------------


def test_hydrogen_by_hand(tmp_path: Path) -> None:
    (tmp_path / "h2.molden").write_text(MOLDEN_H2)
    molecule, found = read_orbitals(tmp_path / "h2.molden")
    assert molecule.formulas == ["H2"]
    assert float(molecule.positions[1, 2]) == pytest.approx(1.4 * BOHR)
    assert found.source == "h2.molden"
    midpoint = found.density(torch.tensor([[0.0, 0.0, 0.7]], dtype=torch.float64))[0]
    # 2 · (2 · 0.548934 · φ(0.7))² with φ(0.7) of the three Gaussians
    phi = sum(
        c * (2 * a / np.pi) ** 0.75 * np.exp(-a * 0.49)
        for a, c in ((3.42525091, 0.15432897), (0.62391373, 0.53532814), (0.16885540, 0.44463454))
    )
    assert float(midpoint.rho) == pytest.approx(2 * (2 * 0.548934 * phi) ** 2, rel=1e-9)
    assert float(midpoint.gradient.abs().max()) < 1e-12


def test_singly_occupied_orbitals_are_alpha(tmp_path: Path) -> None:
    (tmp_path / "cation.molden").write_text(MOLDEN_H2.replace("Occup= 2.0", "Occup= 1.0"))
    molecule, found = read_orbitals(tmp_path / "cation.molden")
    assert (int(molecule.charges[0]), int(molecule.spins[0])) == (1, 1)
    alpha, beta = found.density(torch.zeros(1, 3, dtype=torch.float64))
    assert float(alpha.rho) > 0.1
    assert float(beta.rho) == 0


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("s 3 1.00", "h 3 1.00", "has 'h' functions; s, p, sp, d, f and g are known"),
        ("[GTO]", "[STO]", "Slater functions; expected"),
        ("0.548934", "0.448934", "are not orthonormal"),
        ("Occup= 2.0", "Occup= 1.7", "hold 1.7 electrons; expected a whole number"),
        ("[MO]", "[NOTHING]", "no section"),
        ("0.62391373 0.53532814\n", "", "is not a whole .molden file"),
        ("[Atoms] (AU)", "[Atoms] (Angs)", "are not orthonormal"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MOLDEN_H2
    (tmp_path / "bad.molden").write_text(MOLDEN_H2.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_orbitals(tmp_path / "bad.molden")


def test_contractions_that_are_not_normalised_are_mended(
    tmp_path: Path, points: torch.Tensor
) -> None:
    twice = MOLDEN_H2
    for c in ("0.15432897", "0.53532814", "0.44463454"):
        twice = twice.replace(c, str(2 * float(c)))
    (tmp_path / "a.molden").write_text(MOLDEN_H2)
    (tmp_path / "b.molden").write_text(twice)
    (one, _, _), (other, _, _) = (
        read_orbitals(tmp_path / f"{n}.molden")[1].density(points)[0] for n in "ab"
    )
    torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


def test_wrong_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_orbitals(tmp_path / "absent.wfx")
    (tmp_path / "a.chk").write_text("")
    with pytest.raises(InputError, match="did you mean '.fchk'"):
        read_orbitals(tmp_path / "a.chk")
    (tmp_path / "a.wfx").write_text("<Keywords>\nGTO\n</Keywords>\n")
    with pytest.raises(InputError, match="has no section <Nuclear Cartesian Coordinates>"):
        read_orbitals(tmp_path / "a.wfx")
    (tmp_path / "a.fchk").write_text(FCHK_LIH[: len(FCHK_LIH) // 2])
    with pytest.raises(InputError, match="a.fchk"):
        read_orbitals(tmp_path / "a.fchk")
    (tmp_path / "b.fchk").write_text(
        FCHK_LIH.replace("          -1           0", "          -7           0")
    )
    with pytest.raises(InputError, match="shell of type -7"):
        read_orbitals(tmp_path / "b.fchk")
