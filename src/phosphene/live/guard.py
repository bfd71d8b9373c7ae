"""Who may ask the server, and what a page may do: hosts, origins, a token, sizes, headers."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
NOTEBOOKS = tuple(
    f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1")
)
"""Where a notebook of this machine is, whose page may show ours in a frame."""

MOST_BODY = 8 * 2**20
"""Bytes of a request; a picture of a camera has about four million."""

_TOO_LARGE = (413, f"a request may have {MOST_BODY:,} bytes; send a smaller picture")
_COOKIE = "phosphene"
_SAFE = {"GET", "HEAD"}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # boxes on images say where they are
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Lets through what comes from our own page, or from a script that names no other.

    A page elsewhere can neither read us by another name for this machine (the `Host` it sends is
    not ours) nor send us anything (its `Origin` is not ours).

    Args:
        app: what is guarded.
        hosts: names under which the server may be asked; None for any.
        token: what must be known to ask; None where everyone on this machine may.
        framed_by: origins that may show the page in a frame.
    """

    def __init__(
        self,
        app: App,
        hosts: frozenset[str] | None = LOOPBACK,
        token: str | None = None,
        framed_by: tuple[str, ...] = (),
    ) -> None:
        self.app, self.hosts, self.token = app, hosts, token
        frames = " ".join(framed_by) or "'none'"
        self.policy = f"{_POLICY}; frame-ancestors {frames}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with a sentence."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        send = self._with_headers(send, scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _say(send, *refused)
            return
        body = await _body(receive)
        if body is None:
            await _say(send, *_TOO_LARGE)
            return
        await self.app(scope, _after(body, receive), send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """The status and the words for what may not pass."""
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 421, "this server is not known by that name; open the address that it printed"
        origin = headers.get("origin")
        same = origin is None or urlsplit(origin).netloc == host
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] not in _SAFE and not (same and site in {"same-origin", "none"}):
            return 403, "only the page itself may send anything"
        if self.token is not None and not self._known(scope, headers):
            return 401, "open the address with the token that the server printed"
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return 400, "the length of a request is a number of bytes"
        if int(length) > MOST_BODY:
            return _TOO_LARGE
        return None

    def _known(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self.token is not None, "asked for where there is one"
        told = [*_asked(scope), headers.get("authorization", "").removeprefix("Bearer ")]
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            kept = None
        if kept is not None:
            told.append(kept.value)
        return any(secrets.compare_digest(self.token.encode(), one.encode()) for one in told)

    def _with_headers(self, send: Send, scope: Scope) -> Send:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = _HEADERS | {"content-security-policy": self.policy}
                if self.token is not None and self.token in _asked(scope):
                    added["set-cookie"] = (
                        f"{_COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                    )
                pairs = [(k.encode(), v.encode("latin-1")) for k, v in added.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        return sending


def _asked(scope: Scope) -> list[str]:
    """Tokens in the address."""
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])


def _name(host: str) -> str:
    """A host without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _body(receive: Receive) -> bytes | None:
    """All that is sent, whatever length was promised; None of too much."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BODY:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _after(body: bytes, receive: Receive) -> Receive:
    """Gives what was sent, and then whatever else happens."""
    given = False

    async def receiving() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _say(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})
