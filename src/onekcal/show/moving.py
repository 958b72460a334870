"""Minima, vibrations and trajectories on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import progress as bars
from rich.markup import escape
from rich.table import Table

from onekcal.dynamics.minima import Minimum
from onekcal.dynamics.motion import Motion, Moved
from onekcal.models.as_method import meaning_of
from onekcal.molecules import Molecules
from onekcal.quantum.method import Method, formula_of
from onekcal.show.study import console, progress
from onekcal.thermo.frequencies import Frequencies

PER_LINE = 10
"""Wavenumbers on a line."""


def minima(found: list[Minimum], how: Method, out: Path | None) -> None:
    """Print one line for each relaxed molecule.

    Parameters
    ----------
    found
        The molecules.
    how
        What relaxed them.
    out
        Where they were written; None: nowhere.
    """
    lines = Table(box=None, pad_edge=False, header_style="dim")
    lines.add_column("molecule")
    for name in ("energy", "force left", "gradients"):
        lines.add_column(name, justify="right", no_wrap=True)
    lines.add_column("")
    for one in found:
        remarks = [f"{one.saddles} saddle point(s) left"] if one.saddles else []
        lines.add_row(
            escape(formula_of(one.molecule)),
            f"{one.energy:.3f}",
            f"{one.force:.4f}",
            str(one.steps),
            "; ".join([*remarks, *one.changes]),
        )
    console.print(lines, highlight=False)
    words = meaning_of(how)
    written = f"; written to {out}" if out else ""
    console.print(
        f"\n{words['kind']} energy in kcal/mol ({how.level}), force in eV/Å{written}",
        highlight=False,
        style="dim",
        soft_wrap=True,
    )


def minimum_dict(one: Minimum) -> dict[str, object]:
    """Return everything about a relaxed molecule, for JSON.

    Parameters
    ----------
    one
        The molecule.
    """
    return {
        "name": str(one.molecule.names[0]),
        "formula": one.molecule.formulas[0],
        "energy_kcal_per_mol": one.energy,
        "force_ev_per_angstrom": one.force,
        "gradients": one.steps,
        "saddle_points_left": one.saddles,
        "bond_changes": list(one.changes),
        "numbers": one.molecule.numbers.tolist(),
        "positions": one.molecule.positions.tolist(),
    }


def vibrations(molecule: Molecules, found: Frequencies, how: Method) -> None:
    """Print the wavenumbers of one molecule, and what follows from them.

    Parameters
    ----------
    molecule
        The molecule.
    found
        Its vibrations.
    how
        What computed them.
    """
    console.print(f"{escape(formula_of(molecule))} ({how.level}), 1/cm:", highlight=False)
    waves = [f"{wave:8.1f}" for wave in found.wavenumbers]
    for first in range(0, len(waves), PER_LINE):
        console.print("".join(waves[first : first + PER_LINE]), highlight=False)
    kind = "no minimum" if found.imaginary else "a minimum"
    console.print(
        f"zero-point energy {found.zero_point:.3f}, H(298 K) − H(0) {found.thermal.total:.3f} "
        f"kcal/mol; {found.imaginary} imaginary: {kind}",
        highlight=False,
        soft_wrap=True,
    )


def vibrations_dict(molecule: Molecules, found: Frequencies) -> dict[str, object]:
    """Return everything about the vibrations of a molecule, for JSON.

    Parameters
    ----------
    molecule
        The molecule.
    found
        Its vibrations.
    """
    return {
        "name": str(molecule.names[0]),
        "formula": molecule.formulas[0],
        "wavenumbers": found.wavenumbers.tolist(),
        "zero_point_kcal_per_mol": found.zero_point,
        "enthalpy_content_kcal_per_mol": found.thermal.total,
        "imaginary": found.imaginary,
        "force_ev_per_angstrom": found.force,
        "numbers": molecule.numbers.tolist(),
        "positions": molecule.positions.tolist(),
    }


@contextmanager
def watched(steps: int, quiet: bool = False) -> Iterator[Callable[[int, float, float], None]]:
    """Show the progress of a trajectory on a terminal.

    Parameters
    ----------
    steps
        How many steps there will be.
    quiet
        Show nothing.

    Yields
    ------
    callable
        To be called at each frame with the step, the temperature (K) and the energy (kcal/mol).
    """
    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        console=progress,
        transient=True,
        disable=quiet or not progress.is_terminal,
    ) as bar:
        task = bar.add_task("moving", total=steps)

        def watch(step: int, temperature: float, energy: float) -> None:
            bar.update(task, completed=step, description=f"{temperature:5.0f} K {energy:10.2f}")

        yield watch


def moved(done: Moved, motion: Motion) -> None:
    """Print what a trajectory came to; the last line is the drift of the energy.

    Parameters
    ----------
    done
        The trajectory.
    motion
        How it was made.
    """
    ensemble = f"Langevin, {motion.friction:g}/ps" if motion.friction else "NVE"
    console.print(
        f"{done.out}: {done.steps} steps of {motion.step:g} fs ({done.time:.4g} ps), {ensemble}, "
        f"{done.temperature:.0f} K on average",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"energy drift {done.drift:+.4f} kcal/mol/ps (whole molecule), at most "
        f"{done.widest:.4f} kcal/mol from the start",
        highlight=False,
        soft_wrap=True,
    )
    if not done.watched:
        console.print(
            "this model has no novelty: it cannot tell whether it still knew the molecule",
            style="dim",
            soft_wrap=True,
        )


def moved_dict(done: Moved) -> dict[str, object]:
    """Return what a trajectory came to, for JSON.

    Parameters
    ----------
    done
        The trajectory.
    """
    return {
        "out": str(done.out),
        "steps": done.steps,
        "time_ps": done.time,
        "temperature_K": done.temperature,
        "drift_kcal_per_mol_per_ps": done.drift,
        "widest_kcal_per_mol": done.widest,
        "stopped": done.stopped or None,
        "watched": done.watched,
    }
