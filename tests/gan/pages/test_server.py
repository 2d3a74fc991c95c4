"""Who is let in, and with what headers everything goes out."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys

import pytest

from gan.pages.server import BODY_LIMIT, HEADERS, Guard, check_installed, make_server, media

pytest.importorskip("starlette", reason="the extra pages")
pytest.importorskip("httpx2", reason="the test client needs it")
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

OWN = "http://127.0.0.1:8123"


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def sound(request: Request) -> Response:
    return media(request, b"0123456789", "audio/wav")


@pytest.fixture
def stranger() -> TestClient:
    """A client without the key."""
    routes = [Route("/", echo, methods=["GET", "POST"]), Route("/sound", sound)]
    return TestClient(Guard(Starlette(routes=routes), "the-key"), base_url=OWN, follow_redirects=False)


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    assert stranger.get("/?key=the-key").status_code == 303
    return stranger


def test_the_key_opens_once_and_then_the_cookie_does(stranger: TestClient) -> None:
    assert stranger.get("/").status_code == 403
    assert stranger.get("/?key=another").status_code == 403
    assert stranger.get("/?key=ü").status_code == 403
    assert stranger.post("/?key=the-key", headers={"Origin": OWN}).status_code == 403
    answer = stranger.get("/?key=the-key")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:8124", "", "127.0.0.1:8123.evil.example"]
)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403


def test_localhost_is_this_machine_too(stranger: TestClient) -> None:
    assert stranger.get("/?key=the-key", headers={"Host": "localhost:8123"}).status_code == 303


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8124", "https://127.0.0.1:8123", "http://localhost:8123"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused(client: TestClient, method: str, origin: str) -> None:
    assert client.request(method, "/", headers={"Origin": origin}).status_code == 403


def test_a_post_needs_an_origin(client: TestClient) -> None:
    assert client.post("/", content=b"x").status_code == 403
    assert client.post("/", content=b"x", headers={"Origin": OWN}).content == b"x"


def test_bodies_have_a_limit(client: TestClient) -> None:
    def parts():
        yield b"x" * BODY_LIMIT
        yield b"x"

    own = {"Origin": OWN}
    assert client.post("/", content=b"x" * BODY_LIMIT, headers=own).status_code == 200
    assert client.post("/", content=b"x" * (BODY_LIMIT + 1), headers=own).status_code == 413
    assert client.post("/", content=parts(), headers=own).status_code == 413


@pytest.mark.parametrize("path", ["/", "/nowhere", "/?key=no"])
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    for headers in ({}, {"Host": "evil.example"}):
        answer = client.get(path, headers=headers)
        assert HEADERS.items() <= dict(answer.headers).items()
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert "frame-ancestors 'none'" in HEADERS["content-security-policy"]


def test_no_answer_repeats_what_was_asked(client: TestClient) -> None:
    for path in ("/<script>alert(1)</script>", "/?key=<script>", "/../../etc/passwd", "/%2e%2e/secret-name"):
        answer = client.get(path, headers={"Origin": "http://evil.example"} if "key" in path else {})
        assert not re.search("script|passwd|secret", answer.text)


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("", 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=7-99", 206, b"789"),
        ("bytes=10-", 416, b""),
        ("bytes=4-2", 416, b""),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("bytes=" + "9" * 40 + "-", 200, b"0123456789"),
    ],
)
def test_a_part_of_a_sound(client: TestClient, asked: str, status: int, content: bytes) -> None:
    answer = client.get("/sound", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, content)


def test_it_listens_on_this_machine_only_and_a_taken_port_is_refused() -> None:
    server, listening, address = make_server(Starlette())
    with listening:
        host, port = listening.getsockname()
        assert host == "127.0.0.1"
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/\?key=[\w-]{{20,}}", address)
        with pytest.raises(ValueError, match=rf"^port: {port} cannot be had \(.*\)\. Give another"):
            make_server(Starlette(), port)
        assert server.config.access_log is False
    with pytest.raises(ValueError, match=r"^port: 70000 cannot be had"):
        make_server(Starlette(), 70000)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ValueError, match=r'^review: needs starlette and uvicorn.*Run: pip install "voxface\[pages\]"$'):
        check_installed("review")


@pytest.mark.slow
def test_control_c_ends_it_cleanly() -> None:
    script = (
        "from starlette.applications import Starlette; from gan.pages.server import serve;"
        "serve(Starlette(), 0, lambda address: print(address, flush=True)); print('ended')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        port = int(re.search(r":(\d+)/", address)[1])  # type: ignore[index]
        with socket.create_connection(("127.0.0.1", port)) as connection:  # stays open, as a browser's does
            connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 403")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "ended\n", "")
