"""What a server takes: sizes, rates and times, each with a clear answer beyond it."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

ADDRESSES = 10_000
"""Addresses whose rate is remembered."""


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Parameters
    ----------
    body
        Bytes of a request.
    upload
        Bytes of a file.
    rows
        Molecules of a batch.
    atoms
        Atoms of a molecule.
    seconds
        Time that an answer at once may take.
    row_seconds
        Time that a molecule of a batch may take.
    waiting
        Questions that may wait for a worker.
    jobs
        Jobs that may wait or run.
    rate, burst
        Requests a second of one address, in the long run and at once.
    reader_memory, reader_seconds
        Bytes and processor seconds of the process that reads an upload.
    """

    body: int = 256 * 1024
    upload: int = 20 * 2**20
    rows: int = 20_000
    atoms: int = 150
    seconds: float = 120.0
    row_seconds: float = 300.0
    waiting: int = 100
    jobs: int = 100
    rate: float = 500.0
    burst: float = 2000.0
    reader_memory: int = 4 * 2**30
    reader_seconds: int = 120


class Rate:
    """Requests of each address, as a bucket that fills again.

    Parameters
    ----------
    limits
        Its `rate` and `burst`.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float | None = None) -> float:
        """Count a request.

        Parameters
        ----------
        address
            Who asks.
        now
            Seconds of a clock; None: that of this machine.

        Returns
        -------
        float
            0 where it may pass; else the seconds until one may.
        """
        now = time.monotonic() if now is None else now
        left, then = self.left.pop(address, (self.limits.burst, now))
        left = min(self.limits.burst, left + (now - then) * self.limits.rate)
        passes = left >= 1.0
        self.left[address] = (left - passes, now)
        if len(self.left) > ADDRESSES:
            self.left.popitem(last=False)
        return 0.0 if passes else (1.0 - left) / self.limits.rate
