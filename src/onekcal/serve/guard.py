"""Who may ask, how often and how much; and what a browser is told about the pages.

Every request passes here first. The token comes as a cookie, which `?token=…` sets once, or as
`Authorization: Bearer …`. A page of another site can neither ask (its requests carry another
origin) nor pretend to be this one (on loopback, the host's name is checked).
"""

from __future__ import annotations

import json
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onekcal.serve.limits import Limits, Rate

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
COOKIE = "onekcal-token"
UPLOAD = "/api/batch"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; worker-src 'self' blob:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class TooLarge(Exception):
    """A body is larger than it may be."""


class Guard:
    """ASGI middleware around the routes.

    Parameters
    ----------
    app
        What it guards.
    limits
        Sizes and rates.
    token
        What a reader must know; empty: nothing.
    hosts
        Names under which the server may be asked; empty: any.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, token: str = "", hosts: frozenset[str] = LOOPBACK
    ) -> None:
        self.app, self.limits, self.token, self.hosts = app, limits, token, hosts
        self.rate = Rate(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        send = _with_headers(send)
        refused = self._refused(scope, headers)
        if refused is not None:
            return await _answer(send, *refused)
        if self.token and not self._known(headers):
            return await self._let_in(scope, send)
        most = self.limits.upload if scope["path"] == UPLOAD else self.limits.body
        try:
            await self.app(scope, _counted(receive, most), send)
        except TooLarge:
            await _answer(send, *_too_large(most))

    def _refused(self, scope: Scope, headers: Headers) -> tuple[Any, ...] | None:
        host = headers.get("host", "")
        if self.hosts and (urlsplit(f"//{host}").hostname or "") not in self.hosts:
            return 403, "this server is asked by the name localhost or 127.0.0.1"
        address = scope["client"][0] if scope.get("client") else ""
        wait = self.rate.wait(address)
        if wait:
            return 429, "too many requests; slow down", {"Retry-After": f"{max(1, round(wait))}"}
        origin = headers.get("origin")
        strange = origin is not None and urlsplit(origin).netloc != host
        if scope["path"].startswith("/api") and (
            strange or headers.get("sec-fetch-site") == "cross-site"
        ):
            return 403, "a page of another site may not ask this server"
        length = headers.get("content-length", "0")
        most = self.limits.upload if scope["path"] == UPLOAD else self.limits.body
        if not length.isdigit() or int(length) > most:
            return _too_large(most)
        return None

    def _known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        cookie = cookies[COOKIE].value if COOKIE in cookies else ""
        return self._same(given if kind.lower() == "bearer" else "") or self._same(cookie)

    def _same(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Turn `/?token=…` into a cookie; without it, say that a token is needed."""
        asked = parse_qsl(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and self._same(dict(asked).get("token", "")):
            rest = urlencode([(key, value) for key, value in asked if key != "token"])
            cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            more = {"Location": "/" + (f"?{rest}" if rest else ""), "Set-Cookie": cookie}
            return await _answer(send, 303, "welcome", more)
        said = "a token is needed: open the address that `onekcal serve` printed, or send it as "
        await _answer(send, 401, said + "`Authorization: Bearer …`", {"WWW-Authenticate": "Bearer"})


def _too_large(most: int) -> tuple[int, str]:
    return 413, f"this is larger than {most / 1024:,.0f} KiB, the most that is taken here"


def _counted(receive: Receive, most: int) -> Receive:
    """Break off a body that turns out longer than it may be."""
    got = 0

    async def counted() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise TooLarge
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return dressed


async def _answer(
    send: Send, status: int, problem: str, more: dict[str, str] | None = None
) -> None:
    """A short answer that the routes do not give."""
    body = json.dumps({"problem": problem}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | (more or {})
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
