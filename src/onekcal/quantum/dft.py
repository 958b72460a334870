r"""Hartree-Fock and density functionals through pyscf (extra `dft`).

Methods are "hf/6-31g", "b3lyp/6-31g(2df,p)" and the like, with " df" behind for density fitting.
Closed shells are restricted, open shells unrestricted. The grid is pyscf's standard (level 3), and
energies are converged to 1e-9 Hartree. An SCF that does not converge is tried again by second-order
optimisation. If that fails, too, the molecule is refused.

3-21G, 6-31G and their polarised forms have six Cartesian d functions (and pure f): see `pople`.
Every other basis is spherical.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import torch

from onekcal.errors import InputError, MissingExtra, did_you_mean
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.method import LabelError, Method, Point, formula_of
from onekcal.quantum.pople import CARTESIAN, Mixed, basis_of, mixed

KERNELS = "OPENBLAS_CORETYPE"
"""The environment variable that names a processor to OpenBLAS."""


def pyscf_package() -> Any:
    """Return the module pyscf; raise `MissingExtra` where it is not installed."""
    try:
        with warnings.catch_warnings(), _fast_kernels():
            warnings.simplefilter("ignore")
            import pyscf
            import pyscf.dft
            import pyscf.gto
            import pyscf.scf
    except ImportError:
        raise MissingExtra("pyscf", "dft", "computing with quantum chemistry") from None
    return pyscf


@contextmanager
def _fast_kernels() -> Iterator[None]:
    """Tell the OpenBLAS in pyscf's wheels what the processor can do.

    That one is of 2018. It takes processors made later for such without AVX2, and everything pyscf
    does with matrices then takes twice as long. The setting is read when the library is loaded;
    NumPy's and SciPy's own copies are loaded before.
    """
    able = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    if not able or KERNELS in os.environ or "pyscf" in sys.modules:
        yield
        return
    import scipy.linalg  # noqa: F401

    os.environ[KERNELS] = "Haswell"
    try:
        yield
    finally:
        del os.environ[KERNELS]


def check_names(functional: str, basis: str) -> None:
    """Refuse functionals and basis sets that pyscf does not have.

    Where pyscf is not installed, nothing can be checked, and nothing is refused: an experiment that
    names a method can be read and compared without the extra. A computation then raises
    `MissingExtra`.

    Parameters
    ----------
    functional
        pyscf's name of a functional, such as "b3lyp", or "hf".
    basis
        pyscf's name of a basis set, such as "6-31g(2df,p)".

    Raises
    ------
    InputError
        Where pyscf does not have one of them.
    """
    with suppress(MissingExtra):
        _check_names(pyscf_package(), functional, basis)


@cache
def _check_names(pyscf: Any, functional: str, basis: str) -> None:
    if functional != "hf":
        libxc = pyscf.dft.libxc
        try:
            libxc.parse_xc(functional)
        except Exception:  # pyscf raises many kinds here
            known = [name.lower() for name in (*libxc.XC_ALIAS, *libxc.XC_CODES)]
            close = did_you_mean(functional, known)
            hint = (
                close if close.startswith("; did") else "; such as hf, pbe0, b3lyp, m06-2x, wb97x"
            )
            raise InputError(f"no functional {functional!r}{hint}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pyscf.gto.basis.load(basis, "H")
    except Exception:
        hint = did_you_mean(basis, pyscf.gto.basis.ALIAS)
        hint = (
            hint
            if hint.startswith("; did")
            else "; such as 6-31g, 6-31g(2df,p), def2-tzvp, cc-pvtz"
        )
        raise InputError(f"no basis set {basis!r}{hint}") from None


class DensityFunctional:
    """One molecule under Hartree-Fock or a density functional.

    Parameters
    ----------
    method
        Functional, basis, and whether integrals are fitted.
    molecule
        One molecule; its positions are not used.
    grid
        pyscf's level of the integration grid, 0 to 9.
    convergence
        Hartree; the change of energy at which the SCF ends.
    auxiliary
        The basis of density fitting; without it pyscf chooses.
    """

    package = "pyscf"

    def __init__(
        self,
        method: Method,
        molecule: Molecules,
        grid: int = 3,
        convergence: float = 1e-9,
        auxiliary: str | None = None,
    ) -> None:
        self.method, self.molecule, self.grid, self.convergence = (
            method,
            molecule,
            grid,
            convergence,
        )
        self.auxiliary = auxiliary
        self.density: np.ndarray | None = None  # of the last geometry, the guess for the next

    @staticmethod
    def version() -> str:
        """Return pyscf's version; raise `MissingExtra` where it is not installed."""
        return pyscf_package().__version__

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return energy, Mulliken charges and, on request, the gradient at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is computed; without it, `Point.gradient` is None.

        Returns
        -------
        Point
            Energy in Hartree, gradient (n, 3) in Hartree/Bohr, charges (n,) in e.

        Raises
        ------
        LabelError
            Where the SCF cannot be set up or does not converge.
        MissingExtra
            Where pyscf is not installed.
        """
        scf = self.solved(positions)
        cartesian = scf.whole() if isinstance(scf, Mixed) else scf
        push = np.array(cartesian.nuc_grad_method().kernel()) if gradient else None
        charges = np.array(cartesian.mulliken_pop(verbose=0)[1])
        return Point(float(scf.e_tot), push, charges)

    def solved(self, positions: np.ndarray) -> Any:
        """Return pyscf's converged SCF object at one geometry.

        It is a `Mixed` one where d functions are Cartesian and f functions pure. It starts from the
        density of the geometry before, if there was one and it converged.

        Parameters
        ----------
        positions
            (n, 3) Å.

        Raises
        ------
        LabelError
            Where the SCF cannot be set up or does not converge.
        """
        return self._converged(self.mol(positions))

    def mol(self, positions: np.ndarray) -> Any:
        """Return pyscf's molecule with its nuclei at `positions`.

        Parameters
        ----------
        positions
            (n, 3) Å.

        Returns
        -------
        pyscf.gto.Mole
            With the charge and the unpaired electrons of `molecule`.

        Raises
        ------
        LabelError
            Where pyscf cannot set it up, as with an element that the basis set lacks.
        MissingExtra
            Where pyscf is not installed.
        """
        atoms = [
            (SYMBOLS[z], tuple(r))
            for z, r in zip(self.molecule.numbers.tolist(), positions.tolist())
        ]
        pyscf = pyscf_package()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return pyscf.gto.M(
                    atom=atoms,
                    basis=basis_of(self.method.basis, [a[0] for a in atoms]),
                    charge=int(self.molecule.charges[0]),
                    spin=int(self.molecule.spins[0]),
                    cart=bool(CARTESIAN.match(self.method.basis)),
                    verbose=0,
                )
        except Exception as error:  # an element the basis set lacks, among others
            raise LabelError(
                f"{self.method.name} of {formula_of(self.molecule)} cannot be set up: {error}"
            ) from None

    def scf(self, mol: Any) -> Any:
        """Return pyscf's SCF object of the method; nothing is solved yet.

        It is a `Mixed` one where d functions are Cartesian and f functions pure.

        Parameters
        ----------
        mol
            pyscf's molecule, as `mol` returns it.
        """
        has_f = bool(mol.cart) and any(mol.bas_angular(shell) > 2 for shell in range(mol.nbas))
        return mixed(self._scf(mol), mol) if has_f else self._scf(mol)

    def _scf(self, mol: Any) -> Any:
        pyscf = pyscf_package()
        if self.method.functional == "hf":
            scf = pyscf.scf.UHF(mol) if mol.spin else pyscf.scf.RHF(mol)
        else:
            scf = pyscf.dft.UKS(mol) if mol.spin else pyscf.dft.RKS(mol)
            scf.xc, scf.grids.level = self.method.functional, self.grid
        scf.conv_tol = self.convergence
        scf.max_cycle = 100
        scf.chkfile = None
        scf._chkfile = None  # pyscf's open temporary file
        return scf.density_fit(auxbasis=self.auxiliary) if self.method.density_fitting else scf

    def _converged(self, mol: Any) -> Any:
        """The SCF by DIIS, else by second-order optimisation from where DIIS got to."""
        scf = self.scf(mol)
        has_f = isinstance(scf, Mixed)
        scf.kernel(dm0=self.density)
        if not scf.converged:
            second = self._scf(mol).newton()
            second.kernel(dm0=scf.whole().make_rdm1() if has_f else scf.make_rdm1())
            if has_f:
                scf.kernel(dm0=scf.reduced(second.make_rdm1()))
            else:
                scf = second
        if not scf.converged:
            self.density = None
            raise LabelError(
                f"{self.method.name} of {formula_of(self.molecule)}: the SCF did not converge, "
                "neither by DIIS nor by second-order optimisation; check the geometry, the charge "
                "and the spin"
            )
        self.density = scf.make_rdm1()
        return scf
