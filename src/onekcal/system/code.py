"""Which code computes: the version, the commit of a checkout, and a digest of the source files."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from onekcal.system.provenance import commit

PACKAGE = Path(__file__).resolve().parents[1]
LEFT_OUT = ("__pycache__", "shipped")
"""Folders that hold no code of ours."""


def identity() -> dict[str, str | None]:
    """Say which code this is.

    Returns
    -------
    dict
        "version"; "commit" (None outside a checkout); "digest", SHA-256 of all source files of the
        package as they are on disk now, which tells two codes apart where the others cannot.
    """
    try:
        release: str | None = version("onekcal")
    except PackageNotFoundError:
        release = None
    return {"version": release, "commit": commit(), "digest": digest()}


def digest(package: Path = PACKAGE) -> str:
    """Compute the SHA-256 of the names and contents of a package's files.

    Parameters
    ----------
    package
        The folder of the package.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        inside = path.relative_to(package)
        if path.is_file() and inside.parts[0] not in LEFT_OUT and "__pycache__" not in inside.parts:
            content = path.read_bytes()
            total.update(f"{inside.as_posix()} {len(content)}\n".encode())
            total.update(content)
    return total.hexdigest()


def said(code: dict[str, str | None]) -> str:
    """Write an identity in a few words, such as "0.1.0, commit 1a2b3c4, source 5d6e7f80".

    Parameters
    ----------
    code
        What `identity` returned.

    Returns
    -------
    str
        One line.
    """
    checkout = f", commit {code['commit']}" if code.get("commit") else ""
    return f"{code.get('version')}{checkout}, source {str(code.get('digest'))[:8]}"
