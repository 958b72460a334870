"""Download a file whole and verified, or leave the cache as it was and say why.

pooch checks and places the file. It cannot resume a broken download, so `Resuming` does: the bytes
that arrived stay in FILE.part, and the next try asks for the rest (HTTP Range).
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from onekcal.datasets.source import Remote
from onekcal.errors import DataError, DownloadError
from onekcal.system.files import read_json, write_json

TRIES, PAUSE = 3, 1.0
"""How often a connection that breaks is tried, and seconds between the tries."""
TIMEOUT = 30.0
"""Seconds. A host that sends no byte for so long counts as dead."""


def mirror() -> str | None:
    """Return the folder or the URL in ONEKCAL_MIRROR; None where it is not set."""
    return os.environ.get("ONEKCAL_MIRROR") or None


def from_mirror(origin: str, remotes: tuple[Remote, ...], cache: Path) -> Path:
    """Return the folder that holds the verified files of a mirror.

    Parameters
    ----------
    origin
        A folder or a URL.
    remotes
        The files.
    cache
        The folder that files of a URL are downloaded to.

    Raises
    ------
    DataError
        A file is absent or has another checksum.
    """
    if "://" in origin:
        for remote in remotes:
            try:
                download(f"{origin.rstrip('/')}/{remote.file}", remote, cache)
            except _Absent:
                if not remote.optional:
                    raise
        return cache
    folder = Path(origin).expanduser()
    if not folder.is_dir():
        raise DataError(f"ONEKCAL_MIRROR is {origin!r}, which is neither a folder nor a URL")
    for remote in remotes:
        if not remote.optional or (folder / remote.file).is_file():
            _verified(folder / remote.file, remote)
    return folder


def from_official(remotes: tuple[Remote, ...], cache: Path) -> Path:
    """Download files from their authors and return the cache.

    Parameters
    ----------
    remotes
        The files.
    cache
        The folder they are downloaded to.
    """
    for remote in remotes:
        download(remote.url, remote, cache)
    return cache


class _Absent(DownloadError):
    """The server says that it has no such file. An optional file is then left out."""


def _verified(path: Path, remote: Remote) -> None:
    if not path.is_file():
        raise DataError(f"the mirror has no {remote.file} (looked for {path})")
    if remote.sha256 and (digest := sha256(path)) != remote.sha256:
        raise DataError(
            f"{path} is not the right file: its SHA-256 is {digest}, expected {remote.sha256}; "
            "get a fresh copy"
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Parameters
    ----------
    path
        The file.
    """
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def download(url: str, remote: Remote, cache: Path) -> Path:
    """Download a file into the cache, resume it where it broke off, and verify it.

    A checksum that nobody knew is recorded, and the file must have it from then on.

    Parameters
    ----------
    url
        Its address.
    remote
        Its name and checksum.
    cache
        The folder.

    Raises
    ------
    DownloadError
        The file cannot be downloaded, is another one, or does not fit on the disk.
    """
    from requests import RequestException

    known = _Recorded(cache / "digests.json")
    expected = remote.sha256 or known.get(remote.file)
    downloader = Resuming(cache / f"{remote.file}.part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _retrieve(url, expected, remote.file, cache, downloader)
    except RequestException as problem:
        error = (
            _Absent if getattr(problem.response, "status_code", 0) in (404, 410) else DownloadError
        )
        raise error(
            f"{remote.file} could not be fetched from {url}: {_reason(problem)}. "
            f"{downloader.kept()}"
            "Check the connection and run the same command again, or set ONEKCAL_MIRROR"
        ) from None
    except ValueError:
        raise DownloadError(
            f"{remote.file} from {url} is not the right file (its SHA-256 is not {expected}); it "
            "was removed. The source has changed or the transfer was damaged: try again, or use a "
            "mirror"
        ) from None
    except OSError as problem:
        downloader.forget()
        if problem.errno == errno.ENOSPC:
            raise DownloadError(
                f"the disk is full: {remote.file} does not fit into {cache}; free space or set "
                "ONEKCAL_HOME to another disk"
            ) from None
        raise DownloadError(f"{remote.file} could not be written to {cache}: {problem}") from None
    path = cache / remote.file
    if expected is None:
        known.record(remote.file, sha256(path))
    return path


def _retrieve(url: str, expected: str | None, name: str, cache: Path, downloader: Resuming) -> None:
    """Let pooch get a file; a wrong one raises a ValueError, and pooch removes it."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    continued = downloader.part.is_file()
    known_hash = expected and f"sha256:{expected}"
    try:
        pooch.retrieve(url, known_hash, name, cache, downloader=downloader)
    except ValueError:
        if not continued:
            raise
        # the bytes that an earlier call left may belong to another file: begin again
        pooch.retrieve(url, known_hash, name, cache, downloader=downloader)


def _reason(problem: Exception) -> str:
    """Return the innermost message. The outer ones repeat the URL and the names of classes."""
    response = getattr(problem, "response", None)
    if response is not None:
        return f"the server answers {response.status_code} {response.reason}"
    text = str(problem)
    for sign, plain in (
        ("NameResolution", "the host's name is not known"),
        ("refused", "the host refuses connections"),
        ("timed out", "the host does not answer"),
        ("Read", "the connection broke off"),
    ):
        if sign in text:
            return plain
    return text


class _Recorded:
    """Checksums of files whose authors publish none, as the first download had them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _all(self) -> dict[str, str]:
        return read_json(self.path) or {}

    def get(self, name: str) -> str | None:
        return self._all().get(name)

    def record(self, name: str, digest: str) -> None:
        write_json(self.path, {**self._all(), name: digest})


class Resuming:
    """A pooch downloader that goes on where a broken download stopped, with a progress bar.

    Parameters
    ----------
    part
        The file that keeps what has arrived.
    """

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        from requests import RequestException

        for attempt in range(TRIES):
            try:
                self._continue(url)
                break
            except RequestException as problem:
                answered = getattr(problem, "response", None) is not None
                if answered or attempt == TRIES - 1:
                    raise
                time.sleep(PAUSE)
        os.replace(self.part, output_file)

    def _continue(self, url: str) -> None:
        import requests

        have = self.part.stat().st_size if self.part.is_file() else 0
        # without the second header a server may compress, and the bytes counted are not the file's
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as answer:
            if answer.status_code == 416:  # no bytes follow: complete, or another file; begin again
                self.part.unlink()
                return self._continue(url)
            answer.raise_for_status()
            resumed = answer.status_code == 206
            have = have if resumed else 0
            total = have + int(answer.headers.get("Content-Length", 0))
            with (
                self.part.open("ab" if resumed else "wb") as out,
                _bar(self.part.stem, total, have) as advance,
            ):
                for block in answer.iter_content(1 << 18):
                    out.write(block)
                    advance(len(block))
        size = self.part.stat().st_size
        if total > have and size < total:
            raise requests.ConnectionError(f"Read {size} of {total} bytes")

    def kept(self) -> str:
        """Return a sentence about what a broken download left for the next try."""
        if not self.part.is_file():
            return ""
        if self.part.stat().st_size == 0:
            self.part.unlink()
            return ""
        return f"{self.part.stat().st_size:,} bytes are kept; the next try goes on from there. "

    def forget(self) -> None:
        """Remove the half-written file."""
        self.part.unlink(missing_ok=True)


class _bar:
    """A progress bar on standard error, silent where that is no terminal."""

    def __init__(self, name: str, total: int, have: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.progress = Progress(
            TextColumn(name),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task(name, total=total or None, completed=have)

    def __enter__(self) -> Callable[[int], None]:
        self.progress.start()
        return lambda count: self.progress.advance(self.task, count)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
