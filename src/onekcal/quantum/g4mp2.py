r"""G4(MP2) at a given geometry, through pyscf (extra `dft`).

    E = CCSD(T)/6-31G(d) + [MP2/XP − MP2/6-31G(d)] + [HF/CBS − HF/XP] + E(SO) + E(HLC)
    HF/CBS = (Q − T e^−1.63) / (1 − e^−1.63)     T, Q: modified aug-cc-pVTZ and aug-cc-pVQZ
    E(HLC) = −A n_β               closed shell
             −A' n_β − B (n_α − n_β)   open shell
             −C n_β − D (n_α − n_β)    atom
             −E                   one electron pair among alkali atoms (Li2, Na2)

Curtiss, Redfern, Raghavachari, J. Chem. Phys. 127, 124105 (2007). XP is G3MP2LargeXP, n are valence
electrons, correlation leaves the cores frozen (of Na only
1s, of Br not 3d). The zero-point energy is added by
`labels.g4mp2`, which also finds the geometry.

Deliberate deviations
    Integrals of Hartree-Fock and MP2 in the large sets are fitted (auxiliary sets of quadruple-zeta
    quality, generated ones for Li, Be and Na), which changes an energy by 0.03 kcal/mol at most;
    `exact` switches this off. Atoms are always exact. CCSD(T) is exact; in molecules its triples
    are added up in single precision.

An unrestricted Hartree-Fock solution is not followed to a lower one where it is unstable: the lower
one mixes spin states (CH then errs by 1 kcal/mol), and the published energies are not followed.

A calculation is four steps. Each leaves plain numbers (Hartree), so that a caller can keep them and
go on after a kill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.dft import pyscf_package
from onekcal.quantum.fitted_energies import fitted_hartree_fock, unsolved
from onekcal.quantum.fitted_mp2 import fitted_mp2
from onekcal.quantum.g4mp2_basis import ELEMENTS, auxiliary, large, modified, small
from onekcal.quantum.method import LabelError, check_molecule, formula_of
from onekcal.quantum.triples import triples

if TYPE_CHECKING:
    from typing import Any as Mol
    from typing import Any as Scf  # pyscf is untyped

Kept = MutableMapping[str, dict[str, float]]
"""Finished steps by name."""
Step = Literal["coupled cluster", "perturbation", "triple zeta", "quadruple zeta"]
STEPS: tuple[Step, ...] = ("coupled cluster", "perturbation", "triple zeta", "quadruple zeta")

ALPHA = 1.63
"""The exponent of the extrapolation to the complete basis."""
PAIR_CLOSED, PAIR_OPEN, SINGLE_OPEN = 9.472e-3, 9.769e-3, 3.102e-3
PAIR_ATOM, SINGLE_ATOM, ONE_PAIR = 9.741e-3, 2.115e-3, 2.379e-3
"""Hartree; the parameters A, A', B, C, D and E of the higher-level correction."""
SPIN_ORBIT = {
    **{5: -0.05e-3, 6: -0.14e-3, 8: -0.36e-3, 9: -0.61e-3},
    **{13: -0.34e-3, 14: -0.68e-3, 16: -0.89e-3, 17: -1.34e-3, 35: -5.60e-3},
}
"""Hartree; spin-orbit energies of free atoms. Others have none. That of Br is a third of the
splitting of its ²P term, 3685.24 1/cm.
"""
ALKALI = frozenset({3, 11})
CLASHES = (("Li", "Na"), ("Li", "Br"), ("Al", "Br"))
"""Elements whose frozen and correlated inner shells lie at the same energies."""
FITTED_HF, FITTED_MP2 = "aug-cc-pvqz-jkfit", "aug-cc-pvqz-ri"
"""Auxiliary basis sets."""
CONVERGENCE = 1e-9
"""Hartree; of Hartree-Fock energies with exact integrals."""
BELOW_MP2, ALONE = 1e-8, 1e-7
"""Hartree; of those with fitted integrals, where MP2 follows and where nothing does."""
AMPLITUDES = 1e-8, 1e-6
"""Hartree; of coupled cluster, of atoms and of molecules, which leaves less than 3e-7."""


@dataclass(frozen=True)
class G4MP2Energy:
    """The terms of G4(MP2) at one geometry, all in Hartree but for the diagnostics.

    Attributes
    ----------
    ccsdt
        CCSD(T)/6-31G(d), total.
    mp2
        MP2/G3MP2LargeXP − MP2/6-31G(d), totals.
    hf
        HF at the complete basis − HF/G3MP2LargeXP.
    spin_orbit, hlc
        Spin-orbit energy (atoms) and higher-level correction.
    t1
        The T1 diagnostic of coupled cluster (Lee and Taylor 1989).
    contamination
        ⟨S²⟩ of unrestricted Hartree-Fock minus that of the pure spin state.
    """

    ccsdt: float
    mp2: float
    hf: float
    spin_orbit: float
    hlc: float
    t1: float
    contamination: float

    @property
    def total(self) -> float:
        """Hartree; without zero-point energy."""
        return self.ccsdt + self.mp2 + self.hf + self.spin_orbit + self.hlc

    def to_dict(self) -> dict[str, float]:
        """Return the terms as plain numbers."""
        return asdict(self)


def g4mp2_energy(
    molecule: Molecules,
    exact: bool = False,
    kept: Kept | None = None,
    watch: Callable[[Step], None] = lambda step: None,
    memory: float = 4000.0,
) -> G4MP2Energy:
    """Compute G4(MP2) without zero-point energy at the molecule's own geometry.

    Parameters
    ----------
    molecule
        One molecule, radical, ion or atom, with its charge and unpaired electrons.
    exact
        Whether all integrals are exact instead of fitted.
    kept
        Finished steps; those in it are not computed again, new ones are put into it.
    watch
        Called with the name of each step before it is computed.
    memory
        MB that pyscf may use before it turns to the disk.

    Raises
    ------
    InputError
        An element the method lacks, or an impossible number of electrons.
    LabelError
        Hartree-Fock or coupled cluster does not converge.
    """
    check_elements(molecule)
    check_molecule(molecule)
    if int(molecule.charges[0]) == int(molecule.numbers.sum()):  # a proton
        return G4MP2Energy(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    kept = {} if kept is None else kept
    run = _Calculation(molecule, exact, memory)
    for step in STEPS:
        if step not in kept:
            watch(step)
            kept[step] = run.step(step)
    small, mp2 = kept["coupled cluster"], kept["perturbation"]
    triple, quadruple = kept["triple zeta"]["hf"], kept["quadruple zeta"]["hf"]
    return G4MP2Energy(
        ccsdt=small["ccsdt"],
        mp2=mp2["mp2"] - small["mp2"],
        hf=complete_basis(triple, quadruple) - mp2["hf"],
        spin_orbit=spin_orbit(molecule),
        hlc=higher_level(molecule),
        t1=small["t1"],
        contamination=small["contamination"],
    )


def complete_basis(triple: float, quadruple: float) -> float:
    """Return the Hartree-Fock energy at the complete basis (Hartree).

    Parameters
    ----------
    triple, quadruple
        Hartree; in the modified aug-cc-pVTZ and aug-cc-pVQZ.
    """
    decay = math.exp(-ALPHA)
    return (quadruple - triple * decay) / (1.0 - decay)


def valence(molecule: Molecules) -> tuple[int, int]:
    """Return the numbers of valence electrons, the more numerous spin first.

    Parameters
    ----------
    molecule
        One molecule.
    """
    inner = sum(
        0 if z <= 2 else 2 if z <= 10 else 10 if z <= 18 else 28 for z in molecule.numbers.tolist()
    )
    electrons = int(molecule.numbers.sum()) - int(molecule.charges[0]) - inner
    unpaired = int(molecule.spins[0])
    return (electrons + unpaired) // 2, (electrons - unpaired) // 2


def frozen_orbitals(molecule: Molecules) -> int:
    """Return how many orbitals correlation leaves frozen.

    Those of the noble gas before each atom; of Na only 1s, as in the published energies. The 3d
    of Br are correlated.

    Parameters
    ----------
    molecule
        One molecule.
    """
    return sum(
        0 if z <= 2 else 1 if z <= 11 else 5 if z <= 18 else 9 for z in molecule.numbers.tolist()
    )


def higher_level(molecule: Molecules) -> float:
    """Return the higher-level correction (Hartree).

    Parameters
    ----------
    molecule
        One molecule.
    """
    alpha, beta = valence(molecule)
    single = alpha - beta
    if len(molecule.numbers) == 1:
        return -PAIR_ATOM * beta - SINGLE_ATOM * single
    if single:
        return -PAIR_OPEN * beta - SINGLE_OPEN * single
    metal = beta == 1 and set(molecule.elements) <= ALKALI
    return -ONE_PAIR if metal else -PAIR_CLOSED * beta


def spin_orbit(molecule: Molecules) -> float:
    """Return the spin-orbit energy (Hartree): of neutral atoms, zero in molecules and ions.

    Parameters
    ----------
    molecule
        One molecule.
    """
    alone = len(molecule.numbers) == 1 and not int(molecule.charges[0])
    return SPIN_ORBIT.get(int(molecule.numbers[0]), 0.0) if alone else 0.0


def check_elements(molecule: Molecules) -> None:
    """Refuse elements the method has no basis sets for.

    Parameters
    ----------
    molecule
        One molecule.
    """
    strange = [SYMBOLS[z] for z in molecule.elements if SYMBOLS[z] not in ELEMENTS]
    if strange:
        raise InputError(
            f"G4(MP2) has no basis set for {', '.join(strange)} here; it covers "
            f"{', '.join(ELEMENTS)}"
        )
    symbols = {SYMBOLS[z] for z in molecule.elements}
    for one, other in CLASHES:
        if {one, other} <= symbols:
            raise InputError(
                f"G4(MP2) of {one} beside {other}: their cores cannot be told apart by energy"
            )


class _Calculation:
    """The steps of one molecule. Each starts from the density of the one before, where there is
    one in this process.
    """

    def __init__(self, molecule: Molecules, exact: bool, memory: float) -> None:
        self.molecule, self.memory = molecule, memory
        self.symbols = {SYMBOLS[z] for z in molecule.elements}
        self.fitted = not (exact or len(molecule.numbers) == 1)
        self.before: Scf | None = None

    def step(self, name: Step) -> dict[str, float]:
        if name == "coupled cluster":
            return self._coupled_cluster()
        if name == "perturbation":
            return self._perturbation()
        return {"hf": float(self._hartree_fock("T" if name == "triple zeta" else "Q").e_tot)}

    def _correlated(self) -> int:
        """The number of electrons outside frozen orbitals."""
        electrons = int(self.molecule.numbers.sum()) - int(self.molecule.charges[0])
        return electrons - 2 * frozen_orbitals(self.molecule)

    def _mol(self, basis: str) -> Mol:
        symbols = [SYMBOLS[z] for z in self.molecule.numbers.tolist()]
        of = {
            "6-31g(d)": small,
            "XP": large,
            "T": lambda symbol: modified(symbol, "T"),
            "Q": lambda symbol: modified(symbol, "Q"),
        }[basis]
        return pyscf_package().gto.M(
            atom=list(zip(symbols, self.molecule.positions.tolist())),
            basis={symbol: of(symbol) for symbol in set(symbols)},
            charge=int(self.molecule.charges[0]),
            spin=int(self.molecule.spins[0]),
            cart=basis == "6-31g(d)",
            verbose=0,
            max_memory=self.memory,
        )

    def _hartree_fock(self, basis: str, fitted: bool | None = None) -> Scf:
        """Hartree-Fock in one basis, from the orbitals of the basis before."""
        mol = self._mol(basis)
        if self.fitted if fitted is None else fitted:
            if self.before is None:  # another process finished the step before
                self._hartree_fock("6-31g(d)", fitted=False)
            correlated = basis == "XP"
            tolerance = BELOW_MP2 if correlated else ALONE
            fit = auxiliary(FITTED_HF, self.symbols)
            scf = fitted_hartree_fock(mol, self.before, fit, tolerance, self.memory, correlated)
        else:
            scf = self._plain_hartree_fock(mol)
        if not scf.converged:
            raise LabelError(
                f"G4(MP2) of {formula_of(self.molecule)}: Hartree-Fock does not converge; check "
                "the geometry, the charge and the spin"
            )
        self.before = scf
        return scf

    def _plain_hartree_fock(self, mol: Mol) -> Scf:
        """With exact integrals."""
        scf = unsolved(mol)
        scf.conv_tol, guess = CONVERGENCE, None
        if self.before is not None:
            from pyscf.scf.addons import project_dm_nr2nr

            guess = project_dm_nr2nr(self.before.mol, self.before.make_rdm1(), mol)
        scf.kernel(dm0=guess)
        if not scf.converged:
            scf = scf.newton()
            scf.kernel()
        return scf

    def _coupled_cluster(self) -> dict[str, float]:
        """CCSD(T) and MP2 in 6-31G(d), with the diagnostics."""
        scf = self._hartree_fock("6-31g(d)", fitted=False)
        contamination = 0.0
        if self.molecule.spins[0]:
            s = int(self.molecule.spins[0]) / 2
            contamination = float(scf.spin_square()[0]) - s * (s + 1)
        correlated = self._correlated()
        if correlated < 2:
            energy = float(scf.e_tot)
            return {"ccsdt": energy, "mp2": energy, "t1": 0.0, "contamination": contamination}
        from pyscf import cc

        coupled = (cc.UCCSD if self.molecule.spins[0] else cc.RCCSD)(
            scf, frozen=frozen_orbitals(self.molecule) or None
        )
        alone = len(self.molecule.numbers) == 1
        coupled.conv_tol, coupled.max_cycle = AMPLITUDES[0 if alone else 1], 200
        integrals = coupled.ao2mo()
        coupled.kernel(eris=integrals)
        if not coupled.converged:
            raise LabelError(
                f"G4(MP2) of {formula_of(self.molecule)}: coupled cluster does not converge; the "
                "molecule may be far from one electron configuration"
            )
        third = 0.0
        if correlated > 2:
            third = float(coupled.ccsd_t(eris=integrals)) if alone else triples(coupled, integrals)
        return {
            "ccsdt": float(coupled.e_tot) + third,
            "mp2": float(scf.e_tot) + float(coupled.emp2),
            "t1": _t1(coupled.t1, correlated),
            "contamination": contamination,
        }

    def _perturbation(self) -> dict[str, float]:
        """HF and MP2 in G3MP2LargeXP, totals."""
        scf = self._hartree_fock("XP")
        energy = float(scf.e_tot)
        if self._correlated() < 2:
            return {"hf": energy, "mp2": energy}
        frozen = frozen_orbitals(self.molecule)
        if self.fitted:
            fit = auxiliary(FITTED_MP2, self.symbols)
            return {"hf": energy, "mp2": energy + fitted_mp2(scf, fit, frozen)}
        from pyscf import mp

        exact = mp.MP2(scf, frozen=frozen or None).run()
        return {"hf": energy, "mp2": energy + float(exact.e_corr)}


def _t1(amplitudes: np.ndarray | tuple[np.ndarray, np.ndarray], electrons: int) -> float:
    """The T1 diagnostic |t₁| / √electrons of correlated electrons, both spins counted."""
    if isinstance(amplitudes, tuple):
        square = sum(float((part**2).sum()) for part in amplitudes)
    else:
        square = 2.0 * float((amplitudes**2).sum())
    return math.sqrt(square / electrons)
