"""Ask pip-audit for known holes of the pinned packages, and say so where it cannot know.

python scripts/audit.py        # needs pip-audit
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
SECONDS = 120.0


def said(found: dict[str, Any] | None) -> list[str]:
    """Return what is to be printed.

    Parameters
    ----------
    found
        What pip-audit prints as JSON; None where it printed none.
    """
    packages = [] if found is None else found["dependencies"]
    asked = [one for one in packages if "skip_reason" not in one]
    if not asked:
        return ["pip-audit: its database cannot be reached from here; nothing was audited"]
    lines = [f"pip-audit: {len(asked)} of {len(packages)} packages audited"]
    for one in asked:
        for hole in one.get("vulns", ()):
            mended = ", ".join(hole.get("fix_versions", ())) or "no version"
            lines.append(f"{one['name']} {one['version']}: {hole['id']}, mended in {mended}")
    return lines


def main() -> None:
    """Run pip-audit."""
    command = ["-m", "pip_audit", "-r", str(PINS), "--no-deps", "--disable-pip", "-f", "json"]
    try:
        done = subprocess.run(
            [sys.executable, *command, "--progress-spinner", "off"],
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        found = None
    print("\n".join(said(found)))


if __name__ == "__main__":
    main()
