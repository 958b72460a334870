"""Hostile surroundings in which every verb must do its work, or refuse it in one line."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from pathlib import Path
from random import Random
from typing import Any

FULL = 4000
"""Bytes of the largest file that fits on the full disk."""


def full_disk(folder: Path) -> None:
    """Let no file grow beyond 4 kB; the system says so as it says that a disk is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))


def jumping_clock(folder: Path) -> None:
    """Let the clock jump forth and back by days."""
    jumps, real, real_ns = Random(0), time.time, time.time_ns
    time.time = lambda: real() + jumps.uniform(-1e6, 1e6)
    time.time_ns = lambda: real_ns() + round(jumps.uniform(-1e15, 1e15))


def strange_home(folder: Path) -> None:
    """Let the home have spaces, a quote and letters beyond ASCII in its path."""
    strange = folder / "höme of ☃ 'x'"
    strange.mkdir(exist_ok=True)
    if not (folder / "home").is_symlink():
        (folder / "home").symlink_to(strange)
    os.environ["ONEKCAL_HOME"] = str(strange)


def unwritable_home(folder: Path) -> None:
    """Let the home lie where nobody, not even root, can write."""
    (folder / "file").touch()
    os.environ["ONEKCAL_HOME"] = str(folder / "file" / "home")


def no_network(folder: Path) -> None:
    """Let every connection but those to this machine fail as without a network."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        real(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign]


def plain_terminal(folder: Path) -> None:
    """Let the terminal know nothing, and the locale only ASCII."""
    os.environ |= {"TERM": "dumb", "LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii"}
    os.environ.pop("HOME", None)
