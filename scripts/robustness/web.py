"""A server of the web page whose workers only pretend, and the bodies that it is sent."""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import cache
from http.client import HTTPConnection
from pathlib import Path

WORKER = Path(__file__).parents[2] / "tests" / "support" / "fake_worker.py"
ALLOWED = (503, 504)
"""Statuses from 500 on that are an answer: it is busy, or it takes too long."""


@cache
def _port() -> int:
    """The port of a server that ends with this process."""
    import uvicorn

    from onekcal.serve.app import Settings, create_app

    app = create_app(Settings(command=(sys.executable, str(WORKER))))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return int(server.servers[0].sockets[0].getsockname()[1])


def send(path: Path) -> object:
    """Send a file as the body of a request to the route that its name says."""
    from onekcal.errors import InputError

    connection = HTTPConnection("127.0.0.1", _port(), timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/{path.stem}", path.read_bytes(), headers)
        reply = connection.getresponse()
        content = json.loads(reply.read())
    finally:
        connection.close()
    if reply.status >= 500 and reply.status not in ALLOWED:
        raise RuntimeError(f"the server answers {reply.status}: {content}")
    if reply.status >= 400:
        raise InputError(content["problem"])
    return content
