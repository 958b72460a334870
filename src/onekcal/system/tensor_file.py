"""Tensors with a JSON header in one safetensors file: how models and checkpoints are kept.

Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from onekcal.errors import DataError
from onekcal.system.files import damage_refused, whole_file


def write(path: Path, tensors: dict[str, Tensor], header: Mapping[str, object]) -> None:
    """Write tensors and a header, whole or not at all.

    Parameters
    ----------
    path
        The file.
    tensors
        Name → tensor; two names may share memory.
    header
        Content for JSON; it holds its `format`.
    """
    from safetensors.torch import save_file

    owners: dict[int, str] = {}  # safetensors refuses two names for one memory
    tensors = {
        name: tensor
        if owners.setdefault(tensor.untyped_storage().data_ptr(), name) == name
        else tensor.clone()
        for name, tensor in tensors.items()
    }
    with whole_file(path) as part:
        part.touch()
        mode = part.stat().st_mode  # safetensors makes a file that only its owner can read
        save_file(tensors, part, metadata={"onekcal": json.dumps(header)})
        part.chmod(mode)


def read(
    path: Path, newest: int, what: str, remedy: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and their header.

    Parameters
    ----------
    path
        The file.
    newest
        The newest format that can be read.
    what
        What the file should be, for the message.
    remedy
        What the user can do, for the message.

    Returns
    -------
    tuple
        Name → tensor, and the header.

    Raises
    ------
    DataError
        When the file is absent, damaged, or of a newer format.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise DataError(f"there is no {path}; expected {what}")
    with damage_refused(path, what, remedy), safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {})["onekcal"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        version = int(header["format"])
    if version > newest:
        raise DataError(
            f"{path} was written by a newer onekcal (format {version}, this one reads up "
            f"to {newest}); upgrade onekcal"
        )
    return tensors, header
