"""A small model that is presented as the one that ships, and how tests ask it."""

from __future__ import annotations

from onekcal import datasets as store
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.trust.conformal import Conformal

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"
NANOMETRES = "3\nwater\nO 0 0 0.0117\nH 0 0.0757 -0.0469\nH 0 -0.0757 -0.0469\n"
METHYL = "4\nmethyl\nC 0 0 0\nH 1.08 0 0\nH -0.54 0.935 0\nH -0.54 -0.935 0\n"
APART = "2\nfar\nH 0 0 0\nH 0 0 5\n"
ATOM = "1\nnitrogen atom\nN 0 0 0\n"


def small_model() -> Artefact:
    """GFN2-xTB and dressed atoms fitted to `mini`, presented as the model that ships is: at 0 K,
    at GFN2 minima.

    What the numbers are worth is no matter here; an interval of its own belongs to each kind of
    geometry.
    """
    data = store.load("mini").dataset.aimed("b3lyp")
    stages = [("baseline", {"method": "gfn2"}), ("dressed_atoms", {})]
    model = Stack([build(name, settings) for name, settings in stages]).fit(
        data[:300], data[300:400]
    )
    scores = (
        (data[400:500].energies - model.energies(data[400:500].molecules, data[400:500].columns))
        .abs()
        .sort()
        .values
    )
    return Artefact(
        stages,
        model,
        "g4mp2",
        "atomization",
        "0 K",
        data.molecules.elements,
        int(data.molecules.sizes.max()),
        {
            "gfn2": Conformal(scores),
            "b3lyp": Conformal(scores * 1.5),
            "smiles": Conformal(scores, by_rivalry=True),
        },
        "gfn2",
        card=ModelCard(data="mini", heavy_atoms=7, more={"test": {"mae": 4.2}}),
    )


def answers(artefact: Artefact, *inputs: str, **settings: object) -> list[Answer]:
    return list(predict(inputs, artefact, Options(**settings)))  # type: ignore[arg-type]
