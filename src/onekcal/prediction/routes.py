r"""A second route to a heat of formation: bond separations with experimental partners.

    ΔfH(298 K, M) = ΔfH_calc(M) − Σ n [ΔfH_calc(partner) − ΔfH_exp(partner)]

The partners are the small species that `separation` writes the molecule M with. So the second route
takes off the errors of the method that belong to bonds, or to atoms with their neighbours. All
energies are G4(MP2)'s: that of M as it was answered, those of the partners computed and stored,
else published (QM9-G4MP2), else learned.

The interval is against experiment. It adds the squares of three parts: the joint interval of what
was learned (`joint`), what is left of G4(MP2)'s error (`LEFT`), and the uncertainties of the
experiments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from onekcal.errors import InputError
from onekcal.geometry.bonds import perceived
from onekcal.geometry.species import species
from onekcal.labels.computed import Store, key_of_smiles
from onekcal.labels.deviations import class_of, deviation, scaled
from onekcal.models.artefact import Artefact
from onekcal.models.to_experiment import shipped as to_experiment
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.isodesmic import Isodesmic, Partner
from onekcal.prediction.joint import joint_half
from onekcal.prediction.options import Level, Route
from onekcal.prediction.separation import HierarchyRung, Separation, separations
from onekcal.thermo.ledger import Ledger, Term, ledger
from onekcal.thermo.small_species import small_species

LEFT: dict[HierarchyRung, float] = {1: 1.69, 2: 1.22}
"""kcal/mol; 90 % of the errors of G4 and of published G4(MP2) by these routes are smaller
(`results/routes.json`).
"""
RADICAL_LEFT = 1.91
"""The same for radicals by bond separation."""

Ask = Callable[[str], Answer]
"""The answer of the learned rung for a SMILES."""
Found = tuple[Partner, Answer | None]
"""A partner, and its answer where it was learned."""


def with_route(
    answer: Answer, route: Route, artefact: Artefact, ask: Ask, level: Level = "experiment"
) -> Answer:
    """Add the second route to an answer.

    Parameters
    ----------
    answer
        One with a ledger.
    route
        "isodesmic" or "both"; "auto" adds it only where it costs nothing and differs by more than
        the intervals.
    artefact
        The model.
    ask
        Answers small species by it.
    level
        What the first route's heat of formation is to meet, for the comparison of both.

    Raises
    ------
    InputError
        The route is "isodesmic", and there is none.
    """
    try:
        found = isodesmic(answer, artefact, ask if route != "auto" else None, level)
    except InputError as problem:
        if route == "isodesmic":
            raise
        if route == "auto":
            return answer
        return replace(answer, remarks=(*answer.remarks, f"no second route: {problem}"))
    if route == "auto" and not found.apart:
        return answer
    remarks = [*answer.remarks, f"energies of the partners at G4(MP2): {found.mixture}"]
    if found.apart:
        remarks.append("the two routes to ΔfH(298 K) differ by more than their intervals")
    lines = answer.ledger
    if route == "isodesmic":
        assert lines is not None
        lines = Ledger(lines.formula, (*lines.terms, *found.terms()))
    return replace(answer, isodesmic=found, remarks=tuple(remarks), ledger=lines)


def isodesmic(
    answer: Answer, artefact: Artefact, ask: Ask | None = None, level: Level = "experiment"
) -> Isodesmic:
    """Compute ΔfH(298 K) by the separation with the narrowest interval, of those possible.

    Parameters
    ----------
    answer
        One with a ledger, at the level G4(MP2).
    artefact
        The model, for the joint interval of what it answered.
    ask
        Answers partners that were neither computed nor published; None leaves these unknown.
    level
        As in `with_route`.

    Raises
    ------
    InputError
        The molecule cannot be separated, or a partner has no experiment or no energy.
    """
    _check(answer)
    lacking = ""
    possible: list[Isodesmic] = []
    for one in separations(_smiles(answer, ask is not None)):
        lacks = [text for text in one.partners if text not in small_species()]
        if lacks:
            lacking = f"no experimental heat of formation of {', '.join(lacks)} here"
            continue
        partners = [_partner(text, n, ask) for text, n in one.partners.items()]
        known = [partner for partner in partners if partner is not None]
        if len(known) == len(partners):
            possible.append(_summed(answer, artefact, one, known, level))
            continue
        lacks = [text for text, partner in zip(one.partners, partners) if partner is None]
        lacking = f"no G4(MP2) energy of {', '.join(lacks)} (`--rung g4mp2` computes it)"
    if not possible:
        raise InputError(f"{one} has {lacking}")
    return min(possible, key=lambda found: found.half)  # the first is the higher rung


def _check(answer: Answer) -> None:
    """Refuse an answer that is not at the level of the partners."""
    if answer.ledger is None or answer.molecule is None:
        raise InputError("a second route needs the ledger of the first")
    if answer.level != "g4mp2":
        raise InputError(f"the partners have G4(MP2) energies, the answer is at {answer.level}")
    if answer.rung == "g4mp2" and answer.geometry == "gfn2":
        raise InputError("g4mp2//gfn2 is another level than that of the partners")


def _smiles(answer: Answer, perceive: bool) -> str:
    """The SMILES of an answer, from its geometry where none was given."""
    if answer.smiles:
        return answer.smiles
    molecule = answer.molecule
    assert molecule is not None
    if int(molecule.charges[0]):
        raise InputError("bonds are separated in neutral molecules only")
    graph = None
    if perceive:
        numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
        graph = perceived(numbers, positions, 0, int(molecule.spins[0]))
    if graph is None:
        raise InputError("the geometry does not show the bonds; give a SMILES")
    from rdkit import Chem

    return str(Chem.MolToSmiles(graph))


def _partner(smiles: str, count: int, ask: Ask | None) -> Found | None:
    """A partner with its energy from the best source that has one."""
    known = small_species()[smiles]
    state = species(smiles)
    stored = Store().find(key_of_smiles(smiles, state.charge, state.spin, "g4mp2"))
    learned, half = None, 0.0
    if stored is not None:
        heat = Term("H(298 K) − H(0)", stored.heat, None, "", "formation 298 K")
        lines = ledger(stored.molecule, stored.energy, "g4mp2", thermal=heat)
        energy, how = lines.formation_298, "stored"
    elif known.g4mp2 is not None:
        energy, how = known.g4mp2, "published"
    else:
        learned = ask(smiles) if ask is not None else None
        if learned is None or learned.ledger is None or not math.isfinite(learned.half):
            return None
        energy, how, half = learned.ledger.formation_298, "learned", learned.half
    experiment = (known.formation, known.uncertainty, known.source)
    return Partner(smiles, count, *experiment, energy, how, half), learned


def _summed(
    answer: Answer,
    artefact: Artefact,
    separation: Separation,
    found: Sequence[Found],
    level: Level,
) -> Isodesmic:
    """The heat of formation, its interval, and whether it differs from the first route."""
    molecule, lines = answer.molecule, answer.ledger
    assert molecule is not None
    assert lines is not None
    partners = tuple(one for one, _ in found)
    shift = -sum(one.count * one.error for one in partners)
    left = math.hypot(
        left_of(molecule, separation.rung, answer.coverage),
        *(one.count * one.uncertainty for one in partners),
    )
    learned = [(-float(one.count), said) for one, said in found if said is not None]
    own = [(1.0, answer)] if answer.rung == "learned" else []
    apart = answer.half if answer.rung == "b3lyp" else 0.0  # of a model of its own
    if level == "experiment":
        line = to_experiment().line(molecule, answer.coverage)
        method, correction = line.uncertainty or 0.0, line.value
    else:
        method, correction = deviation(molecule, answer.coverage)[0], 0.0
    change = _joint(learned, artefact, answer.coverage)  # the error of M is in both routes
    return Isodesmic(
        separation,
        partners,
        lines.formation_298 + shift,
        math.hypot(_joint([*own, *learned], artefact, answer.coverage), apart, left),
        abs(shift - correction) > math.hypot(method, left, change),
    )


def _joint(terms: Sequence[tuple[float, Answer]], artefact: Artefact, coverage: float) -> float:
    """Half of the joint interval of learned answers, kcal/mol."""
    if not terms:
        return 0.0
    counts, answers = zip(*terms)
    return joint_half(counts, answers, artefact, coverage).half


def left_of(molecule: Molecules, rung: HierarchyRung, coverage: float) -> float:
    """Return the half width of what is left of G4(MP2)'s error, kcal/mol.

    Parameters
    ----------
    molecule
        The molecule.
    rung
        Of the hierarchy.
    coverage
        The share that is to be covered; other shares than 0.9 scale as those of a normal
        distribution do.
    """
    radical = class_of(molecule) in ("radicals", "ions")
    ninety = max(LEFT[rung], RADICAL_LEFT) if radical else LEFT[rung]
    return scaled(ninety, coverage)
