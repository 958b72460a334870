"""A server that runs until it is interrupted."""

from __future__ import annotations

import contextlib
import secrets
import socket
import webbrowser
from dataclasses import replace
from threading import Timer

import uvicorn

from onekcal.errors import ConfigError
from onekcal.serve.app import Settings, create_app
from onekcal.serve.guard import LOOPBACK
from onekcal.system.home import home, refuse_unwritable

PATIENCE = 5
"""Seconds that open connections have when the server ends."""


def run(settings: Settings, host: str = "127.0.0.1", port: int = 8000, show: bool = False) -> None:
    """Serve until interrupted, and print the address.

    Parameters
    ----------
    settings
        How the server is set up. Beyond loopback it gets a token where it has none.
    host, port
        Where it listens; port 0: any that is free.
    show
        Whether the reader's browser is opened.

    Raises
    ------
    ConfigError
        It cannot listen there.
    DataError
        Jobs and answers cannot be kept.
    """
    settings = guarded(settings, host)
    refuse_unwritable(home() / "serve", "jobs and answers")
    listener = listening(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}/"
    address += f"?token={settings.token}" if settings.token else ""
    print(f"onekcal: {address}  (Ctrl-C ends it)", flush=True)
    if show:
        Timer(1.5, webbrowser.open, (address,)).start()
    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=PATIENCE,
        limit_concurrency=500,
        h11_max_incomplete_event_size=64 * 1024,
    )
    with listener, contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        uvicorn.Server(config).run(sockets=[listener])


def guarded(settings: Settings, host: str) -> Settings:
    """Require a token where others than this machine can ask.

    Parameters
    ----------
    settings
        How the server is set up.
    host
        Where it listens.
    """
    if host in LOOPBACK:
        return settings
    token = settings.token or secrets.token_urlsafe(24)
    return replace(settings, token=token, hosts=frozenset())


def listening(host: str, port: int) -> socket.socket:
    """Open the place where the server listens.

    Parameters
    ----------
    host, port
        The place.

    Raises
    ------
    ConfigError
        It is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not 0 <= port < 2**16:
            raise OSError("ports end at 65535")
        return socket.create_server((host, port), family=family)
    except OSError as problem:
        raise ConfigError(
            f"cannot listen at {host}, port {port} ({problem}); --port names another port, and "
            "0 takes one that is free"
        ) from None
