"""Label a file of molecules with workers that SLURM starts; needs `pip install dask-jobqueue`.

    python examples/slurm/label.py molecules.smi labels.h5

Labels that are there are not computed again: run the same line after anything that was cut off.
"""

from __future__ import annotations

import subprocess
import sys

from dask_jobqueue import SLURMCluster

JOBS, CORES = 20, 16


def main(source: str, target: str) -> None:
    """Start workers, a thread each, and label with them."""
    cluster = SLURMCluster(cores=CORES, processes=CORES, memory="32GB", walltime="04:00:00")
    cluster.scale(jobs=JOBS)
    words = ["onekcal", "label", source, target, "--scheduler", cluster.scheduler_address]
    try:
        subprocess.run(words, check=True)
    finally:
        cluster.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
