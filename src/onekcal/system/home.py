"""Where onekcal keeps what it downloads, imports and computes."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of the store: ONEKCAL_HOME, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("ONEKCAL_HOME") or user_cache_dir("onekcal"))
