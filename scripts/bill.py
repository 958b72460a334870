"""The bill of materials (SBOM, CycloneDX 1.5): python scripts/bill.py FILE.

It names every package that a plain install brings, with version and licence, and the three
libraries for browsers whose files lie in the package. Their licences must lie beside them.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "onekcal"


@dataclass(frozen=True)
class Vendored:
    """A library whose files lie in the package, unmodified.

    Parameters
    ----------
    name, licence
        What it is called, and its licence (SPDX).
    files
        Its files, seen from src/onekcal.
    text
        The file with the text of its licence.
    """

    name: str
    licence: str
    files: tuple[str, ...]
    text: str


VENDORED = (
    Vendored(
        "3Dmol.js", "BSD-3-Clause", ("show/page/3Dmol-min.js",), "show/page/3Dmol-LICENSE.txt"
    ),
    Vendored(
        "plotly.js", "MIT", ("show/page/plotly-basic-min.js",), "show/page/plotly-LICENSE.txt"
    ),
    Vendored(
        "openchemlib-js",
        "BSD-3-Clause",
        ("serve/static/vendor/openchemlib.js", "serve/static/vendor/resources.json"),
        "serve/static/vendor/openchemlib-LICENSE.txt",
    ),
)


def installed(name: str = "onekcal") -> list[Distribution]:
    """Return what a plain install of a package brings, itself left out, by name."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        asked = waiting.pop()
        key = re.sub(r"[-_.]+", "-", asked).lower()
        if key in found:
            continue
        try:
            one = distribution(asked)
        except PackageNotFoundError:  # for another system, or another Python
            continue
        found[key] = one
        for line in one.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(wanted.name)
    del found[name]
    return [found[key] for key in sorted(found)]


def licence(one: Distribution) -> str:
    """Return the licence of a package as it states it itself."""
    said = one.metadata
    if expression := said.get("License-Expression"):
        return expression
    classified = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    first = (said.get("License") or "").strip().splitlines()
    return " and ".join(classified) or (first[0] if first else "not stated")


def bill() -> dict[str, Any]:
    """Return the bill of materials."""
    packages = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{one.metadata['Name'].lower()}@{one.version}",
            "name": one.metadata["Name"],
            "version": one.version,
            "purl": f"pkg:pypi/{one.metadata['Name'].lower()}@{one.version}",
            "licenses": [{"license": {"name": licence(one)}}],
        }
        for one in installed()
    ]
    vendored = [
        {
            "type": "library",
            "bom-ref": f"{one.name}:{Path(path).name}",
            "name": one.name,
            "licenses": [{"license": {"id": one.licence}}],
            "hashes": [{"alg": "SHA-256", "content": _sha256(SOURCE / path)}],
            "properties": [{"name": "file", "value": path}, {"name": "text", "value": one.text}],
        }
        for one in VENDORED
        for path in one.files
    ]
    own = distribution("onekcal")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "name": "onekcal",
                "version": own.version,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": packages + vendored,
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Write the bill, and say what stands in it."""
    found = bill()
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    unknown = [
        one["name"]
        for one in found["components"]
        if one["licenses"][0]["license"].get("name") == "not stated"
    ]
    print(
        f"bill of materials: {len(found['components'])} parts"
        + (f", no licence stated by {', '.join(unknown)}" if unknown else "")
    )


if __name__ == "__main__":
    main()
