"""The verb `trust`: does a model know when it is wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onekcal.cli.console import Json, print_json, print_step
from onekcal.errors import InputError

if TYPE_CHECKING:
    from onekcal.runs.data_choice import DataChoice


def trust(
    models: Annotated[
        list[str],
        typer.Argument(help="Run folders; or, with --data, a model that ships or a model file."),
    ],
    signals: Annotated[
        str, typer.Option(help="Signals, with commas between them [default: all].")
    ] = "",
    data: Annotated[
        str | None, typer.Option(help="Of a model without a run: the data set to judge it on.")
    ] = None,
    target: Annotated[str, typer.Option(help="The energy column of that data set.")] = "g4mp2",
    split: Annotated[str, typer.Option(help="Its split; the test part is asked.")] = "random",
    fitted: Annotated[
        bool,
        typer.Option(
            "--fitted",
            help="The model was fitted to the training part; some signals look at it.",
        ),
    ] = False,
    sample: Annotated[
        int, typer.Option(min=10, help="The most test molecules, drawn at random.")
    ] = 20_000,
    save: Annotated[
        Path | None, typer.Option("--save", "--out", help="File to write (.html).")
    ] = None,
    battery: Annotated[
        bool,
        typer.Option(
            "--battery",
            help="Check the models instead: symmetries, forces, cut-offs, free atoms and more.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare what models doubt with their errors: one page of all signals.

    Signals are the spread of a blend, the variance of a kernel, novelty, the last layer of a
    network, HIP-NN's R and more. The page says how well each finds the errors above 1 kcal/mol.
    The battery writes its outcome onto the card of a run or a model file.
    """
    if battery:
        return _battery(models, as_json)
    from onekcal.show.endings import HTML, writable
    from onekcal.show.study import rows_table, waiting
    from onekcal.signals.compare import compare
    from onekcal.signals.subject import of_model, of_run

    if save is not None:
        writable(save, "the page of signals", HTML)
    runs = [Path(model) for model in models if Path(model).is_dir()]
    if data is None and len(runs) < len(models):
        strange = next(model for model in models if not Path(model).is_dir())
        raise InputError(
            f"{strange} is no run folder, and holds no test molecules; say on which data it is to "
            "be judged: --data SET --target COLUMN"
        )
    with waiting("asking the models", quiet=as_json):
        subjects = [
            of_run(Path(model), sample)
            if data is None
            else of_model(model, _choice(data, target, split), sample, fitted)
            for model in models
        ]
        names = [name.strip() for name in signals.split(",") if name.strip()]
        compared = compare(subjects, names)
    if as_json:
        print_json([one.to_dict() for one in compared])
        if save is None:
            return
    from onekcal.show.pages import trust as page

    alone = runs[0] / "trust.html" if len(models) == len(runs) == 1 and data is None else None
    out = page.save(compared, save or alone or Path("trust.html"))
    if as_json:
        return
    for one in compared:
        rows_table(
            f"{one.subject.name}: {len(one.error):,} molecules",
            [
                {"signal": name, **dict(zip(page.HEADS, page.cells(told.judged)))}
                for name, told in one.told.items()
            ],
        )
    print(f"\nwrote {out}")


def _battery(models: list[str], as_json: bool) -> None:
    """Check each model, and keep the outcome where the model is the user's own."""
    from onekcal.battery.run import battery, keep, kept
    from onekcal.models.model_card import ModelCard
    from onekcal.models.shipped import load_model
    from onekcal.runs.card import SANITY_HEADS, sanity
    from onekcal.show.study import console, rows_table

    told = []
    for model in models:
        outcomes = battery(load_model(model), watch=lambda one: print_step(one.name, "done"))
        if own := Path(model).exists():
            keep(Path(model), outcomes)
        told.append({"name": model, "checks": [one.to_dict() for one in outcomes]})
        if as_json:
            continue
        rows = sanity(ModelCard(battery=kept(outcomes)))
        rows_table(model, [dict(zip(SANITY_HEADS, row)) for row in rows])
        passed, asked = (
            sum(one.passed is not None and one.passed >= least for one in outcomes)
            for least in (True, False)
        )
        console.print(f"\n{passed} of {asked} checks pass" + "; kept on the card" * own)
    if as_json:
        print_json(told)


def _choice(data: str, target: str, split: str) -> DataChoice:
    from onekcal.runs.data_choice import DataChoice

    return DataChoice.model_validate({"set": data, "target": target, "split": split})
