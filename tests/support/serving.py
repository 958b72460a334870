"""Servers of the web page on a free port, with workers that only pretend; and who asks them."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import uvicorn

from onekcal.serve.app import Settings, create_app

FAKE = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
PATIENCE = 60.0
"""Seconds until what does not come has failed."""
OPENER = build_opener(ProxyHandler({}))


class Client:
    """Asks one server."""

    def __init__(self, port: int, app: Any) -> None:
        self.port, self.app, self.headers = port, app, {}
        self.address = f"http://127.0.0.1:{port}"

    def raw(
        self, path: str, body: object = None, method: str | None = None, **headers: str
    ) -> tuple[int, bytes, Any]:
        """Status, body and headers of a reply; dicts are sent as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        named = {"Content-Type": kind} | {key.replace("_", "-"): v for key, v in headers.items()}
        asked = Request(self.address + path, data, named, method=method)
        try:
            with OPENER.open(asked, timeout=PATIENCE) as reply:
                return reply.status, reply.read(), reply.headers
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read(), refused.headers

    def ask(self, path: str, body: object = None, status: int = 200, **more: Any) -> Any:
        """The JSON of a reply that must have this status."""
        code, content, _ = self.raw(path, body, **more)
        assert code == status, content
        return json.loads(content) if content else None

    def upload(self, name: str, content: str, **more: Any) -> Any:
        return self.ask(f"/api/batch?file={name}", content.encode(), status=202, **more)

    def until(self, key: str, *states: str) -> dict[str, Any]:
        """A job as soon as it is in one of these states."""
        return wait_for(
            lambda: one if (one := self.ask(f"/api/jobs/{key}"))["state"] in states else None
        )


def wait_for(condition: Callable[[], Any]) -> Any:
    """What a condition returns as soon as that is something."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, "never came"
        time.sleep(0.02)
    return found


@contextmanager
def serving(settings: Settings) -> Iterator[Client]:
    """A server that runs in a thread of its own until the block ends."""
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", ws="none", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started or not thread.is_alive())
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Client(port, app)
    finally:
        server.should_exit = True
        thread.join()


def pretending() -> Any:
    """A server whose workers only pretend, for a `with` block."""
    return serving(Settings(command=FAKE))
