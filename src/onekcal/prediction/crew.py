"""Several processes that answer questions; the answers come in the order of the questions.

joblib (loky) starts the processes. They need no guard (`if __name__ == "__main__"`) in the script.
The processes of `system.parallel` do, and give results in the order in which they finish.
"""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from onekcal.errors import OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.questions import Question

Answering = Callable[[Question, Artefact, Options, bool], Answer]
"""Answers one question; the last argument says whether it may compute by itself."""
AHEAD = 4
"""Questions handed over for every process: enough to keep it busy, few enough for small memory."""


def by_a_crew(
    answer: Answering,
    questions: Iterable[Question],
    artefact: Artefact,
    options: Options,
    workers: int,
) -> Iterator[Answer]:
    """Answer questions in several processes.

    Parameters
    ----------
    answer
        The function; the processes import it by its name.
    questions
        Taken one after the other while earlier ones are answered.
    artefact
        The model.
    options
        How the questions are answered.
    workers
        The number of processes, each with one thread.

    Yields
    ------
    Answer
        The same as one process gives, in the same order.

    Raises
    ------
    OnekcalError
        The system ended one of the processes.
    """
    with TemporaryDirectory(prefix="onekcal-") as folder:
        model = Path(folder) / "model.safetensors"
        artefact.save(model)
        with parallel_config("loky", inner_max_num_threads=1):
            crew = Parallel(
                workers, return_as="generator", batch_size=1, pre_dispatch=AHEAD * workers
            )
            told = crew(
                delayed(_answered)(pickle.dumps(question), answer, model, options)
                for question in questions
            )
            try:
                for each in told:
                    yield pickle.loads(each)
            except TerminatedWorkerError:
                raise OnekcalError(
                    "the system ended one of the processes (memory?); ask with fewer workers"
                ) from None
            finally:
                told.close()


def _answered(question: bytes, answer: Answering, model: Path, options: Options) -> bytes:
    """One answer. Bytes: torch would pass tensors on as open files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the first process ends this one
    return pickle.dumps(answer(pickle.loads(question), _loaded(model), options, False))


@lru_cache(maxsize=1)
def _loaded(model: Path) -> Artefact:
    """The model, read once in each process."""
    return Artefact.load(model)
