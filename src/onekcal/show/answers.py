"""Predictions on the console: the whole ledger of one molecule, or one line for each of many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from rich.markup import escape
from rich.table import Table

from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.estimate import EACH, SHOWN, Unit, per_kcal
from onekcal.show.lines import cut, grid, level_name, plain
from onekcal.show.study import console
from onekcal.thermo.ledger import G4MP2_ERROR

SUM = "sum of the lines above"
"""How a ledger marks its results."""

# --- one molecule -----------------------------------------------------------------------------


def one(answer: Answer) -> None:
    """Print everything that is known of one molecule.

    Parameters
    ----------
    answer
        An answer that has no problem.
    """
    names = dict.fromkeys(filter(None, (answer.label, answer.formula, answer.smiles)))
    console.print(
        "   ".join(
            f"[bold]{escape(name)}[/]" if k == 0 else escape(name) for k, name in enumerate(names)
        ),
        highlight=False,
    )
    sources: list[str] = []
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=46)
    other: Unit = "kJ/mol" if answer.unit == "kcal/mol" else "kcal/mol"
    for name in (answer.unit, "±", other, ""):  # 80 columns
        table.add_column(name, justify="right", no_wrap=True)
    for line in ledger_lines(answer):
        if line.source and line.source not in sources:
            sources.append(line.source)
        table.add_row(
            escape(_labelled(line, answer)),
            _in_unit(line.value, answer),
            "" if line.error is None else _in_unit(line.error, answer),
            _number(line.value * per_kcal(other)) if line.result else "",
            f"[not bold dim]\\[{sources.index(line.source) + 1}]" if line.source else "",
            style="bold" if line.result else "",
        )
    console.print("", table, "", sep="\n", highlight=False)
    grid(_about(answer))
    console.print()
    grid((f"[{k}]", source) for k, source in enumerate(sources, 1))


def _labelled(line: Line, answer: Answer) -> str:
    """The label of a line; where it says an energy for each atom in another unit, with that."""
    unit = " kcal/mol" if answer.unit != "kcal/mol" and EACH.search(line.label) else ""
    return line.label if line.result else f"  {line.label}{unit}"


class Line(NamedTuple):
    """One line of the ledger.

    Parameters
    ----------
    label
        What the energy is.
    value
        kcal/mol.
    error
        Its uncertainty, kcal/mol; None where it is not known.
    source
        Where it comes from.
    result
        Whether it is a sum of the lines above.
    """

    label: str
    value: float
    error: float | None
    source: str
    result: bool = False


def ledger_lines(answer: Answer) -> Iterator[Line]:
    """List the lines of the ledger. An energy that is the only term of its sum stands for the sum.

    Parameters
    ----------
    answer
        An answer that has no problem.
    """
    half = _shown(answer.half)
    if answer.ledger is None:
        yield Line(
            _energy_name(answer),
            answer.energy,
            half,
            answer.level or "level of theory not stated",
            True,
        )
        return
    learned = answer.ledger.terms[0]
    alone = len([term for term in answer.ledger.terms if term.section == "atomization"]) == 1
    for term in answer.ledger.rows():
        if term.source == SUM:
            own = term.section == "atomization"
            source = learned.source if alone and own else ""
            warm = term.section == "formation 298 K"
            heat = answer.heat_half_298 if warm else answer.heat_half
            error = half if own else _shown(heat)
            yield Line(term.label, term.value, error, source, True)
        elif term.section != "remark" and not (alone and term is learned):
            signed = term.label if term.label[0] in "+−" else f"+ {term.label}"
            yield Line(signed, term.value, term.uncertainty, term.source)


def _shown(half: float) -> float | None:
    """A half width that says something: neither 0 nor infinite."""
    return half if half and math.isfinite(half) else None


def _energy_name(answer: Answer) -> str:
    """What the energy of an answer is called."""
    what = (
        "energy relative to free atoms" if answer.kind == "atomization" else f"{answer.kind} energy"
    )
    return f"{what}, {answer.at}"


def _about(answer: Answer) -> Iterator[tuple[str, str]]:
    """Interval, method, conformers, geometry and remarks, in words."""
    if math.isfinite(answer.half) and answer.half:
        yield from _intervals(answer)
    for term in answer.ledger.terms if answer.ledger else ():
        if term.section == "remark" and term.uncertainty is None:
            yield "ion", f"{term.label}; {term.source}"
        elif term.section == "remark" and answer.half and answer.rung != "g4mp2":
            yield (
                f"{level_name(answer.level)} itself",
                f"± {_in_unit(term.uncertainty or 0.0, answer)} {answer.unit} against experiment; "
                f"{term.source}",
            )
    yield from _thermochemistry(answer)
    if answer.isodesmic is not None:
        yield "second route", _second_route(answer)
    if answer.made:
        yield "geometry", answer.made
    if answer.conformers is not None:
        yield "conformers", _conformers(answer.conformers)
    if answer.novelty is not None:
        yield "novelty", f"{answer.novelty:.3g}"
    for name, values in answer.terms.items():
        yield name, "  ".join(f"{value:.4g}" for value in values)
    for remark in answer.remarks:
        yield "remark", remark


def _intervals(answer: Answer) -> Iterator[tuple[str, str]]:
    """The interval of each result, and what it is of."""
    level, corrected = whose(answer), answer.formation_half is not None
    totals = (
        {_energy_name(answer): answer.energy} if answer.ledger is None else answer.ledger.totals
    )
    head = f"{100 * answer.coverage:.0f} % interval"
    for name, value in totals.items():
        heat, warm = name.startswith("ΔfH"), name.startswith("ΔfH(298")
        half = answer.heat_half_298 if warm else answer.heat_half if heat else answer.half
        span = f"{_in_unit(value - half, answer)} … {_in_unit(value + half, answer)}"
        against = f", {'against experiment' if heat else level}" if corrected else ""
        if warm and answer.separated:
            against = ", against experiment"
        yield head, f"{span:20s} {name}{against}"
        head = ""
    yield (
        "",
        answer.unit if corrected else f"{answer.unit}, {level}; the other terms have their own ±",
    )


def whose(answer: Answer) -> str:
    """Say what the interval of the energy is of.

    Parameters
    ----------
    answer
        An answer that has no problem.
    """
    level = level_name(answer.level)
    if answer.rung == "g4mp2":
        return f"of {level} against experiment"
    return f"of the model against {level}"


def _thermochemistry(answer: Answer) -> Iterator[tuple[str, str]]:
    """Entropy, heat capacity and free energy, where they were asked for."""
    thermal = answer.thermochemistry
    if thermal is None:
        return
    at = f"{thermal.temperature:g} K, {thermal.pressure:g} bar"
    yield "H(T) − H(0)", f"{_in_unit(thermal.enthalpy, answer)} {answer.unit} at {at}"
    yield "G(T) − H(0)", f"{_in_unit(thermal.free_energy, answer)} {answer.unit}"
    yield "S(T), Cp", f"{thermal.entropy:.2f} and {thermal.heat_capacity:.2f} cal/mol/K"
    yield "", f"{answer.thermal_source}; symmetry number {thermal.symmetry}"
    for remark in thermal.remarks:
        yield "", remark


def _conformers(spread: Spread) -> str:
    """How many conformers there are, and how far apart."""
    others = spread.relative[1:]
    if not len(others):
        return f"one distinct among {spread.embedded} tried"
    above = ", ".join(f"{energy:.2f}" for energy in others[:8]) + (", …" if len(others) > 8 else "")
    return (
        f"{len(others) + 1} distinct among {spread.embedded} tried, spread {spread.largest:.2f} "
        f"kcal/mol by {spread.by}; the lowest is taken, others {above} above"
    )


def _second_route(answer: Answer) -> str:
    """ΔfH(298.15 K) by a bond separation, which is in kcal/mol."""
    unit = "" if answer.unit == "kcal/mol" else " (kcal/mol)"
    return f"ΔfH(298.15 K) {answer.isodesmic}{unit}"


def _in_unit(value: float, answer: Answer) -> str:
    """An energy (kcal/mol) in the unit of the answer."""
    return _number(value * per_kcal(answer.unit), SHOWN[answer.unit])


def _number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


# --- many molecules ---------------------------------------------------------------------------


def table(answers: Iterable[Answer]) -> None:
    """Print one line for each molecule, as the answers come.

    One molecule alone is shown with its whole ledger.

    Parameters
    ----------
    answers
        Those with a problem are left out.
    """
    answers = (answer for answer in answers if not answer.problem)
    first, second = next(answers, None), next(answers, None)
    if first is None:
        return
    if second is None:
        one(first)
        return
    ledgers = first.at == "0 K" and first.kind == "atomization"
    heats = f"  {'ΔfH(0 K)':>9s}  {'ΔfH(298 K)':>10s}" if ledgers else ""
    interval = f"{100 * first.coverage:.0f} % interval"
    plain(
        f"{'molecule':22s}  {'formula':11s}  {first.kind:>11s}  {interval:>19s}{heats}  {'±':>5s}",
        "bold",
    )
    made: Counter[str] = Counter()
    corrected, computed = False, set[bool]()
    for answer in chain([first, second], answers):
        _line(answer, ledgers)
        made[answer.made] += 1
        corrected = corrected or answer.formation_half is not None
        if answer.half and not answer.problem:  # a free atom's energy is exact
            computed.add(answer.rung == "g4mp2")
    plain(_footer(first, interval, corrected, computed), "dim")
    for how, number in made.items():
        if how:
            plain(f"{number} geometr{'y' if number == 1 else 'ies'} {how}", "dim")


def _footer(first: Answer, interval: str, corrected: bool, computed: set[bool]) -> str:
    """What the columns of the table mean; `computed`: whether answers are G4(MP2)'s own."""
    level = level_name(first.level)
    if first.separated:
        return (
            f"{first.unit}; {interval} of the energy against {level} ({first.at}); ± of "
            "ΔfH(298 K), which a separation gives, against experiment"
        )
    if corrected:
        against = "experiment" if computed == {True} else f"{level} ({first.at})"
        some = ", of computed ones against experiment" if len(computed) == 2 else ""
        return (
            f"{first.unit}; {interval} of the energy against {against}{some}; ± of the heats of "
            "formation, which are corrected to experiment"
        )
    own = f", whose own error is ± {_in_unit(G4MP2_ERROR, first)}" if level == "G4(MP2)" else ""
    return f"{first.unit}; ±: half of the {interval} against {level} ({first.at}){own}"


def _line(answer: Answer, ledgers: bool) -> None:
    """Print the line of one molecule, and a line for each of its remarks."""
    ledger = answer.ledger
    ends = f"{_in_unit(answer.lower, answer)} … {_in_unit(answer.upper, answer)}"
    half = _in_unit(answer.heat_half_298, answer)
    if not math.isfinite(answer.half):
        ends, half = "none", "–"
    elif not answer.half:
        ends = "exact"
    words = [
        f"{cut(answer.label, 22):22s}",
        f"{cut(answer.formula, 11):11s}",
        f"{_in_unit(answer.energy, answer):>11s}",
        f"{ends:>19s}",
    ]
    if ledgers:
        heats = (
            ("–", "–")
            if ledger is None
            else (_in_unit(ledger.formation_0, answer), _in_unit(ledger.formation_298, answer))
        )
        words += [f"{heats[0]:>9s}", f"{heats[1]:>10s}"]
    plain("  ".join([*words, f"{half:>5s}"]))
    second = [_second_route(answer)] if answer.isodesmic else []
    for remark in [*second, *answer.remarks]:
        plain(f"  ↳ {remark}", "dim")
