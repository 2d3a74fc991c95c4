"""The review without a browser: what it answers, stores and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.pages.answers import Answers, read_answers

pytest.importorskip("starlette", reason="the extra pages")
pytest.importorskip("httpx2", reason="the test client needs it")
from starlette.testclient import TestClient

from gan.lease import Lease
from gan.pages.review import Picture, review, review_app
from tests.gan.pages.people import Invented


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return open_review(tmp_path, ["Ann", "Ben", "Cid"])


def open_review(folder: Path, names: list[str], reviewer: str = "anna") -> TestClient:
    return TestClient(review_app(Invented(names), Answers(folder, reviewer)))


def seen(client: TestClient, path: str = "/people/next") -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.json()


def sent(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_review_from_first_to_last(client: TestClient, tmp_path: Path) -> None:
    state = seen(client)
    assert (state["person"]["name"], state["people"], state["done"], state["minutes"]) == ("Ann", 3, 0, None)
    assert [picture["chosen"] for picture in state["person"]["pictures"]] == [True, True, True, False]
    assert state["person"]["pictures"][3]["reason"] == "turned away"
    sent(client, "/answer", person=0, pictures=[1], verdict="wrong")
    sent(client, "/answer", person=0, pictures=[3], verdict="keep")
    assert sent(client, "/next", person=0)["person"]["name"] == "Ben"
    assert read_answers(tmp_path) == {"Ann/0": "keep", "Ann/1": "keep", "Ann/2": "wrong", "Ann/3": "keep"}
    sent(client, "/answer", person=1, pictures=[0, 1, 2, 3], verdict="drop")
    sent(client, "/next", person=1)
    end = sent(client, "/next", person=2)
    assert (end["person"], end["done"], end["counts"]) == (None, 3, {"keep": 6, "drop": 4, "wrong": 1})


def test_after_the_last_come_those_who_were_passed_over(client: TestClient) -> None:
    assert sent(client, "/next", person=1)["person"]["name"] == "Cid"
    assert sent(client, "/next", person=2)["person"]["name"] == "Ann"
    assert sent(client, "/next", person=1)["person"]["name"] == "Ann"  # done before: nothing is written anew


def test_undo_leads_back_to_where_it_was(client: TestClient) -> None:
    sent(client, "/answer", person=0, pictures=[2], verdict="drop")
    sent(client, "/next", person=0)
    state = sent(client, "/undo", person=1)
    assert (state["person"]["name"], state["done"]) == ("Ann", 0)
    assert [picture["verdict"] for picture in state["person"]["pictures"]] == [None, None, "drop", None]
    state = sent(client, "/undo", person=0)
    assert (state["selected"], state["person"]["pictures"][2]["verdict"]) == (2, None)
    assert sent(client, "/undo", person=0)["person"]["name"] == "Ann"  # nothing is left to undo


def test_it_goes_on_where_it_ended_and_shows_people_with_new_pictures_again(tmp_path: Path) -> None:
    first = open_review(tmp_path, ["Ann", "Ben"])
    sent(first, "/next", person=0)
    assert seen(open_review(tmp_path, ["Ann", "Ben"]))["person"]["name"] == "Ben"
    assert seen(open_review(tmp_path, ["Ann", "Ben"], "ben"))["person"]["name"] == "Ann"

    class More(Invented):
        def pictures(self, person: str) -> list[Picture]:
            return [Picture(f"{person}/new", "", "", True), *super().pictures(person)]

    again = TestClient(review_app(More(["Ann", "Ben"]), Answers(tmp_path, "anna")))
    assert seen(again)["person"]["name"] == "Ann"


def test_one_who_was_undone_by_name_no_longer_there(tmp_path: Path) -> None:
    sent(open_review(tmp_path, ["Ann", "Ben"]), "/next", person=0)
    assert sent(open_review(tmp_path, ["Ben"]), "/undo", person=0)["person"]["name"] == "Ben"


def test_pictures_sounds_and_files_of_the_page(client: TestClient) -> None:
    for path, kind in {
        "/": "text/html",
        "/static/style.css": "text/css",
        "/static/review.js": "text/javascript",
        "/static/icon.svg": "image/svg+xml",
        "/pictures/2/3": "image/png",
        "/sounds/2/0": "audio/wav",
    }.items():
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/people/3",
        "/people/-1",
        "/people/x",
        "/pictures/0/4",
        "/pictures/9/0",
        "/sounds/0/1",
        "/static/../review.py",
        "/static/%2e%2e/review.py",
        "/static/..%2freview.py",
        "/pictures/0/..%2f..%2fsecret",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "review" not in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("reason", [ValueError("/home/x"), KeyError("x"), FileNotFoundError("x")])
def test_a_picture_or_sound_that_cannot_be_read(tmp_path: Path, reason: Exception) -> None:
    class Broken(Invented):
        def png(self, key: str) -> bytes:
            raise reason

        wav = png

    client = TestClient(review_app(Broken(["Ann"]), Answers(tmp_path, "anna")))
    for path in ("/pictures/0/0", "/sounds/0/0"):
        assert (client.get(path).status_code, client.get(path).text) == (404, "It cannot be read.")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/answer", {"person": 0, "pictures": [0], "verdict": "perhaps"}),
        ("/answer", {"person": 0, "pictures": [4], "verdict": "keep"}),
        ("/answer", {"person": 0, "pictures": [-1], "verdict": "keep"}),
        ("/answer", {"person": 0, "pictures": [True], "verdict": "keep"}),
        ("/answer", {"person": 0, "pictures": ["0"], "verdict": "keep"}),
        ("/answer", {"person": True, "pictures": [0], "verdict": "keep"}),
        ("/answer", {"person": -1, "pictures": [0], "verdict": "keep"}),
        ("/answer", {"person": 3, "pictures": [0], "verdict": "keep"}),
        ("/answer", {"person": 0, "pictures": [0], "verdict": "keep", "more": 1}),
        ("/next", {}),
        ("/next", [0]),
        ("/next", {"person": "0"}),
        ("/undo", {"person": None}),
    ],
)
def test_answers_that_make_no_sense_are_refused(client: TestClient, tmp_path: Path, path: str, body: object) -> None:
    assert client.post(path, json=body).status_code in (400, 404)
    assert list(tmp_path.iterdir()) == []


def test_only_json_is_taken(client: TestClient) -> None:
    assert client.post("/next", content=b'{"person": 0}', headers={"Content-Type": "text/plain"}).status_code == 400
    json_type = {"Content-Type": "application/json"}
    for content in (b"{", b"\xff", b"[" * 60_000, b'{"person": NaN}'):
        assert client.post("/next", content=content, headers=json_type).status_code == 400


def test_a_full_disk_is_said_and_nothing_counts(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        answer = client.post("/next", json={"person": 0})
    assert (answer.status_code, answer.text) == (507, "Not saved: No space left on device. Mend that, then answer again.")
    assert seen(client)["done"] == 0


def test_names_of_every_kind_are_data(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "../../etc", "a\nb", "\udcff", ""]
    client = open_review(tmp_path, names)
    for number, name in enumerate(names):
        answer = client.get(f"/people/{number}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["person"]["name"] == name
        sent(client, "/next", person=number)
    assert Answers(tmp_path, "anna").done == set(names)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends as soon as its address is known."""

    def announce_only(app: object, port: int, announce: Callable[[str], object]) -> None:
        announce("http://127.0.0.1:1/?key=k")

    monkeypatch.setattr("gan.pages.review.serve", announce_only)


@pytest.mark.usefixtures("stopped")
def test_the_command_prints_who_answered_at_start_and_end(tmp_path: Path) -> None:
    sent(open_review(tmp_path, ["Ann"]), "/next", person=0)
    said: list[str] = []
    review(Invented(["Ann"]), tmp_path, "ben", announce=said.append)
    assert said == [
        "anna: 1 people done; pictures: 3 keep, 0 drop, 0 wrong.",
        "Open http://127.0.0.1:1/?key=k\nEnd with Ctrl-C: all is saved.",
        "anna: 1 people done; pictures: 3 keep, 0 drop, 0 wrong.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["anna.jsonl"]


@pytest.mark.usefixtures("stopped")
def test_what_the_command_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^review: there is nobody to look at"):
        review(Invented([]), tmp_path, "anna")
    with pytest.raises(ValueError, match=r"^reviewer: "):
        review(Invented(["Ann"]), tmp_path, "Anna B.")
    lease = Lease.take(tmp_path / ".anna.lease")
    assert lease is not None
    with lease, pytest.raises(ValueError, match=r"^reviewer: anna is reviewing already \(process \d+ on .*\)\."):
        review(Invented(["Ann"]), tmp_path, "anna")
