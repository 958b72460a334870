"""Readers in a process of its own, with little memory and little time, watched by Python.

Python tells its audit hooks when a file is opened for writing, a process started, a socket
connected, or a class looked up in a pickle. A reader has no reason for any of these outside its own
folder, whatever the file says. A native crash ends the process; `fuzz` notices.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from robustness.readers import Reader, place, reader

MEMORY = 1 << 30
"""Bytes that a reader may take besides what it has when it begins."""
GROWN = MEMORY // 4
"""Bytes by which a process grows before another one takes the rest of its inputs."""
PART = 1000
"""Inputs after which a process says its counts."""
SECONDS = 10.0
"""Processor seconds for one small file."""
LONGEST = 2000
"""Characters of a message."""
FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen",
    "pickle.find_class", "socket.connect", "socket.bind", "os.kill", "pty.spawn", "os.putenv",
)  # fmt: skip
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod")
STAGE = """import os
os.system("true")
class Evil:
    def fit(self): pass
    def energies(self): pass
    def state(self): pass
    def load_state(self, state): pass
"""
"""A module that a model file from elsewhere asks for."""


class Hang(BaseException):
    """The time is over. No reader catches this."""


class Watch:
    """What a reader did that no reader does.

    Parameters
    ----------
    folder
        The folder that it may write to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.armed = str(folder.resolve()), False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, _, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and isinstance(path, (str, bytes)) and not self._inside(path):
                self.seen.append(f"open {os.fsdecode(path)!r} for writing")
        elif event in CHANGES:
            beside = {os.readlink(f"/proc/self/fd/{fd}") for fd in args[1:] if _is_folder(fd)}
            for path in args:
                if isinstance(path, (str, bytes)) and not self._inside(path, *beside):
                    self.seen.append(f"{event} {os.fsdecode(path)!r}")
        elif event == "socket.connect" and str(args[1]).startswith("('127.0.0.1',"):
            return  # the server of the web page, which runs in this process
        elif event in FORBIDDEN:
            self.seen.append(f"{event} {str(args)[:80]}")

    def _inside(self, path: str | bytes, beside: str = "") -> bool:
        where = os.path.realpath(os.path.join(beside, os.fsdecode(path)))
        return where == os.devnull or where.startswith((self.folder + os.sep, self.folder))


def _is_folder(descriptor: object) -> bool:
    """Whether a path is seen from this open folder, as `shutil.rmtree` does."""
    return isinstance(descriptor, int) and os.path.isdir(f"/proc/self/fd/{descriptor}")


def content_of(one: Reader, starts: list[bytes], seed: int, index: int) -> bytes:
    """Return an input by its number: first the evil files, then damaged ones."""
    rng = Random(f"{one.name}:{seed}:{index}")
    if index < len(one.evil):
        return one.evil[index]
    start = rng.choice(starts)
    if one.evil and rng.random() < 0.005:
        start = rng.choice(one.evil)
    return rng.choice(one.ways)(start, rng)


def told(problem: BaseException, watch: Watch) -> str:
    """Return what an end of a reader means: "" where it is a clear refusal."""
    from onekcal.errors import ConfigError, OnekcalError

    text = str(problem)
    if isinstance(problem, Hang):
        return f"hang: {_where(problem)}"
    if isinstance(problem, OnekcalError):
        if not text.strip():
            return "message: it is empty"
        if len(text) > LONGEST:
            return f"message: more than {LONGEST} characters, {_where(problem)}"
        if not isinstance(problem, ConfigError) and len(text.splitlines()) > 1:
            return f"message: several lines, {_where(problem)}"
        return ""
    if isinstance(problem, MemoryError) or "t allocate memory" in text:
        return f"memory: {_where(problem)}"
    return f"crash: {type(problem).__name__} {_where(problem)}"


def _where(problem: BaseException) -> str:
    """The last place in onekcal, so that one mistake is one finding."""
    places = traceback.extract_tb(problem.__traceback__)
    own = [one for one in places if "onekcal" in one.filename] or places
    last = own[-1]
    return f"{last.filename.rpartition('onekcal/')[2]}:{last.lineno} {last.name}"


def run(
    names: Sequence[str], seed: int, first: int, last: int, mark: Path, seconds: float = math.inf
) -> None:
    """Read inputs, and print findings and counts as JSON lines.

    Parameters
    ----------
    names
        The readers.
    seed, first, last
        Which inputs of each.
    mark
        A file that holds the reader and the number of the input under way.
    seconds
        Processor seconds of this process after which no other input begins.
    """
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        work, modules = Path(scratch) / "work", Path(scratch) / "modules"
        modules.mkdir()
        (modules / "evil_stage.py").write_text(STAGE)
        sys.path.append(str(modules))
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        os.environ["ONEKCAL_HOME"] = str(Path(scratch) / "home")
        begun = []
        for k, one in enumerate(map(reader, names)):
            path = place(one, work / str(k))
            begun.append((one, path, _starts(one, path)))
        watch = Watch(Path(scratch))
        held = _memory()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))
        signal.signal(signal.SIGVTALRM, _too_long)
        _embed_once()
        with mark.open("r+") as at:
            for one, path, starts in begun:
                counts: Counter[str] = Counter()
                for index in range(first, last):
                    at.seek(0)
                    at.write(f"{index:12d} {one.name:40s}")
                    at.flush()
                    path.write_bytes(content_of(one, starts, seed, index))
                    if found := _once(one, path, watch, counts):
                        _say(reader=one.name, index=index, what=found)
                    if counts.total() == PART:
                        _say(reader=one.name, counts=counts)
                        counts.clear()
                        if _memory() > held + GROWN:
                            break
                    if time.process_time() > seconds:
                        break
                _say(reader=one.name, counts=counts)


def _memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _embed_once() -> None:
    """Let a molecule that was embedded keep its geometry: most damage spares the SMILES."""
    from onekcal.io import rdkit_formats

    embed, kept = rdkit_formats._embedded, {}

    def embedded(mol: Any) -> Any:
        key = mol.ToBinary()
        if key not in kept:
            if len(kept) == PART:
                kept.clear()
            kept[key] = embed(mol)
        return kept[key]

    rdkit_formats._embedded = embedded


def _say(**content: object) -> None:
    print(json.dumps(content), flush=True)


def _starts(one: Reader, path: Path) -> list[bytes]:
    """The sound files; each is read once, which imports what the reader needs."""
    from robustness.corpus import newest

    starts = []
    for name in one.starts:
        starts.append((newest() / name).read_bytes())
        path.write_bytes(starts[-1])
        one.read(path)
    return starts


def _too_long(*_: object) -> None:
    raise Hang


def _once(one: Reader, path: Path, watch: Watch, counts: Counter[str]) -> str:
    watch.seen.clear()
    watch.armed = True
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        one.read(path)
        found = ""
        counts["read"] += 1
    except BaseException as problem:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if isinstance(problem, KeyboardInterrupt):
            raise
        found = told(problem, watch)
        counts["refused" if not found else "found"] += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        watch.armed = False
    return f"escape: {watch.seen[0]}" if watch.seen else found


if __name__ == "__main__":
    *names, seed, first, last, seconds, mark = sys.argv[1:]
    run(names, int(seed), int(first), int(last), Path(mark), float(seconds))
