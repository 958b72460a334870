"""`onekcal data`: the data sets, and files of your own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onekcal.cli.console import Json, examples, print_json
from onekcal.errors import OnekcalError

data_app = typer.Typer(
    help="Data sets: list, get, import, export, check, show.", no_args_is_help=True
)


@data_app.command("list", epilog=examples("data list", "data list --json"))
def data_list(as_json: Json = False) -> None:
    """List the data sets, and say which are on this machine."""
    from onekcal import datasets as store
    from onekcal.show import study

    cards = [store.card(name) for name in [*store.names(), *store.imported()]]
    rows = [
        {
            "name": c.name,
            "molecules": c.molecules,
            "level": c.level,
            "here": store.is_here(c.name),
            "licence": c.licence,
        }
        for c in cards
    ]
    print_json(rows) if as_json else study.rows_table("Data sets", rows)


@data_app.command("get", epilog=examples("data get qm7", "data get qm9-g4mp2 md17-ethanol"))
def data_get(
    names: Annotated[list[str], typer.Argument(help="Names from `onekcal data list`.")],
) -> None:
    """Fetch data sets from their official sources.

    Where ONEKCAL_MIRROR (a folder or a URL) is set, they come from there.
    """
    from onekcal import datasets as store

    failed = []
    for name in names:
        try:
            print(f"{name}: {store.get(name)}")
        except OnekcalError as problem:
            failed.append(problem)
            print(f"onekcal: {name}: {problem}", file=sys.stderr)
    if failed:
        raise typer.Exit(failed[0].exit_code)


@data_app.command(
    "import",
    epilog=examples(
        "data import mine.extxyz --name mine --level ccsd(t)/cc-pvtz",
        "data import mine.npz --name mine --energy hartree --length bohr",
    ),
)
def data_import(
    file: Annotated[
        Path, typer.Argument(help="A file: official format of a data set, xyz, extxyz, sdf, npz.")
    ],
    name: Annotated[str, typer.Option(help="Known by this name afterwards.")],
    level: Annotated[str, typer.Option(help="Level of theory of the energies.")] = "",
    kind: Annotated[
        str | None,
        typer.Option(help="total, atomization or formation; default: the one in the file."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help='electronic, "0 K" or "298 K"; default: the one in the file.')
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option(help="Unit of the energies; default: the one in the file, or kcal/mol."),
    ] = None,
    forces: Annotated[
        str | None, typer.Option(help="Unit of the forces; default: energy/length.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(help="Unit of the coordinates; default: the one in the file, or angstrom."),
    ] = None,
    energy_key: Annotated[
        str, typer.Option(help="Where an extxyz file keeps energies.")
    ] = "energy",
    forces_key: Annotated[str, typer.Option(help="Where an extxyz file keeps forces.")] = "forces",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a data set of this name.")
    ] = False,
) -> None:
    """Bring a file of your own into the store; its units are converted once, here."""
    from onekcal import datasets as store

    path = store.import_file(
        file,
        name,
        force,
        level=level,
        kind=kind,
        at=at,
        energy=energy,
        forces=forces,
        length=length,
        energy_key=energy_key,
        forces_key=forces_key,
    )
    if not (there := store.load(name).dataset).columns:
        print(
            f"onekcal: {file} holds no energies that could be read, only {len(there):,} "
            "geometries; an extxyz file keeps energies under energy=…, or under the name that "
            "--energy-key gives",
            file=sys.stderr,
        )
    print(f"{name}: {path}; next: onekcal data check {name}")


@data_app.command(
    "export",
    epilog=examples(
        "data export computed.npz", "data export radicals.extxyz --level g4mp2 --no-ships"
    ),
)
def data_export(
    out: Annotated[Path, typer.Argument(help="The file to write: npz, h5, extxyz, sdf.")],
    level: Annotated[
        str | None,
        typer.Option(
            help="Only molecules with an energy of this level: g4mp2, g4mp2//gfn2 or b3lyp. "
            "extxyz and sdf need it."
        ),
    ] = None,
    ships: Annotated[bool, typer.Option(help="The species that come with the package too.")] = True,
) -> None:
    """Write every computed molecule as a data set, for training or for others.

    The columns say the level, the diagnostics, and whether a molecule was computed here.
    """
    from onekcal.labels.export import export

    data = export(out, level=level, ships=ships)  # type: ignore[arg-type]
    print(f"{out}: {len(data):,} molecules with {', '.join(data.columns)}; next: data check {out}")


@data_app.command("check", epilog=examples("data check qm7", "data check labels.h5 --json"))
def data_check(
    data: Annotated[str, typer.Argument(help="A data set's name or a file.")], as_json: Json = False
) -> None:
    """Check a data set: what was found, what is doubtful, and what to do about it."""
    from onekcal import datasets as store
    from onekcal.datasets.doctor.check import check
    from onekcal.show import study

    with study.waiting(f"checking {data}", quiet=as_json):
        stored = store.load(data)
        report = check(stored.dataset, stored.splits)
    print_json(report.to_dict()) if as_json else study.report(data, report)
    if report.failed:
        raise typer.Exit(3)


@data_app.command(
    "show", epilog=examples("data show mini", "data show labels.h5 --out labels.html")
)
def data_show(
    data: Annotated[str, typer.Argument(help="A data set's name or a file.")],
    out: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
) -> None:
    """Write an offline HTML file of distributions, and print the card.

    It shows energies, sizes, elements and force components.
    """
    from onekcal import datasets as store
    from onekcal.show import plots, study

    stored = store.load(data)
    study.card(stored)
    out = out or Path(f"{Path(data).stem}.html")
    plots.save(plots.distributions(stored.dataset), out)
    print(f"wrote {out}")
