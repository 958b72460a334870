"""Several processes that answer questions; the answers come in the order of the questions.

Each process is a Python of its own (`crew_member`), so that a script needs no guard
(`if __name__ == "__main__"`), and Ctrl-C reaches the first process alone. joblib was tried: it
leaves tracebacks of its threads after Ctrl-C, and one process that is killed ends the whole call.
Here such a question costs only itself.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from onekcal.models.artefact import Artefact
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.questions import Question
from onekcal.system.processes import ONE_THREAD

AHEAD = 4
"""Questions handed over for every process: enough to keep it busy, few enough for small memory."""


def by_a_crew(
    questions: Iterable[Question], artefact: Artefact, options: Options, workers: int
) -> Iterator[Answer]:
    """Answer questions in several processes.

    Parameters
    ----------
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
        The same as one process gives, in the same order. Where the system ends a process, the
        answer it was working on says so.
    """
    with TemporaryDirectory(prefix="onekcal-") as folder:
        model = Path(folder) / "model.safetensors"
        artefact.save(model)
        members = [_Member(model, artefact.ships, options) for _ in range(workers)]
        free: SimpleQueue[_Member] = SimpleQueue()
        for member in members:
            free.put(member)

        def ask(question: Question) -> Answer:
            member = free.get()
            try:
                return member.answer(question)
            finally:
                free.put(member)

        threads = ThreadPoolExecutor(workers)
        waiting: deque[Future[Answer]] = deque()
        try:
            for question in questions:
                waiting.append(threads.submit(ask, question))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for member in members:
                member.end()
            threads.shutdown()
            for member in members:
                member.close()


class _Member:
    """One process that answers."""

    def __init__(self, model: Path, ships: bool, options: Options) -> None:
        self.model, self.ships, self.options = model, ships, options
        self.ended = False
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "onekcal.prediction.crew_member"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ONE_THREAD,
            start_new_session=True,
        )
        self._say(process, (self.model, self.ships, self.options))
        return process

    @staticmethod
    def _say(process: subprocess.Popen[bytes], thing: object) -> None:
        assert process.stdin is not None
        pickle.dump(thing, process.stdin)
        process.stdin.flush()

    def answer(self, question: Question) -> Answer:
        """Answer one question; a process that has ended is replaced."""
        try:
            self._say(self.process, question)
            assert self.process.stdout is not None
            told = pickle.load(self.process.stdout)
            assert isinstance(told, Answer)
            return told
        except (EOFError, OSError, pickle.UnpicklingError):
            problem = f"{question.place}: the process that answered it was ended (memory?)"
        self.close()
        if not self.ended:
            self.process = self._started()
        return Answer(
            question.source,
            question.name,
            question.smiles,
            coverage=self.options.coverage,
            problem=problem,
            unit=self.options.unit,
            columns=question.columns,
        )

    def end(self) -> None:
        """End the process, whatever it does."""
        self.ended = True
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the process and close its pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was not sent yet
                continue
