r"""Pople's polarised 6-31G as the data this project learns from has it: six d but pure f functions,
and its exponents.

QM9 and G4(MP2) use 6-31G(2df,p) with six Cartesian d and seven pure f functions, and split the
single d exponent of 6-31G(d), 0.8, into 1.6 and 0.4. pyscf's basis of that name has other d
exponents, and a pyscf molecule is Cartesian or spherical throughout; `basis_of` and `mixed` make up
for both. QM9's free atoms and molecules come out to 2e-6 Hartree.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

CARTESIAN = re.compile(r"(3-21|6-31)\+{0,2}g")
"""Basis sets with Cartesian d functions, by the beginning of their names."""
D_EXPONENTS = (1.6, 0.4)
F_EXPONENT = {"C": 0.8, "N": 1.0, "O": 1.4, "F": 1.85}
# fmt: off
BROMINE = (  # 6-31G: exponents, coefficients of s and of p (None: s alone)
    ((113718.2, 17074.44, 3889.576, 1097.096, 352.0624, 120.7002),
     (1.717696e-3, 1.316744e-2, 6.504553e-2, 0.2269505, 0.4768357, 0.3583677), None),
    ((2471.138, 589.3838, 191.8738, 72.95339, 30.05839, 12.52927),
     (2.243687e-3, 2.994853e-2, 0.1256009, -9.832786e-4, -0.6013141, -0.4913983),
     (3.790182e-3, 2.995979e-2, 0.1318228, 0.3432708, 0.4642345, 0.2079387)),
    ((109.6411, 38.58948, 16.37818, 7.221836, 3.263697, 1.465499),
     (-5.975683e-3, 5.542122e-2, 0.26812, -0.1543606, -0.7206306, -0.3316437),
     (-6.907483e-3, -3.041432e-2, 4.602725e-2, 0.3650689, 0.4949232, 0.2090394)),
    ((2.103651, 0.754705, 0.300514),
     (0.3029029, -0.2152659, -0.9633941), (-2.826714e-2, 0.3503065, 0.7182446)),
    ((0.109071,), (1.0,), (1.0,)),
)
BROMINE_CORE_D = (((62.25514, 17.31284, 5.607915), (7.704229e-2, 0.3707384, 0.7097628)),
                  ((1.746486,), (1.0,)))
# fmt: on
BROMINE_D, BROMINE_F = 0.4366, 0.4
"""6-31G(d) has this d exponent. 6-31G(2df,p) splits it as that of the other elements, and takes the
f exponent that G3MP2LargeXP splits.
"""


def basis_of(name: str, symbols: Iterable[str]) -> Any:
    """Return what pyscf is to be given for a basis set's name.

    Parameters
    ----------
    name
        A basis set's name in lower case.
    symbols
        Symbols of the molecule's elements; they may repeat.

    Returns
    -------
    str or dict
        The name itself, or, for "6-31g(2df,p)", pyscf's list of shells by element symbol
        (exponents in Bohr⁻²).
    """
    if name != "6-31g(2df,p)":
        return name
    from pyscf import gto

    basis = {}
    for symbol in set(symbols):
        if symbol in F_EXPONENT:
            d = [[2, [exponent, 1.0]] for exponent in D_EXPONENTS]
            basis[symbol] = [*gto.basis.load("6-31g", symbol), *d, [3, [F_EXPONENT[symbol], 1.0]]]
        elif symbol == "Br":
            d = [[2, [factor * BROMINE_D, 1.0]] for factor in (2.0, 0.5)]
            basis[symbol] = [*bromine(), *d, [3, [BROMINE_F, 1.0]]]
        else:
            basis[symbol] = gto.basis.load(name, symbol)
    return basis


def bromine() -> list[Any]:
    """Return 6-31G of bromine, which pyscf lacks, in its form.

    Rassolov, Ratner, Pople, Redfern, Curtiss, J. Comput. Chem. 22, 976 (2001).
    """
    shells: list[Any] = []
    for exponents, of_s, of_p in BROMINE:
        shells.append([0, *map(list, zip(exponents, of_s))])
        if of_p is not None:
            shells.append([1, *map(list, zip(exponents, of_p))])
    return shells + [[2, *map(list, zip(*terms))] for terms in BROMINE_CORE_D]


class Mixed:
    """An SCF among six Cartesian d but pure f (and higher) functions: the Cartesian set,
    contracted by `pure`.

    Energies are variational within the contracted set and the contraction does not move with the
    nuclei, so the gradient is that of the Cartesian SCF with the expanded orbitals.
    """

    pure: np.ndarray  # (Cartesian, mixed)

    def get_ovlp(self, mol: Any = None) -> np.ndarray:
        """Return the overlaps of the mixed functions, (mixed, mixed)."""
        return self.pure.T @ super().get_ovlp(mol) @ self.pure  # type: ignore[misc]

    def get_hcore(self, mol: Any = None) -> np.ndarray:
        """Return kinetic energy and attraction by the nuclei, (mixed, mixed) Hartree."""
        return self.pure.T @ super().get_hcore(mol) @ self.pure  # type: ignore[misc]

    def get_veff(
        self, mol: Any = None, dm: Any = None, dm_last: Any = 0, vhf_last: Any = 0, hermi: int = 1
    ) -> Any:
        """Return the electrons' potential, (mixed, mixed) or (2, mixed, mixed) Hartree."""
        from pyscf import lib

        dm = self.make_rdm1() if dm is None else dm  # type: ignore[attr-defined]
        whole = self.pure @ np.asarray(dm) @ self.pure.T
        if hasattr(
            dm, "mo_coeff"
        ):  # exchange and densities then cost the occupied orbitals, not all functions
            whole = lib.tag_array(whole, mo_coeff=self.pure @ dm.mo_coeff, mo_occ=dm.mo_occ)
        potential = super().get_veff(mol, whole, hermi=hermi)  # type: ignore[misc]
        tags = {
            name: getattr(potential, name) for name in ("ecoul", "exc") if hasattr(potential, name)
        }
        return lib.tag_array(self.pure.T @ np.asarray(potential) @ self.pure, **tags)

    def get_init_guess(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Return the density that the SCF starts from, (mixed, mixed) or (2, mixed, mixed)."""
        return self.reduced(np.asarray(super().get_init_guess(*args, **kwargs)))  # type: ignore[misc]

    def reduced(self, density: np.ndarray) -> np.ndarray:
        """Return a Cartesian density matrix projected onto the mixed set.

        Parameters
        ----------
        density
            (Cartesian, Cartesian), or (2, Cartesian, Cartesian) for α and β.

        Returns
        -------
        array
            (mixed, mixed), or (2, mixed, mixed).
        """
        overlap = super().get_ovlp()  # type: ignore[misc]
        project = np.linalg.solve(
            self.pure.T @ overlap @ self.pure, self.pure.T @ overlap
        )  # (mixed, Cartesian)
        return project @ np.asarray(density) @ project.T

    def whole(self) -> Any:
        """Return the same solution as a plain Cartesian SCF object of pyscf."""
        plain = self.plain  # type: ignore[attr-defined]
        plain.mo_coeff = self.pure @ np.asarray(self.mo_coeff)  # type: ignore[attr-defined]
        for name in ("mo_energy", "mo_occ", "e_tot", "converged"):
            setattr(plain, name, getattr(self, name))
        return plain


def mixed(scf: Any, mol: Any) -> Any:
    """Turn a Cartesian SCF into one with six d and pure f functions.

    `scf` itself is changed: its class becomes a `Mixed` one. A copy of it as it was stays in its
    attribute `plain`, for `Mixed.whole`.

    Parameters
    ----------
    scf
        pyscf's SCF object of `mol`, not solved yet.
    mol
        pyscf's molecule with Cartesian functions.

    Returns
    -------
    Mixed
        The object `scf`.
    """
    from pyscf.gto import cart2sph

    blocks = []
    for shell in range(mol.nbas):
        angular, count = mol.bas_angular(shell), mol.bas_nctr(shell)
        size = (angular + 1) * (angular + 2) // 2
        blocks += [cart2sph(angular, normalized="sp") if angular > 2 else np.eye(size)] * count
    pure = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        pure[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    plain = copy.copy(scf)
    scf.__class__ = type("Mixed" + type(scf).__name__, (Mixed, type(scf)), {})
    scf.pure, scf.plain, scf.direct_scf = pure, plain, False
    return scf
