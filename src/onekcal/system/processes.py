"""Processes that compute for another one: one thread each, and no longer than it lives."""

from __future__ import annotations

import os
import threading
import time

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""Environment of a process that computes on one core."""


def end_with_parent(parent: int | None = None) -> None:
    """End this process within a second of the end of its parent, however that ended.

    Parameters
    ----------
    parent
        Process id of the parent. Without it, the parent is whichever process is it now.
    """
    expected = os.getppid() if parent is None else parent

    def watch() -> None:
        while os.getppid() == expected:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
