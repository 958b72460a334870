"""A server that runs until it is interrupted."""

from __future__ import annotations

import secrets
import webbrowser
from dataclasses import replace
from threading import Timer

import uvicorn

from onekcal.serve.app import Settings, create_app
from onekcal.serve.guard import LOOPBACK


def run(settings: Settings, host: str = "127.0.0.1", port: int = 8000, show: bool = False) -> None:
    """Serve until interrupted, and print the address.

    Parameters
    ----------
    settings
        How the server is set up. Beyond loopback it gets a token where it has none.
    host, port
        Where it listens.
    show
        Whether the reader's browser is opened.
    """
    if host not in LOOPBACK:
        settings = replace(
            settings, token=settings.token or secrets.token_urlsafe(24), hosts=frozenset()
        )
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}/" + (f"?token={settings.token}" if settings.token else "")
    print(f"onekcal: {address}  (Ctrl-C ends it)", flush=True)
    if show:
        Timer(1.5, webbrowser.open, (address,)).start()
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=30,
        limit_concurrency=500,
        h11_max_incomplete_event_size=64 * 1024,
    )
