"""Questions that are answered at once, and uploads that become batches."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from onekcal.errors import InputError, OnekcalError
from onekcal.serve.cache import Cache, key_of
from onekcal.serve.jobs import Jobs
from onekcal.serve.limits import Limits
from onekcal.serve.pool import Event, Pool
from onekcal.system.queue import Job

ENDINGS = (".xyz", ".extxyz", ".sdf", ".mol", ".smi", ".smiles", ".csv", ".tsv")
"""Files that are taken."""


class Busy(OnekcalError):
    """Too many questions wait."""


class Desk:
    """What answers the API.

    Parameters
    ----------
    pool
        Who computes.
    cache
        Answers that were given before.
    jobs
        What is computed in the background.
    limits
        What is taken.
    version
        Of onekcal; answers of another version are not given again.
    """

    def __init__(self, pool: Pool, cache: Cache, jobs: Jobs, limits: Limits, version: str) -> None:
        self.pool, self.cache, self.jobs, self.limits = pool, cache, jobs, limits
        self.version = version
        self._asked: dict[str, asyncio.Future[str]] = {}

    async def at_once(self, task: Event, keep: bool = True) -> str:
        """Answer a question: from the cache, or by the next free worker.

        The same question of several readers at one time is computed once.

        Parameters
        ----------
        task
            What a worker is asked.
        keep
            Whether the answer is kept; those that are large are not.

        Returns
        -------
        str
            JSON: a list of the parts of the answer.

        Raises
        ------
        Busy
            Too many questions wait.
        """
        task = task | {"most_atoms": self.limits.atoms}
        await self.pool.loaded.wait()  # what the answers of this model are kept under
        key = key_of(task, f"{self.version} {(self.pool.about or {}).get('digest')}")
        if (kept := self.cache.get(key)) is not None:
            return kept
        if key not in self._asked:
            if self.pool.urgent_waiting >= self.limits.waiting:
                raise Busy("too many questions wait; try again in a few seconds")
            self._asked[key] = asyncio.ensure_future(self._computed(task, key, keep))
            self._asked[key].add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(self._asked[key])

    async def _computed(self, task: Event, key: str, keep: bool) -> str:
        found = await self.pool.ask(task, urgent=True, seconds=self.limits.seconds)
        content = json.dumps(found, ensure_ascii=False)
        if keep and not any(part.get("problem") for part in found):
            self.cache.put(key, content)
        return content

    def later(self, task: Event, name: str) -> Job:
        """Compute a question in the background.

        Parameters
        ----------
        task
            What a worker is asked.
        name
            What the reader calls it.
        """
        task = task | {"most_atoms": self.limits.atoms}
        key = f"{task['kind']}-{key_of(task, self.version)[:16]}"
        return self.jobs.add(key, name, task["kind"], {"task": task})

    async def upload(self, name: str, body: bytes, options: dict[str, Any]) -> Job:
        """Read a file in a process of its own, and add its molecules as a batch.

        Parameters
        ----------
        name
            What the reader calls the file; its ending says the format.
        body
            Its content.
        options
            How its molecules are answered.

        Raises
        ------
        InputError
            The file cannot be read.
        """
        shown = name.replace("\\", "/").rpartition("/")[2][:200]
        if Path(shown).suffix.lower() not in ENDINGS:
            raise InputError(f"{shown or 'this'} should end with {', '.join(ENDINGS)}")
        file = re.sub(r"[^A-Za-z0-9._-]", "_", shown)[-60:].lstrip(".-")
        folder = self.jobs.new_folder("batch")
        try:
            (folder / file).write_bytes(body)
            total = await self._read(folder, file, options)
            (folder / file).unlink()
            content = {"options": options, "total": total}
            return self.jobs.add(folder.name, shown, "batch", content)
        except BaseException:
            shutil.rmtree(folder)
            raise

    async def _read(self, folder: Path, file: str, options: dict[str, Any]) -> int:
        limits = self.limits
        asked = json.dumps({key: options.get(key) for key in ("length", "smiles_column")})
        numbers = map(str, (limits.reader_memory, limits.reader_seconds, limits.rows))
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "onekcal.serve.reader",
                file,
                "questions.jsonl",
                asked,
                *numbers,
            ),
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 3 * limits.reader_seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise InputError(f"{file} took too long to read; split it") from None
        if process.returncode or not said.strip():
            raise InputError(f"{file} could not be read: its reader broke off; is it damaged?")
        found = json.loads(said.splitlines()[-1])
        if "problem" in found:
            raise InputError(found["problem"])
        return found["total"]
