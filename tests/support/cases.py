"""Every registered model with settings that a test can afford, and what it does not promise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EXACT = 1e-6
"""kcal/mol; float64 sums of ~100 kcal/mol carry ~1e-13 relative, solvers lose up to seven digits
of it.
"""


@dataclass(frozen=True)
class Case:
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Symmetries this model does not have: translation, rotation, permutation; "smooth" where its
    energy jumps, as neighbours or sorted rows change places, or has kinks, as |x − x'| has.
    """
    overfit: float = 1.0
    """kcal/mol reached on eight molecules it was fitted to."""
    reads_columns: bool = False
    exact: float = EXACT
    """kcal/mol; larger where a model declares that it approximates, and differently in batches of
    different size.
    """
    moved: float = EXACT
    """kcal/mol between a molecule and itself turned or with its atoms in another order; larger
    where these change the order of sums in float32.
    """
    longer: dict[str, Any] = field(default_factory=dict)
    """Settings for learning by heart, where those of the other tests train for a moment only."""

    def __str__(self) -> str:
        return "-".join(
            [self.model, *(str(v) for v in self.settings.values() if isinstance(v, str))]
        )


MOMENT = {"recipe": "onecycle", "epochs": 3, "batch": 8, "rate": 5e-3}
BY_HEART = {**MOMENT, "epochs": 300, "ema": 0.0}

CASES = [
    Case("dressed_atoms"),
    Case("baseline", {"method": "pairs"}, reads_columns=True, overfit=1e-9),
    Case("bond_correction", {"regularization": 1e-6}),
    Case(
        "blend",
        {
            "members": [
                {"sparse_kernel": {"landmarks": 200, "regularization": 1e-9, "force_weight": 0.0}},
                ["dressed_atoms", {"bond_correction": {"regularization": 1e-6}}],
            ],
            "weights": [3.0, 1.0],
        },
        overfit=2.0,
    ),
    Case("density_ridge", {"densities": 20, "regularization": 1e-6}),
    Case(
        "density_ridge",
        {"densities": 20, "regularization": 1e-6, "electronic": True},
        # differences of GFN2-xTB's numbers are as good as its convergence
        frozenset({"smooth"}),
        moved=1e-4,
    ),
    Case("fchl_kernel", {"sigma": 2.0, "regularization": 1e-9, "forces": False}),
    Case("fchl_kernel", {"sigma": 2.0, "regularization": 1e-9, "forces": True}),
    Case("sparse_kernel", {"landmarks": 200, "regularization": 1e-9, "force_weight": 0.0}),
    Case("sparse_kernel", {"landmarks": 200, "regularization": 1e-9, "force_weight": 1.0}),
    Case(
        "global_kernel",
        {"features": "slatm", "kernel": "gaussian", "sigma": 30.0, "regularization": 1e-8},
    ),
    Case(
        "global_kernel",
        {"features": "slatm", "kernel": "laplacian", "regularization": 1e-8},
        frozenset({"smooth"}),
    ),
    Case(
        "global_kernel",
        {"features": "coulomb", "kernel": "laplacian", "regularization": 1e-8},
        frozenset({"smooth"}),
    ),
    Case("regression", {"features": "sorted_eigenvalues", "estimator": "linear"}),
    Case(
        "regression",
        {"features": "sorted_eigenvalues", "estimator": "krr", "gamma": 0.01, "alpha": 1e-9},
    ),
    Case(
        "regression",
        {"features": "sorted_eigenvalues", "estimator": "knn", "weights": "distance"},
        frozenset({"smooth"}),
    ),
    Case(
        "regression",
        {"features": "sorted_eigenvalues", "estimator": "svr", "C": 1e5, "epsilon": 0.01},
    ),
    Case(
        "regression",
        {"features": "sorted_coulomb", "estimator": "ridge", "alpha": 1e-6},
        frozenset({"smooth"}),
    ),
    Case(
        "regression",
        {"features": "coulomb", "estimator": "krr", "gamma": 0.01, "alpha": 1e-9},
        frozenset({"permutation"}),
    ),
    Case(
        "regression",
        {"features": "random_coulomb", "estimator": "krr", "gamma": 0.01, "alpha": 1e-9},
        frozenset({"smooth"}),
        overfit=5.0,
    ),
    Case(
        "hipnn",
        {"features": 12, "onsite": 1, "dtype": "float64", "fit": MOMENT},
        longer={"fit": BY_HEART},
    ),
    Case(
        "schnet",
        {
            "features": 16,
            "interactions": 2,
            "gaussians": 20,
            "knots": 0,
            "dtype": "float64",
            "fit": MOMENT,
        },
        longer={"fit": BY_HEART},
    ),
    Case(
        "schnet",
        {"features": 16, "interactions": 2, "gaussians": 20, "dtype": "float64", "fit": MOMENT},
        exact=1e-5,
        longer={"fit": BY_HEART},
    ),
    *(
        Case(
            "product_net",
            {
                "features": 12,
                "channels": 8,
                "sent": 6,
                "layers": layers,
                "radial": 5,
                "dtype": "float64",
                "given": given,
                "fit": MOMENT,
            },
            # differences of GFN2-xTB's numbers are as good as its convergence
            frozenset({"smooth"} if "electrons" in given else ()),
            longer={"fit": BY_HEART},
        )
        for layers, given in ((1, ["electrons"]), (2, ["charge", "spin"]), (2, []))
    ),
    Case(
        "milestone",
        {"dtype": "float64", "fit": {**MOMENT, "standardize": True}},
        frozenset({"translation", "rotation"}),
        longer={"fit": {**BY_HEART, "rate": 2e-2}},
    ),
    Case(
        "densenet",
        {
            "kinds": ["nep"],
            "grid": 4,
            "box": 6.0,
            "blocks": [2, 1],
            "growth": 4,
            "stem": 8,
            "dtype": "float64",
            "fit": MOMENT,
        },
        frozenset({"smooth"}),
        moved=1e-4,
        longer={"fit": BY_HEART},
    ),  # fields are float32
    Case(
        "densenet",
        {
            "kinds": ["nep", "gauss:C"],
            "grid": 4,
            "box": 6.0,
            "blocks": [2, 1],
            "growth": 4,
            "stem": 8,
            "views": 4,
            "augment": "signs",
            "symmetry": "signs",
            "dtype": "float64",
            "fit": MOMENT,
        },
        frozenset({"smooth"}),
        moved=1e-4,
        longer={"fit": BY_HEART},
    ),
    Case(
        "dimenet",
        {
            "features": 16,
            "blocks": 2,
            "triplet": 8,
            "output": 16,
            "degrees": 4,
            "waves": 4,
            "dtype": "float64",
            "fit": MOMENT,
        },
        longer={"fit": BY_HEART},
    ),
    Case(
        "coulomb_mlp",
        {"features": "eigenvalues", "hidden": [40, 20], "dtype": "float64", "fit": MOMENT},
        longer={"fit": {**BY_HEART, "rate": 2e-2}},
    ),
    Case(
        "coulomb_mlp",
        {"features": "sorted", "hidden": [40, 20], "dtype": "float64", "fit": MOMENT},
        frozenset({"smooth"}),
        longer={"fit": BY_HEART},
    ),
    Case(
        "coulomb_mlp",
        {"features": "random", "hidden": [40, 20], "dtype": "float64", "fit": MOMENT},
        frozenset({"smooth"}),
        overfit=5.0,
        longer={"fit": BY_HEART},
    ),
    Case(
        "custom_gnn",
        {"version": 1, "hidden": 16, "graph": "nearest", "k": 3, "dtype": "float64", "fit": MOMENT},
        frozenset({"rotation", "smooth"}),
        longer={"fit": BY_HEART},
    ),
    Case(
        "custom_gnn",
        {
            "version": 2,
            "hidden": 16,
            "graph": "strongest",
            "k": 3,
            "forces": True,
            "dtype": "float64",
            "fit": MOMENT,
        },
        frozenset({"rotation", "smooth"}),
        longer={"fit": BY_HEART},
    ),
    Case(
        "custom_gnn",
        {
            "version": 3,
            "hidden": 16,
            "graph": "complete",
            "geometry": "distance",
            "dtype": "float64",
            "fit": MOMENT,
        },
        longer={"fit": BY_HEART},
    ),
    Case(
        "atomcloudnet",
        {
            "features": 8,
            "degrees": [2, {"H": 1, "others": 3}],
            "hidden": 24,
            "dtype": "float64",
            "fit": MOMENT,
        },
        longer={"fit": BY_HEART},
    ),
    Case(
        "atomcloudnet",
        {"features": 8, "variant": "literal", "hidden": 24, "dtype": "float64", "fit": MOMENT},
        frozenset({"rotation"}),
        longer={"fit": BY_HEART},
    ),
]
