"""A disk that is full after some files, as the libraries that write them report it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from safetensors import SafetensorError

WORDS = "Error while serializing: I/O error: No space left on device (os error 28)"
"""What safetensors says on a full tmpfs; it is no OSError."""


def full_after(patch: pytest.MonkeyPatch, files: int) -> None:
    """Let safetensors write so many files, and half of each further one.

    Parameters
    ----------
    patch
        Undoes it at the end of a test.
    files
        How many files fit.
    """
    save, written = safetensors.torch.save_file, [0]

    def half(tensors: Any, filename: Path, metadata: Any = None) -> None:
        written[0] += 1
        save(tensors, filename, metadata)
        if written[0] > files:
            whole = Path(filename).read_bytes()
            Path(filename).write_bytes(whole[: len(whole) // 2])
            raise SafetensorError(WORDS)

    patch.setattr(safetensors.torch, "save_file", half)
