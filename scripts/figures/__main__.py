"""The figures of the docs.

    python scripts/figures [--only WORD] [hipnn=RUN] [atomcloudnet=RUN] [milestone=RUN]

Writes docs/figures/*.png from results/*.json, data sets that are here, and the folders of runs that
are named. What is absent is reported and skipped; its old picture stays.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # so that the folder is the package `figures`

from figures.catalogue import Sources, draw  # noqa: E402


def main() -> None:
    """Draw the figures, and print a line for each."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("runs", nargs="*", metavar="MODEL=RUN")
    asked.add_argument("--only", default="", help="a word of the figures' names")
    chosen = asked.parse_args()
    runs = {
        model: Path(folder) for model, _, folder in (pair.partition("=") for pair in chosen.runs)
    }
    folder = ROOT / "docs" / "figures"
    folder.mkdir(exist_ok=True)
    for name, problem in draw(folder, Sources(ROOT / "results", runs), chosen.only):
        size = (
            "" if problem else f"{(folder / name).with_suffix('.png').stat().st_size / 1000:.0f} kB"
        )
        print(f"{name}: skipped, {problem}" if problem else f"{name}: {size}", flush=True)


if __name__ == "__main__":
    main()
