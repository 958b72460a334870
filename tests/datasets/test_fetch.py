"""Downloads over loopback HTTP: whole and verified, resumed, or one clear error and a
clean cache.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from onekcal.datasets import fetch
from onekcal.datasets.source import Remote
from onekcal.errors import DataError, DownloadError

CONTENT = bytes(range(256)) * 4000  # 1 MB: several blocks of a download
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "data.bin"


class Server:
    """Serves CONTENT; can break off after some bytes, `breaks` times (each time), or answer with a
    status.
    """

    def __init__(self) -> None:
        self.content, self.breaks, self.keep, self.status = CONTENT, 0, 300_000, 200
        self.ranges: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        first = int(re.findall(r"\d+", asked)[0]) if asked else 0
        body = self.content[first:]
        request.send_response(self.status if self.status != 200 else 206 if asked else 200)
        request.send_header("Content-Length", str(len(body)))
        if asked:
            request.send_header(
                "Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"
            )
        request.end_headers()
        if self.breaks > 0:
            self.breaks -= 1
            body = body[: self.keep]
        request.wfile.write(body)
        request.wfile.flush()
        request.connection.shutdown(socket.SHUT_WR)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def get(server: Server, cache: Path, sha256: str | None = DIGEST) -> Path:
    return fetch.download(f"{server.url}/{NAME}", Remote(file=NAME, sha256=sha256), cache)


def test_a_download_is_whole_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert listing(tmp_path / "cache") == {NAME}


def test_a_file_that_is_here_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path)
    asked = len(server.ranges)
    get(server, tmp_path)
    assert len(server.ranges) == asked


def test_a_broken_connection_is_resumed_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert re.fullmatch(
        r"bytes=[1-9]\d*-", server.ranges[1] or ""
    )  # it asked for the rest, not for the whole
    assert listing(tmp_path) == {NAME}


def test_a_truncated_download_says_so_and_the_next_call_finishes_it(
    server: Server, tmp_path: Path
) -> None:
    server.breaks = fetch.TRIES  # each answer carries 300 kB at most: a block, but not the file
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path)
    assert NAME in str(caught.value)
    assert "run the same command again" in str(caught.value).lower()
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == {
        f"{NAME}.part"
    }  # resumable, and nothing that could pass for the file
    before = len(server.ranges)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[before] is not None
    assert listing(tmp_path) == {NAME}


def test_a_wrong_checksum_is_an_error_and_the_file_is_removed(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="SHA-256") as caught:
        get(server, tmp_path, sha256="0" * 64)
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == set()


def test_a_part_of_another_file_does_not_spoil_the_download(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"\0" * 1000)
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"\0" * (len(CONTENT) + 10))
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_dead_host_is_one_line_and_leaves_the_cache_clean(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="refuses") as caught:
        fetch.download(f"http://127.0.0.1:{port}/{NAME}", Remote(file=NAME), tmp_path)
    assert "\n" not in str(caught.value)
    assert "ONEKCAL_MIRROR" in str(caught.value)
    assert listing(tmp_path) == set()


def test_a_missing_page_names_the_status(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="404"):
        get(server, tmp_path)
    assert len(server.ranges) == 1  # no use in asking again
    assert listing(tmp_path) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_and_nothing_is_left(server: Server, tmp_path: Path) -> None:
    # the system's own device that is always full stands where the download is written
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="disk is full") as caught:
        get(server, tmp_path)
    assert "ONEKCAL_HOME" in str(caught.value)
    assert listing(tmp_path) == set()


def test_a_digest_nobody_knew_is_recorded_and_holds_from_then_on(
    server: Server, tmp_path: Path
) -> None:
    path = get(server, tmp_path, sha256=None)
    path.unlink()
    assert get(server, tmp_path, sha256=None).read_bytes() == CONTENT  # unchanged: accepted again
    path.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(DownloadError, match=DIGEST):
        get(server, tmp_path, sha256=None)
    assert not path.exists()


def test_a_mirror_url_is_verified(server: Server, tmp_path: Path) -> None:
    remotes = (Remote(file=NAME, sha256=DIGEST),)
    assert (fetch.from_mirror(f"{server.url}/", remotes, tmp_path) / NAME).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch.from_mirror(server.url, (Remote(file="other", sha256="0" * 64),), tmp_path)


def test_a_mirror_folder_is_verified_and_not_copied(tmp_path: Path) -> None:
    folder, cache = tmp_path / "mirror", tmp_path / "cache"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    assert fetch.from_mirror(str(folder), (Remote(file=NAME, sha256=DIGEST),), cache) == folder
    assert listing(cache) == set()
    with pytest.raises(DataError, match="expected 0000"):
        fetch.from_mirror(str(folder), (Remote(file=NAME, sha256="0" * 64),), cache)
    with pytest.raises(DataError, match="no absent.npz"):
        fetch.from_mirror(str(folder), (Remote(file="absent.npz"),), cache)
    with pytest.raises(DataError, match="neither a folder nor a URL"):
        fetch.from_mirror(str(tmp_path / "nowhere"), (Remote(file=NAME),), cache)


def test_an_optional_file_may_be_absent_but_not_wrong(tmp_path: Path) -> None:
    optional = Remote(file=NAME, sha256=DIGEST, optional=True)
    fetch.from_mirror(str(tmp_path), (optional,), tmp_path)
    (tmp_path / NAME).write_bytes(b"damaged")
    with pytest.raises(DataError, match="SHA-256"):
        fetch.from_mirror(str(tmp_path), (optional,), tmp_path)
