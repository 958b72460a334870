"""What to cite for an answer: the methods and the data behind its number, as BibTeX."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files

from onekcal.models.artefact import Artefact
from onekcal.prediction.answers import Answer

SOURCES = "sources.bib"
"""The file beside this one; each entry is called after what it is the source of."""
BRACES = {ord(c): None for c in "{}\\"}
"""What may not stand in a field whose text comes from a file."""


def sources() -> dict[str, str]:
    """Read the BibTeX entries of onekcal, the methods and the data, by their names."""
    text = files("onekcal.prediction").joinpath(SOURCES).read_text(encoding="utf-8")
    text = text.replace("VERSION", version("onekcal"))
    entries = [entry.strip() for entry in text.split("\n\n")]
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}


def bibtex(answer: Answer, artefact: Artefact) -> str:
    """List what to cite for an answer.

    Parameters
    ----------
    answer
        The answer to one question.
    artefact
        The model that was asked.

    Returns
    -------
    str
        BibTeX entries: onekcal, then methods and data. Only onekcal where there is no answer.
    """
    known = sources()
    entries = [known[name] for name in ("onekcal", *_named(answer, artefact))]
    own = "" if _of_qm9(artefact) else artefact.card.data_card.get("citation", "")
    if own and not answer.problem and answer.rung == "learned":
        entries.append(f"@misc{{data,\n  note = {{{own.translate(BRACES)}}}\n}}")
    return "\n\n".join(entries) + "\n"


def _named(answer: Answer, artefact: Artefact) -> list[str]:
    """What an answer comes from, by the names of `sources`."""
    if answer.problem:
        return []
    learned = answer.rung in ("learned", "b3lyp")
    stages = str(artefact.card.experiment.get("stages", ""))
    uses_gfn2 = answer.geometry in ("smiles", "gfn2") or "gfn2" in stages
    return [
        name
        for name, used in (
            ("gfn2", (uses_gfn2 and answer.rung == "learned") or answer.conformers is not None),
            ("etkdg", answer.conformers is not None),
            ("g4mp2", answer.level == "g4mp2"),
            ("b3lyp", answer.rung in ("b3lyp", "g4mp2")),
            ("qm9", learned and _of_qm9(artefact)),
            ("qm9-g4mp2", learned and _of_qm9(artefact) and answer.level == "g4mp2"),
            ("atoms", answer.ledger is not None),
            ("atct", answer.isodesmic is not None),
        )
        if used
    ]


def _of_qm9(artefact: Artefact) -> bool:
    """Whether a model was fitted to molecules of QM9, as the models that ship are."""
    return (artefact.card.data or "").startswith(("qm9", "g4mp2-relaxed", "b3lyp-electronic"))
