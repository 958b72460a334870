"""One process of a crew: it reads a question from standard input and writes its answer.

What libraries print goes to standard error.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace

from onekcal.models.artefact import Artefact
from onekcal.prediction.prediction import answer
from onekcal.system.processes import end_with_parent


def main() -> None:
    """Answer questions until standard input ends. The model and the options come first."""
    end_with_parent()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = sys.stdin.buffer
    model, ships, options = pickle.load(asked)
    artefact = replace(Artefact.load(model), ships=ships)
    while True:
        try:
            question = pickle.load(asked)
        except EOFError:
            return
        pickle.dump(answer(question, artefact, options, may_compute=False), out)
        out.flush()


if __name__ == "__main__":
    main()
