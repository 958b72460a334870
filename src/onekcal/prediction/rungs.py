"""The highest rung: G4(MP2), computed once and kept.

A molecule that the learned model does not know is looked up among those computed on this machine
and those that ship. Where it is in neither, it is computed if that is allowed and affordable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from onekcal.errors import ConfigError, InputError
from onekcal.geometry.conformers import conformers
from onekcal.geometry.minimum import minimum
from onekcal.geometry.species import Species, species
from onekcal.labels.computed import Steps, Store, key_of_geometry, key_of_smiles
from onekcal.labels.deviations import VARIANT_NINETY, deviation
from onekcal.labels.forecast import Forecast, forecast, spell
from onekcal.labels.g4mp2 import SCALE, VARIANTS, Computed, Variant, g4mp2
from onekcal.labels.start import lower_start
from onekcal.labels.zero_point import ATOMS
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.geometry import KINDS
from onekcal.prediction.options import Options
from onekcal.prediction.questions import Question
from onekcal.prediction.scope import apart
from onekcal.quantum.dft import pyscf_package
from onekcal.quantum.g4mp2 import check_elements
from onekcal.quantum.method import check_electrons
from onekcal.system.memory import free_memory
from onekcal.system.parallel import processors
from onekcal.thermo.ledger import ATOM_FORMATION, ELEMENT_HEAT, Term, ledger

Watch = Callable[[str, str], None]
"""Called with the molecule and the step that begins."""
TWO_CORES = 1.6
"""How many times faster two cores are than one."""
BUSY = 2.0
"""Forecasts are of an idle machine. Beside other work, 74 closed shells of one to three heavy atoms
took 2.7 times as much in the middle, and 1.5 to 5.5 times for eight in ten."""
BEGINNING = 5.0
"""Seconds for conformers, free atoms and what is loaded."""
WAITING = "waiting for another process that computes it"
T1_LARGE, CONTAMINATED = 0.02, 0.1
"""Diagnostics above these are remarked (Lee and Taylor 1989 for T1)."""

STANDARD_STATES = frozenset({"[H][H]", "N#N", "O=O", "[O][O]", "FF", "ClCl"})
"""Gases that are their elements' standard states: ΔfH is 0 by definition."""


class OutsideScope(InputError):
    """A molecule that the learned model does not know."""


@dataclass(frozen=True)
class Asked:
    """One molecule as the computed rungs need it.

    Parameters
    ----------
    molecule
        Nuclei, charge and spin; positions (Å) only where the question has them.
    state
        What its SMILES says; None where a geometry was given.
    """

    molecule: Molecules
    state: Species | None

    @classmethod
    def of(cls, question: Question) -> Asked:
        """Read a question."""
        if question.molecule is not None:
            return cls(question.molecule, None)
        state = species(question.smiles)
        return cls(state.nuclei(), state)

    def key(self, method: str) -> str:
        """Return where the store keeps it."""
        if self.state is None:
            return key_of_geometry(self.molecule, method)
        return key_of_smiles(self.state.smiles, self.state.charge, self.state.spin, method)

    def kept(self, options: Options) -> bool:
        """Whether the geometry is to be kept; a SMILES has none."""
        return options.keep_geometry and self.state is None

    def suffix(self, options: Options) -> str:
        """What the options add to the name of a method in the store."""
        return " exact" * options.exact + " kept" * self.kept(options)

    def start(self, options: Options) -> Molecules:
        """The geometry that the calculation begins with."""
        if self.state is not None and len(self.molecule.numbers) > 1:
            return lower_start(conformers(self.state, options.conformers))
        if options.keep_geometry or len(self.molecule.numbers) == 1:
            return self.molecule
        return minimum(self.molecule, "gfn2", keep_bonds=False)[0].molecule


def computed_answer(
    question: Question,
    bare: Answer,
    options: Options,
    may_compute: bool,
    reason: str = "",
    watch: Watch = lambda molecule, step: None,
) -> Answer:
    """Answer with G4(MP2): from the store, or computed now.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    bare
        The answer as far as it is known.
    options
        The budget, the rung, and how a geometry is found.
    may_compute
        Whether a molecule that nobody has computed may be computed now.
    reason
        Why the learned model does not answer, for the message where this rung does not either.
    watch
        Told of each step.

    Returns
    -------
    Answer
        With its ledger; the interval is G4(MP2)'s deviation from experiment. Where it may not be
        computed, the answer has a `problem` and a `forecast`.
    """
    asked = Asked.of(question)
    check_elements(asked.molecule)
    check_electrons(asked.molecule)
    if (said := apart(asked.molecule)) and not options.force:
        raise InputError(said)
    kept, suffix, store = asked.kept(options), asked.suffix(options), Store()
    done = _found(asked, store, options)
    if done is None:
        costs = {
            variant: forecast(asked.molecule, variant, options.exact)
            for variant in VARIANTS
            if variant == "g4mp2" or set(asked.molecule.elements) <= set(ATOMS)
        }
        variant = _affordable(costs, options, may_compute)
        if variant is None:
            return replace(
                bare,
                formula=asked.molecule.formulas[0],
                problem=_refusal(question, costs, options, may_compute, reason),
                forecast=costs["g4mp2"].total,
            )
        check_memory(costs[variant], "G4(MP2)")
        done = _compute(asked, variant, suffix, question, store, options, watch)
    return _told(done, bare, options, kept)


def stored_answer(question: Question, bare: Answer, options: Options) -> Answer | None:
    """Answer with what was computed before, or ships; None where there is nothing.

    Parameters
    ----------
    question
        A SMILES, or a molecule with a geometry.
    bare
        The answer as far as it is known.
    options
        How a geometry is found.
    """
    asked = Asked.of(question)
    if apart(asked.molecule):
        return None
    done = _found(asked, Store(), options)
    return None if done is None else _told(done, bare, options, asked.kept(options))


def _found(asked: Asked, store: Store, options: Options) -> Computed | None:
    """What the store holds of a molecule."""
    keys = (asked.key(variant + asked.suffix(options)) for variant in VARIANTS)
    return next(filter(None, (store.find(key) for key in keys)), None)


def _affordable(
    costs: dict[Variant, Forecast], options: Options, may_compute: bool
) -> Variant | None:
    """The variant that is computed; None where none is."""
    if not (may_compute or options.compute):
        return None
    if options.rung == "g4mp2" or options.compute:
        return "g4mp2"
    return next((v for v in costs if elapsed(costs[v].total) <= options.budget), None)


def elapsed(seconds: float) -> float:
    """Seconds until an answer, of what takes `seconds` on one core of an idle machine."""
    return BEGINNING + BUSY * seconds / (TWO_CORES if processors() > 1 else 1.0)


def _refusal(
    question: Question,
    costs: dict[Variant, Forecast],
    options: Options,
    may_compute: bool,
    reason: str,
) -> str:
    forecast_ = spell(elapsed(costs["g4mp2"].total))
    how = "--rung g4mp2" if may_compute else "--compute"  # a list is computed only with it
    begin = f"{question.place}: {reason}; " if reason else f"{question.place}: "
    return f"{begin}G4(MP2) would take about {forecast_} ({how} computes it)"


def check_memory(cost: Forecast, method: str) -> None:
    """Refuse a calculation that needs more memory than is free.

    Parameters
    ----------
    cost
        What the calculation needs.
    method
        What the message calls it.
    """
    free = free_memory()
    if cost.memory > free:
        raise ConfigError(
            f"{method} of this molecule needs about {cost.memory / 2**30:.0f} GiB of memory, "
            f"{free / 2**30:.0f} are free; close other programs, or compute it on a larger machine"
        )


@contextmanager
def on_all_cores() -> Iterator[None]:
    """Let pyscf and `quantum.cores` use every core, whatever the command line set.

    The linear algebra has one thread in each of theirs.
    """
    from pyscf import lib
    from threadpoolctl import threadpool_limits

    cores, before = processors(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # before pyscf: this one may reach its threads too
        with threadpool_limits(1), lib.with_omp_threads(cores):
            yield
    except MemoryError:
        raise ConfigError(
            "the memory ran out; what was finished is kept: close other programs and ask again, "
            "or compute it on a larger machine"
        ) from None
    finally:
        torch.set_num_threads(before)


def _compute(
    asked: Asked,
    variant: Variant,
    suffix: str,
    question: Question,
    store: Store,
    options: Options,
    watch: Watch,
) -> Computed:
    pyscf_package()  # a missing package is said before the geometry is made
    label = question.name or question.source

    def fresh(steps: Steps) -> Computed:
        if "start" not in steps:  # GFN2-xTB of small molecules is slower in threads
            watch(label, "start")
            steps["start"] = {"positions": asked.start(options).positions.tolist()}
        begin = torch.tensor(steps["start"]["positions"], dtype=asked.molecule.positions.dtype)
        with on_all_cores():
            done = g4mp2(
                asked.molecule.moved(begin),
                variant,
                options.exact,
                options.keep_geometry and asked.state is None,
                steps,
                lambda step: watch(label, step),
                memory=max(1000.0, 0.6 * free_memory() / 1e6),
            )
        smiles = asked.state.smiles if asked.state else ""
        return replace(done, smiles=smiles, name=question.name)

    return store.once(asked.key(variant + suffix), fresh, lambda: watch(label, WAITING))


def _told(done: Computed, bare: Answer, options: Options, kept: bool) -> Answer:
    """A computed molecule as an answer; `kept` says that the geometry is the one of the file."""
    half, meaning = deviation(done.molecule, options.coverage)
    if done.method != "g4mp2":
        half = math.hypot(half, VARIANT_NINETY)
    if done.method == "g4mp2":
        heat_source = "B3LYP/6-31G(2df,p) harmonic frequencies times 0.9854, rigid rotor"
    else:
        heat_source = "GFN2-xTB harmonic frequencies, rigid rotor"
    atom = len(done.molecule.numbers) == 1
    heat = Term("H(298 K) − H(0)", done.heat, None, heat_source, "formation 298 K")
    energy, remarks = done.energy, _remarks(done)
    how = "computed" if done.method == "g4mp2" else f"computed ({done.method})"
    source = f"{how}; {meaning}"
    if atom and not int(done.molecule.charges[0]):
        half, source = 0.0, "0 by definition"
    elif done.smiles in STANDARD_STATES:
        energy = -sum(ATOM_FORMATION[z] for z in done.molecule.numbers.tolist())
        own = f"{done.energy:.2f}".replace("-", "−")
        half, source = 0.0, f"ΔfH(0 K) is 0 by definition; G4(MP2) computes {own}"
        elements = sum(ELEMENT_HEAT[z] for z in done.molecule.numbers.tolist())
        heat = Term(heat.label, elements, None, "an element in its standard state", heat.section)
        remarks.append("an element in its standard state: ΔfH is 0 by definition")
    lines = ledger(done.molecule, energy, "g4mp2", half, source, thermal=heat)
    return replace(
        bare,
        smiles=bare.smiles or done.smiles,
        name=bare.name or done.name,
        formula=done.molecule.formulas[0],
        level="g4mp2",
        kind="atomization",
        at="0 K",
        energy=energy,
        half=half,
        geometry="b3lyp" if done.method == "g4mp2" else "gfn2",
        made=(
            KINDS["b3lyp"]
            if kept
            else "B3LYP/6-31G(2df,p), relaxed"
            if done.method == "g4mp2"
            else "GFN2-xTB, relaxed; zero-point energy from its frequencies"
        ),
        molecule=done.molecule,
        ledger=lines,
        remarks=tuple(remarks),
        rung="g4mp2",
        waves=done.waves * (SCALE if done.method == "g4mp2" else 1.0),
    )


def _remarks(done: Computed) -> list[str]:
    """What makes a computed energy less certain than others."""
    spin, charge = int(done.molecule.spins[0]), int(done.molecule.charges[0])
    out = []
    if spin:
        out.append(f"computed with {spin} unpaired electron{'s' if spin > 1 else ''}")
    if charge:
        out.append(f"an ion of charge {charge:+d}")
    if charge == int(done.molecule.numbers.sum()):
        out.append(
            "a proton has no electrons: its total energy is 0, as in G2's proton affinities "
            "(Curtiss et al., J. Chem. Phys. 94, 7221, 1991); its ΔfH is 1.5 kcal/mol above "
            "experiment (365.69 at 298 K), which cancels in these"
        )
    if done.terms.t1 > T1_LARGE:
        out.append(
            f"T1 = {done.terms.t1:.3f} (above {T1_LARGE}): the electrons are far from one "
            "configuration, and the energy is less certain"
        )
    if abs(done.terms.contamination) > CONTAMINATED:
        out.append(
            f"⟨S²⟩ is off by {done.terms.contamination:+.2f}: another spin state is mixed in, and "
            "the energy is less certain"
        )
    return out
