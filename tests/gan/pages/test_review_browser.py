"""The review in a real browser, by keyboard alone and by mouse, in a wide and in a narrow window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette", reason="the extra pages")
pytest.importorskip("playwright", reason="Playwright drives the browser")
from playwright.sync_api import expect

from gan.pages.answers import Answers, read_answers
from gan.pages.review import review_app
from tests.browser import served
from tests.gan.pages.people import Invented

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page
    from starlette.types import ASGIApp

    AddressOf = Callable[[ASGIApp], str]

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIVE = ["Ann", "Ben", "<script>alert(1)</script>", "Dan", "Eve"]


@pytest.mark.parametrize("width", [320, 1280])
def test_five_people_by_keyboard_with_a_reload_and_undo(tab: Page, address_of: AddressOf, tmp_path: Path, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 700})
    name, status, count = tab.locator("h1"), tab.get_by_role("status"), tab.locator("#count")
    press = tab.keyboard.press
    address = address_of(review_app(Invented(FIVE), Answers(tmp_path, "anna")))
    tab.goto(address)
    expect(name).to_have_text("Ann")
    assert "key=" not in tab.url
    expect(tab.locator("#chosen img")).to_have_count(3)
    for picture in tab.locator(".picture").all():
        box = picture.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 160
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    # Keys faster than answers: none is lost.
    for key in ("ArrowRight", "w", "4", "k", "n"):
        press(key)
    expect(name).to_have_text("Ben")
    expect(count).to_contain_text("1 of 5 people done")
    press("3")
    press("d")
    expect(status).to_have_text("Marked: Picture 4 of 4, left out: turned away")
    expect(tab.locator("[data-verdict=drop]")).to_have_count(1)
    tab.reload()
    expect(name).to_have_text("Ben")
    expect(tab.locator("[data-verdict=drop]")).to_have_count(1)
    press("n")
    expect(name).to_have_text(FIVE[2])  # as text: nothing ran
    press("Shift+W")
    expect(tab.locator("[data-verdict=wrong]")).to_have_count(4)
    press("u")
    expect(tab.locator("[data-verdict=wrong]")).to_have_count(0)
    press("Shift+D")
    for key in ("n", "n", "n"):
        press(key)
    expect(name).to_have_text("All 5 people are done")
    press("u")
    expect(name).to_have_text("Eve")
    press("b")
    expect(name).to_have_text("Dan")
    press("n")
    expect(name).to_have_text("Eve")
    press("n")
    expect(tab.locator("#counts")).to_have_text("11 keep, 5 drop, 1 wrong person.")
    press("n")  # nothing is left: nothing happens
    expect(name).to_have_text("All 5 people are done")
    verdicts = read_answers(tmp_path)
    assert {key: verdicts[key] for key in verdicts if key.startswith(("Ann", "Ben"))} == {
        "Ann/1": "keep",
        "Ann/2": "wrong",
        "Ann/3": "keep",
        "Ann/0": "keep",
        "Ben/1": "keep",
        "Ben/2": "keep",
        "Ben/3": "drop",
    }


def test_by_mouse_and_by_ear(tab: Page, address_of: AddressOf, tmp_path: Path) -> None:
    address = address_of(review_app(Invented(["Ann", "Ben"]), Answers(tmp_path, "anna")))
    tab.goto(address)
    tab.locator(".picture").nth(1).click()
    tab.get_by_role("button", name="Drop", exact=False).first.click()
    expect(tab.locator("[data-verdict=drop]")).to_have_count(1)
    sound = tab.locator("audio")
    for _ in range(2):  # once more from the start
        tab.keyboard.press("s")
        expect(sound).to_have_js_property("ended", True)
    expect(sound).to_have_js_property("duration", 0.5)
    tab.get_by_role("button", name="Next person").click()
    expect(tab.locator("h1")).to_have_text("Ben")
    assert read_answers(tmp_path) == {"Ann/1": "keep", "Ann/2": "drop", "Ann/3": "keep"}


def test_keys_that_mean_something_else_answer_nothing(tab: Page, address_of: AddressOf, tmp_path: Path) -> None:
    address = address_of(review_app(Invented(["Ann"]), Answers(tmp_path, "anna")))
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("Ann")
    for key in ("Control+d", "Alt+w", "Shift+N", "Shift+K", "x", "9", "ArrowUp", "ArrowRight"):
        tab.keyboard.press(key)
    expect(tab.get_by_role("status")).to_have_text("Marked: Picture 2 of 4, chosen")
    expect(tab.locator("#error")).to_be_hidden()
    assert not (tmp_path / "anna.jsonl").exists()


def test_what_cannot_be_read_or_saved_is_said(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    class Broken(Invented):
        def png(self, key: str) -> bytes:
            raise ValueError("no picture")

    with browser.new_context() as context:
        page = context.new_page()
        error = page.get_by_role("alert")
        with served(review_app(Broken(["Ann", "Ben"]), Answers(tmp_path, "anna"))) as address:
            page.goto(address)
            expect(page.get_by_text("This picture cannot be read")).to_have_count(4)
            with monkeypatch.context() as patch:
                patch.setattr("os.fsync", full)
                page.keyboard.press("n")
                expect(error).to_have_text("Not saved: No space left on device. Mend that, then answer again.")
                expect(page.locator("h1")).to_have_text("Ann")
            page.keyboard.press("n")
            expect(page.locator("h1")).to_have_text("Ben")
            expect(error).to_be_hidden()
            # All that the page loads is loaded: a server does not end under requests.
            expect(page.get_by_text("This picture cannot be read")).to_have_count(4)
            expect(page.locator("audio")).to_have_js_property("duration", 0.5)
        page.keyboard.press("n")
        expect(error).to_contain_text("The command that serves this page has ended")
