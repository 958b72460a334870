"""The report of `onekcal doctor`: every declared package, the hardware, and the places in use.

The packages are those that the installed onekcal declares, so this list is never out of date.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal, NamedTuple, TypedDict

from onekcal.system.home import cannot_be_written, home
from onekcal.system.provenance import hardware

PURPOSES = {
    "dft": "DFT, coupled cluster, densities and fields",
    "scale": "labels over several machines",
    "serve": "the web page and its API",
    "peers": "comparison with peers",
    "docs": "the documentation site",
    "test": "the tests",
    "kernelforge": "exact FCHL19 kernels",
}
"""By extra, or by package for those of the core that not every system has."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Part(TypedDict):
    """One row of the report."""

    part: str
    state: Literal["ok", "absent", "broken"]
    detail: str


class Requirement(NamedTuple):
    """A declared package.

    Parameters
    ----------
    name
        The package.
    extra
        The extra that asks for it; empty for the core.
    system
        The only system that it is declared for, such as "linux"; empty for all.
    """

    name: str
    extra: str
    system: str


def requirements() -> list[Requirement]:
    """Return every package that onekcal declares, the core first."""
    out = []
    for line in requires("onekcal") or []:
        words, _, condition = line.partition(";")
        name = re.match(r"[\w.-]+", words)
        extra = re.search(r"extra == ['\"](\w+)", condition)
        system = re.search(r"sys_platform == ['\"](\w+)", condition)
        assert name is not None
        out.append(Requirement(name[0], extra[1] if extra else "", system[1] if system else ""))
    return sorted(out, key=lambda requirement: bool(requirement.extra))


def surroundings() -> list[Part]:
    """Return one row for each part: its name, its state and a detail.

    A missing package of the core is "broken". A missing package of an extra is "absent", and the
    detail says what it is for and how to get it.
    """
    rows: list[Part] = [{"part": "onekcal", "state": "ok", "detail": version("onekcal")}]
    rows += [_package(requirement) for requirement in requirements()]
    return [*rows, _browser(), _gpu(), *_places()]


def _package(asked: Requirement) -> Part:
    purpose = PURPOSES.get(asked.extra or asked.name, "")
    try:
        known = version(asked.name)
    except PackageNotFoundError:
        target = f"'onekcal[{asked.extra}]'" if asked.extra else asked.name
        remedy = f"pip install {target}"
        if asked.extra or asked.system not in ("", sys.platform):
            return {"part": asked.name, "state": "absent", "detail": f"{purpose}: {remedy}"}
        return {"part": asked.name, "state": "broken", "detail": remedy}
    detail = f"{known} – {purpose}" if purpose else known
    return {"part": asked.name, "state": "ok", "detail": detail}


def _browser() -> Part:
    place = next(filter(None, map(shutil.which, BROWSERS)), None)
    purpose = "the tests of the web pages"
    if place is None:
        detail = f"{purpose}: install chromium with the system's package manager"
        return {"part": "chromium", "state": "absent", "detail": detail}
    return {"part": "chromium", "state": "ok", "detail": f"{place} – {purpose}"}


def _gpu() -> Part:
    try:
        import torch
    except ImportError:
        return {"part": "GPU", "state": "absent", "detail": "torch is missing"}
    if torch.cuda.is_available():
        return {"part": "GPU", "state": "ok", "detail": torch.cuda.get_device_name(0)}
    return {"part": "GPU", "state": "absent", "detail": "none seen by torch; the CPU is used"}


def _places() -> list[Part]:
    mirror = os.environ.get("ONEKCAL_MIRROR")
    reason = cannot_be_written(home())
    kept = f"{home()} (ONEKCAL_HOME)" + (f" cannot be written: {reason}" if reason else "")
    return [
        {"part": "hardware", "state": "ok", "detail": hardware()},
        {"part": "data", "state": "absent" if reason else "ok", "detail": kept},
        {
            "part": "mirror",
            "state": "ok" if mirror else "absent",
            "detail": mirror or "official sources are used (ONEKCAL_MIRROR)",
        },
    ]
