"""Reactions on the console: Hess's law term by term for one, or one line for each of many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain

from rich.markup import escape
from rich.table import Table

from onekcal.prediction.reaction import Participant, Reaction
from onekcal.show.lines import cut, grid, level_name, plain
from onekcal.show.study import console
from onekcal.thermo.frequencies import TEMPERATURE
from onekcal.thermo.ledger import G4MP2_ERROR
from onekcal.units import KJ

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
        table.add_row(f"  {escape(species.text)}", number, *(_number(v) for v in values))
    sums = [
        sum(float(s.coefficient) * v for s, v in zip(reaction.participants, column))
        for column in zip(*(_values(species, reaction) for species in reaction.participants))
    ]
    table.add_row("Σ ν ×", "", *(_number(value) for value in sums), style="bold")
    console.print("", table, "", sep="\n", highlight=False)
    _results(reaction)
    console.print()
    grid(_about(reaction))


def _heads(reaction: Reaction) -> list[str]:
    """The columns of the species."""
    heads = ["ΔfH(0 K)"]
    if reaction.temperature == TEMPERATURE:
        heads.append("ΔfH(298.15 K)")
    if math.isfinite(reaction.free_energy):
        heads += ["H(T) − H(0)", "G(T) − H(0)", "S(T) cal/mol/K"]
    return heads


def _values(species: Participant, reaction: Reaction) -> list[float]:
    """The numbers of one species, as `_heads` names them."""
    ledger, thermal = species.answer.ledger, species.thermal
    assert ledger is not None
    values = [ledger.formation_0]
    if reaction.temperature == TEMPERATURE:
        values.append(ledger.formation_298)
    if thermal is not None and math.isfinite(reaction.free_energy):
        values += [thermal.enthalpy, thermal.free_energy, thermal.entropy]
    return values


def _results(reaction: Reaction) -> None:
    """Print the energies of the reaction with their interval."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=16)
    for name in ("kcal/mol", "±", "kJ/mol"):
        table.add_column(name, justify="right", no_wrap=True)
    half = f"{reaction.half:.2f}" if math.isfinite(reaction.half) else "–"
    for name, value in energies(reaction).items():
        table.add_row(name, _number(value), half, _number(value / KJ), style="bold")
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
        kcal/mol.
    """
    kelvin = f"{reaction.temperature:g} K"
    named = {
        "ΔrE(0 K)": reaction.energy,
        f"ΔrH({kelvin})": reaction.enthalpy,
        f"ΔrG({kelvin})": reaction.free_energy,
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
    own = f"; {against} itself: ± {G4MP2_ERROR} a molecule" if against == "G4(MP2)" else ""
    return (
        f"of ΔrE(0 K) against {against}, for the reaction as a whole; it holds no error of the "
        f"thermal parts{own}"
    )


def _number(value: float) -> str:
    """A number with a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


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
    plain(f"{'reaction':46s}  {heads}  {'±':>5s}  against", "bold")
    for reaction in chain([first, second], reactions):
        half = f"{reaction.half:.2f}" if math.isfinite(reaction.half) else "–"
        values = "  ".join(f"{_number(value):>13s}" for value in energies(reaction).values())
        words = [f"{cut(reaction.balanced, 46):46s}", values, f"{half:>5s}"]
        plain("  ".join([*words, level_name(reaction.against)]))
        for remark in reaction.remarks:
            plain(f"  ↳ {remark}", "dim")
    plain(
        f"kcal/mol; ±: half of the joint {100 * first.coverage:.0f} % interval of ΔrE(0 K); it "
        "holds no error of the thermal parts",
        "dim",
    )
