"""Reactions on the console: Hess's law term by term for one, or one line for each of many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain

from rich.markup import escape
from rich.table import Table

from onekcal.prediction.estimate import SHOWN, Unit, per_kcal
from onekcal.prediction.reaction import Participant, Reaction
from onekcal.show.lines import cut, grid, level_name, plain
from onekcal.show.study import console
from onekcal.thermo.frequencies import TEMPERATURE
from onekcal.thermo.ledger import G4MP2_ERROR

# --- one reaction -----------------------------------------------------------------------------


def one(reaction: Reaction) -> None:
    """Print the species of a reaction, their sums, and the results.

    Parameters
    ----------
    reaction
        A reaction that has no problem.
    """
    console.print(f"[bold]{escape(reaction.balanced)}[/]", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=16)
    heads = _heads(reaction)
    for name in ("ν", *heads):
        table.add_column(name, justify="right", no_wrap=True)
    for species in reaction.participants:
        values = _values(species, reaction)
        number = f"{species.coefficient}".replace("-", "−")
        cells = (_number(v, reaction.unit) for v in values)
        table.add_row(f"  {escape(species.text)}", number, *cells)
    sums = [
        sum(float(s.coefficient) * v for s, v in zip(reaction.participants, column))
        for column in zip(*(_values(species, reaction) for species in reaction.participants))
    ]
    table.add_row("Σ ν ×", "", *(_number(v, reaction.unit) for v in sums), style="bold")
    console.print("", table, "", sep="\n", highlight=False)
    _results(reaction)
    console.print()
    grid(_about(reaction))


def _heads(reaction: Reaction) -> list[str]:
    """The columns of the species."""
    heads = ["ΔfH(0 K)"]
    if reaction.temperature == TEMPERATURE:
        heads.append("ΔfH(298 K)")
    if math.isfinite(reaction.free_energy):
        heads += ["H − H(0)", "G − H(0)", "S"]
    return heads


def _values(species: Participant, reaction: Reaction) -> list[float]:
    """The numbers of one species, as `_heads` names them, in the reaction's unit."""
    ledger, thermal = species.answer.ledger, species.thermal
    assert ledger is not None
    scale = per_kcal(reaction.unit)
    values = [ledger.formation_0 * scale]
    if reaction.temperature == TEMPERATURE:
        values.append(ledger.formation_298 * scale)
    if thermal is not None and math.isfinite(reaction.free_energy):
        values += [thermal.enthalpy * scale, thermal.free_energy * scale, thermal.entropy]
    return values


def _results(reaction: Reaction) -> None:
    """Print the energies of the reaction with their interval."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=16)
    here = reaction.unit
    other: Unit = "kJ/mol" if here == "kcal/mol" else "kcal/mol"
    for name in (here, "±", other):
        table.add_column(name, justify="right", no_wrap=True)
    half, ratio = _half(reaction), per_kcal(other) / per_kcal(here)
    for name, value in energies(reaction).items():
        table.add_row(name, _number(value, here), half, _number(value * ratio, other), style="bold")
    console.print(table, highlight=False)


def energies(reaction: Reaction) -> dict[str, float]:
    """Return the results of a reaction by name, those that are known.

    Parameters
    ----------
    reaction
        A reaction that has no problem.

    Returns
    -------
    dict
        In the reaction's unit.
    """
    kelvin, told = f"{reaction.temperature:g} K", reaction.energies()
    named = {
        "ΔrE(0 K)": told["energy_0"],
        f"ΔrH({kelvin})": told["enthalpy"],
        f"ΔrG({kelvin})": told["free_energy"],
    }
    return {name: value for name, value in named.items() if math.isfinite(value)}


def _about(reaction: Reaction) -> Iterator[tuple[str, str]]:
    """Interval, standard state, geometries and remarks, in words."""
    if math.isfinite(reaction.half):
        yield f"{100 * reaction.coverage:.0f} % interval", _meaning(reaction)
    if math.isfinite(reaction.free_energy):
        yield (
            "standard state",
            f"ideal gas at {reaction.temperature:g} K, {reaction.pressure:g} bar of each species; "
            "rigid rotor, harmonic, soft vibrations as by Grimme (2012)",
        )
        yield "H, G, S", f"at {reaction.temperature:g} K; S in cal/mol/K"
        turns = [f"{s.text} {s.thermal.symmetry}" for s in reaction.participants if s.thermal]
        yield "symmetry numbers", ", ".join(turns)
    for how in dict.fromkeys(species.answer.made for species in reaction.participants):
        if how:
            yield "geometry", how
    for remark in reaction.remarks:
        yield "remark", remark


def _meaning(reaction: Reaction) -> str:
    """What the interval is of."""
    against = level_name(reaction.against)
    itself = f"± {G4MP2_ERROR} kcal/mol a molecule"
    own = f"; {against} itself: {itself}" if against == "G4(MP2)" else ""
    return (
        f"of ΔrE(0 K) against {against}, for the reaction as a whole; it holds no error of the "
        f"thermal parts{own}"
    )


def _number(value: float, unit: Unit) -> str:
    """A number with a true minus sign, and as many decimals as its unit needs."""
    return f"{value:.{SHOWN[unit]}f}".replace("-", "−")


def _half(reaction: Reaction) -> str:
    """Half of the interval; a dash where none can be given."""
    half = reaction.energies()["half"]
    return _number(half, reaction.unit) if math.isfinite(half) else "–"


# --- many reactions ---------------------------------------------------------------------------


def table(reactions: Iterable[Reaction]) -> None:
    """Print one line for each reaction, as they come; one alone is shown term by term.

    Parameters
    ----------
    reactions
        Those with a problem are left out.
    """
    reactions = (reaction for reaction in reactions if not reaction.problem)
    first, second = next(reactions, None), next(reactions, None)
    if first is None:
        return
    if second is None:
        one(first)
        return
    heads = "  ".join(f"{name:>13s}" for name in energies(first))
    plain(f"{'reaction':46s}  {heads}  {'±':>6s}  against", "bold")
    for reaction in chain([first, second], reactions):
        numbers = (_number(value, reaction.unit) for value in energies(reaction).values())
        values = "  ".join(f"{number:>13s}" for number in numbers)
        words = [f"{cut(reaction.balanced, 46):46s}", values, f"{_half(reaction):>6s}"]
        plain("  ".join([*words, level_name(reaction.against)]))
        for remark in reaction.remarks:
            plain(f"  ↳ {remark}", "dim")
    plain(
        f"{first.unit}; ±: half of the joint {100 * first.coverage:.0f} % interval of ΔrE(0 K); it "
        "holds no error of the thermal parts",
        "dim",
    )
