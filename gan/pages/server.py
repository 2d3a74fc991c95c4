"""Pages for a browser on this machine, and for nobody else.

Only 127.0.0.1 is listened on. Other pages in the same browser are kept out by Host (a foreign name that resolves to this machine)
and by Origin (a form or script of theirs that posts here). Other users of this machine are kept out by a key: it is in the
printed address, and a cookie after the first visit. A page runs only scripts and styles that are files in gan/pages/static.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from uvicorn import Server

STATIC = Path(__file__).parent / "static"
BODY_LIMIT = 64 * 1024  # bytes that a browser may send at once
HEADERS = {
    "content-security-policy": "default-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",  # no face stays on the disk of whoever looked at it
}


def check_installed(who: str) -> None:
    """Raises ValueError if the extra `pages` is not installed. who: the command or option that needs it."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ValueError(
            f'{who}: needs starlette and uvicorn, which are not installed. Run: pip install "voxface[pages]"'
        ) from None


class Guard:
    """An ASGI application, and all that it lets in and out: see the top of this file.

    key: who opens a page with ?key=KEY once may come in. Refusals are plain text, and say nothing of what was asked for.
    """

    def __init__(self, app: ASGIApp, key: str):
        self._app, self._key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        assert scope["type"] == "http", scope["type"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        answer = self._stopped(request)
        body = b"" if answer else await _body(request, receive)
        if body is None:
            answer = PlainTextResponse(f"Too long: at most {BODY_LIMIT} bytes are taken at once.", 413)
        if answer is None:
            messages = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def receive_body() -> Message:
                return next(messages, None) or await receive()

            await self._app(scope, receive_body, send_with_headers)
        else:
            await answer(scope, receive, send_with_headers)

    def _stopped(self, request: Request) -> Response | None:
        """What a request gets that may not reach the application, None for one that may."""
        from starlette.responses import PlainTextResponse, RedirectResponse

        port = request.scope["server"][1]
        host = request.headers.get("host", "")
        if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return PlainTextResponse("Open the address that the command printed, with the same port.", 403)
        reads = request.method in ("GET", "HEAD")
        origins = set(request.headers.getlist("origin"))
        if origins != {f"http://{host}"} and (origins or not reads):
            return PlainTextResponse("Only this page itself may send answers.", 403)
        cookie = f"voxface-{port}"  # cookies do not tell ports apart
        if _equal(request.cookies.get(cookie, ""), self._key):
            return None
        if not (reads and _equal(request.query_params.get("key", ""), self._key)):
            return PlainTextResponse("Open the whole address that the command printed, with its key.", 403)
        answer = RedirectResponse("/", 303)  # the key leaves the address bar
        answer.set_cookie(cookie, self._key, httponly=True, samesite="lax")
        return answer


def media(request: Request, content: bytes, media_type: str) -> Response:
    """A picture or sound that is held in memory, or the part of it that was asked for: browsers seek in a sound only by parts."""
    from starlette.responses import Response

    part = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", request.headers.get("range", ""))
    headers = {"accept-ranges": "bytes"}
    if part is None:
        return Response(content, headers=headers, media_type=media_type)
    first, last = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
    if first > last:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(content)}"})
    headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(content[first : last + 1], 206, headers, media_type)


def make_server(app: ASGIApp, port: int = 0) -> tuple[Server, socket.socket, str]:
    """A server of app behind its Guard, the socket on which it already listens, and the address to open, key included.

    `server.run([socket])` answers until server.should_exit. port: 0 for a free one.
    Raises ValueError if the port cannot be had.
    """
    import uvicorn

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without it a port stays taken for a minute after the last visit.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"port: {port} cannot be had ({reason}). Give another, or leave it out for a free one.") from None
    key = secrets.token_urlsafe(16)
    options = uvicorn.Config(
        Guard(app, key),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(options), listening, f"http://127.0.0.1:{listening.getsockname()[1]}/?key={key}"


def serve(app: ASGIApp, port: int, announce: Callable[[str], object]) -> None:
    """Answer until Ctrl-C, on a free port if port is 0. announce: gets the address to open, once it can be opened."""
    server, listening, address = make_server(app, port)
    try:
        announce(address)
        server.run([listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def _equal(given: str, key: str) -> bool:
    return secrets.compare_digest(given.encode(), key.encode())


async def _body(request: Request, receive: Receive) -> bytes | None:
    """All that was sent, None if it is more than BODY_LIMIT. No more than that is ever held."""
    body, more = b"", True
    while more and len(body) <= BODY_LIMIT:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= BODY_LIMIT else None
