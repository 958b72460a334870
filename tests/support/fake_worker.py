"""A worker without a model: it speaks as a worker does and answers at once.

Of molecules called CRASH it dies, at each SLOW it takes half a second, at STUCK it never answers.
"""

from __future__ import annotations

import json
import os
import sys
import time


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


say(ready={"digest": "fake", "elements": ["H", "C"], "heavy": 9})
for count, line in enumerate(sys.stdin, 1):
    task = json.loads(line)
    task = task.get("task", task)
    smiles = task.get("smiles") or task.get("reaction") or task.get("geometry", "")
    if "CRASH" in smiles:
        os._exit(3)
    if "STUCK" in smiles:
        time.sleep(3600)
    if "SLOW" in smiles:
        time.sleep(0.5 * smiles.count("SLOW"))
    if task["kind"] == "row":
        bad = task.get("bad", "")
        cells = {"source": task["source"], "name": task.get("name", ""), "smiles": smiles}
        cells |= {"formation_298K_kcal_per_mol": "" if bad else "-1.5", "problem": bad}
        say(part={"cells": cells, "block": "" if bad else f"{task['name']}\n\n\n"})
    else:
        say(step=[smiles, "a step"])
        say(part={"smiles": smiles, "formation_298": -1.5, "problem": None, "count": count})
    say(end=True)
