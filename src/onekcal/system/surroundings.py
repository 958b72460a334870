"""What `onekcal doctor` reports: every part, its version or the line that installs it, and the places used."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

CORE = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "ase",
    "rdkit",
    "tblite",
    "h5py",
    "safetensors",
    "pydantic",
    "pyyaml",
    "typer",
    "rich",
    "pooch",
    "plotly",
    "jinja2",
)
OPTIONAL = {
    "kernelforge": ("exact FCHL19 kernels", "pip install kernelforge (Linux)"),
    "pyscf": ("DFT labels", "pip install 'onekcal[dft]'"),
    "distributed": ("labels over several machines", "pip install 'onekcal[scale]'"),
    "qmllib": ("comparison with peers", "pip install 'onekcal[peers]'"),
}


def surroundings() -> list[dict[str, str]]:
    """One row a part: name, state (ok, absent, broken), detail."""
    import os

    from onekcal.system.home import home
    from onekcal.system.provenance import hardware

    rows = [{"part": "onekcal", "state": "ok", "detail": version("onekcal")}]
    for name in CORE:
        try:
            rows.append({"part": name, "state": "ok", "detail": version(name)})
        except PackageNotFoundError:
            rows.append({"part": name, "state": "broken", "detail": f"pip install {name}"})
    for name, (purpose, remedy) in OPTIONAL.items():
        try:
            rows.append({"part": name, "state": "ok", "detail": f"{version(name)} – {purpose}"})
        except PackageNotFoundError:
            rows.append({"part": name, "state": "absent", "detail": f"{purpose}: {remedy}"})
    import torch

    gpu = (
        torch.cuda.get_device_name(0)
        if torch.cuda.is_available()
        else "none seen by torch; the CPU is used"
    )
    rows.append(
        {"part": "GPU", "state": "ok" if torch.cuda.is_available() else "absent", "detail": gpu}
    )
    rows.append({"part": "hardware", "state": "ok", "detail": hardware()})
    rows.append({"part": "data", "state": "ok", "detail": f"{home()} (ONEKCAL_HOME)"})
    rows.append(
        {
            "part": "mirror",
            "state": "ok" if os.environ.get("ONEKCAL_MIRROR") else "absent",
            "detail": os.environ.get(
                "ONEKCAL_MIRROR", "official sources are used (ONEKCAL_MIRROR)"
            ),
        }
    )
    return rows
