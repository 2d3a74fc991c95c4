"""Pages in a real browser: a server beside the test, and Debian's Chromium, without a window.

    from tests.browser import address_of, browser, tab  # in a conftest.py

Under the pages' policy `wait_for_function` is refused, as any script from a string is: wait with expect(locator).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from starlette.types import ASGIApp

CHROMIUM = shutil.which("chromium")


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of app behind its guard, as gan.pages.server.serve serves it; it ends with the block."""
    from gan.pages.server import make_server

    server, listening, address = make_server(app)
    thread = Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not of the session: Playwright keeps an event loop running in this thread, and others may want their own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    # Chromium refuses its sandbox to root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as playing, playing.chromium.launch(executable_path=CHROMIUM, args=arguments) as launched:
        yield launched


@pytest.fixture
def address_of() -> Iterator[Callable[[ASGIApp], str]]:
    """As served, until the tab is closed: a server that ends under a page that still loads is an error on that page."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


@pytest.fixture
def tab(browser: Browser, address_of: Callable[[ASGIApp], str]) -> Iterator[Page]:
    """A tab with cookies of its own, closed before any server ends.

    Fails if the page logged an error, or asked anybody but its own server for anything.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: None if request.url.startswith("http://127.0.0.1:") else wrong.append(request.url))
    try:
        yield page
    finally:
        context.close()
    assert wrong == []
