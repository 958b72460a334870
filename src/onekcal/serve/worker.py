"""A worker: a process that holds the model and answers one task after the other.

A line of JSON comes in for each task. Lines of JSON go out: {"step"} when a step of a computation
begins, {"part"} when a part of the result is ready, {"end"} when the task is done. What libraries
print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO

from onekcal.system.processes import ONE_THREAD, end_with_parent


def main(model: str) -> None:
    """Answer tasks until standard input ends.

    Parameters
    ----------
    model
        A model that ships, a run folder or a model file.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    end_with_parent()
    os.environ.update(ONE_THREAD)
    from onekcal.errors import OnekcalError
    from onekcal.models.shipped import load_model
    from onekcal.prediction.scope import scope
    from onekcal.serve.tasks import parts

    try:
        artefact = load_model(model)
    except OnekcalError as problem:
        return _say(out, {"failed": str(problem)})
    _say(out, {"ready": scope(artefact) | {"digest": artefact.card.digest}})
    for line in sys.stdin:
        task = json.loads(line)
        for part in parts(task, artefact, lambda name, step: _say(out, {"step": [name, step]})):
            _say(out, {"part": part})
        _say(out, {"end": True})


def _say(out: TextIO, event: Mapping[str, object]) -> None:
    from onekcal.show.pages.embed import as_json

    print(as_json(event), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
