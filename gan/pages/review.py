"""The review of prepared people by a person: one of them a screen, their pictures and sounds, keys for verdicts.

The page is static/review.html and review.js. It asks and answers in JSON. People and pictures go by number, so no name is part of
an address. Answers lie in files (gan/pages/answers.py): the page can be closed, reloaded and opened again at any time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gan.lease import Lease, holder
from gan.pages.answers import VERDICTS, Answers, report
from gan.pages.server import STATIC, check_installed, media, serve

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True)
class Picture:
    """One picture of a person.

    key: what its verdict is stored under, unique among all people, the same at every start.
    caption: where it comes from, a few words. reason: why it was left out, "" for one that was chosen.
    """

    key: str
    caption: str
    reason: str
    chosen: bool


class People(Protocol):
    """What is reviewed. png and wav may raise ValueError, KeyError or OSError for what cannot be read: the page says so."""

    def names(self) -> list[str]:
        """In the order of the review."""

    def pictures(self, person: str) -> list[Picture]:
        """The best first."""

    def png(self, key: str) -> bytes:
        """Of a picture."""

    def sounds(self, person: str) -> list[tuple[str, str]]:
        """(key, caption) of a few clips of speech, for whoever wants to hear whether voice and face fit."""

    def wav(self, key: str) -> bytes:
        """Of a sound."""


def review(people: People, folder: Path, reviewer: str, port: int = 0, announce: Callable[[str], object] = print) -> None:
    """Serve the review until Ctrl-C. Answers are added to folder/REVIEWER.jsonl; gan.pages.answers.read_answers gives them.

    announce: gets each line for the reviewer: where the page is; at start and end what was answered, and how reviewers agree.
    Raises ValueError without starlette and uvicorn, without people, for a reviewer's name that names no file, for a file that
    does not hold answers, for a port that cannot be had, and while another process reviews under the same name.
    """
    check_installed("review")
    answers = Answers(folder, reviewer)
    if not people.names():
        raise ValueError("review: there is nobody to look at. Prepare people first.")
    folder.mkdir(parents=True, exist_ok=True)
    held = folder / f".{reviewer}.lease"
    lease = Lease.take(held)
    if lease is None:
        raise ValueError(f"reviewer: {reviewer} is reviewing already{_where(held)}. End that, or give another name.")
    with lease:
        answers = Answers(folder, reviewer)  # again: until now another process may have added to it
        for line in report(folder):
            announce(line)
        serve(review_app(people, answers), port, lambda address: announce(f"Open {address}\nEnd with Ctrl-C: all is saved."))
        for line in report(folder):
            announce(line)


def review_app(people: People, answers: Answers) -> Starlette:
    """The page and what it asks for. Everything runs in one thread, so `people` need not bear several."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    review = _Review(people, answers)

    def reply(person: int | None, selected: int = 0) -> Response:
        return Response(json.dumps(review.state(person) | {"selected": selected}), media_type="application/json")

    def found(items: Sequence[Any], number: int) -> Any:
        if number >= len(items):
            raise HTTPException(404, "There is no such person, picture or sound.")
        return items[number]

    async def page(request: Request) -> Response:
        return Response((STATIC / "review.html").read_bytes(), media_type="text/html")

    async def next_person(request: Request) -> Response:
        return reply(review.next_after(-1))

    async def person(request: Request) -> Response:
        number = request.path_params["person"]
        found(review.names, number)
        return reply(number)

    async def file(request: Request) -> Response:
        numbers = request.path_params
        name = found(review.names, numbers["person"])
        try:
            if request.url.path.startswith("/pictures/"):
                return media(request, people.png(found(review.pictures[name], numbers["number"]).key), "image/png")
            return media(request, people.wav(found(people.sounds(name), numbers["number"])[0]), "audio/wav")
        except (ValueError, KeyError, OSError):
            raise HTTPException(404, "It cannot be read.") from None

    async def answer(request: Request) -> Response:
        asked = await _asked(request, {"person": int, "pictures": list, "verdict": str})
        pictures = found(review.pictures_of, asked["person"])
        if asked["verdict"] not in VERDICTS or not all(_is_number(item, len(pictures)) for item in asked["pictures"]):
            raise HTTPException(400, "No verdict on pictures of this person.")
        review.judge(asked["person"], asked["pictures"], asked["verdict"])
        return reply(asked["person"], max(asked["pictures"], default=0))

    async def go_on(request: Request) -> Response:
        asked = await _asked(request, {"person": int})
        found(review.names, asked["person"])
        review.finish(asked["person"])
        return reply(review.next_after(asked["person"]))

    async def undo(request: Request) -> Response:
        asked = await _asked(request, {"person": int})
        person, selected = review.undo()
        return reply(min(asked["person"], len(review.names) - 1) if person is None else person, selected)

    async def disk(request: Request, error: Exception) -> Response:
        reason = getattr(error, "strerror", None) or error
        return Response(f"Not saved: {reason}. Mend that, then answer again.", 507, media_type="text/plain")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/people/next", next_person),
            Route("/people/{person:int}", person),
            Route("/pictures/{person:int}/{number:int}", file),
            Route("/sounds/{person:int}/{number:int}", file),
            Route("/answer", answer, methods=["POST"]),
            Route("/next", go_on, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={OSError: disk},
    )


class _Review:
    """Where one reviewer stands. People and pictures go by number: of names, of the person's pictures, the chosen first."""

    def __init__(self, people: People, answers: Answers):
        self._people, self._answers = people, answers
        self.names = people.names()
        # Once: numbers mean the same as long as the page is served.
        self.pictures_of = [sorted(people.pictures(name), key=lambda picture: not picture.chosen) for name in self.names]
        self.pictures = dict(zip(self.names, self.pictures_of, strict=True))

    def state(self, number: int | None) -> dict[str, Any]:
        """What the page shows. number: of the person, None when nobody is left."""
        verdicts = self._answers.verdicts
        done = self._done()
        minutes = self._answers.minutes_left(len(self.names) - len(done))
        counts = Counter(verdicts.values())
        person = None
        if number is not None:
            pictures = [
                dict(caption=item.caption, reason=item.reason, chosen=item.chosen, verdict=verdicts.get(item.key))
                for item in self.pictures_of[number]
            ]
            name = self.names[number]
            sounds = [caption for _, caption in self._people.sounds(name)]
            person = dict(number=number, name=name, done=number in done, pictures=pictures, sounds=sounds)
        return dict(
            reviewer=self._answers.reviewer,
            people=len(self.names),
            done=len(done),
            minutes=minutes,
            counts={verdict: counts[verdict] for verdict in VERDICTS},
            person=person,
        )

    def judge(self, number: int, pictures: list[int], verdict: str) -> None:
        keys = [self.pictures_of[number][picture].key for picture in pictures]
        self._answers.add(self.names[number], dict.fromkeys(keys, verdict))

    def finish(self, number: int) -> None:
        """The person was looked at: chosen pictures without a verdict are kept, in so many words."""
        if number not in self._done():
            verdicts = self._answers.verdicts
            right = [item.key for item in self.pictures_of[number] if item.chosen and item.key not in verdicts]
            self._answers.add(self.names[number], dict.fromkeys(right, "keep"), done=True)

    def undo(self) -> tuple[int | None, int]:
        """Numbers of the person and the picture of what was taken back."""
        person, keys = self._answers.undo() or ("", [])
        if person not in self.pictures:  # or a person of an earlier preparation
            return None, 0
        pictures = [item.key for item in self.pictures[person]]
        return self.names.index(person), min((pictures.index(key) for key in keys if key in pictures), default=0)

    def next_after(self, number: int) -> int | None:
        """The first person after this one who is not done, else the first of all."""
        left = set(range(len(self.names))) - self._done()
        return min(left, key=lambda other: (other < number, other), default=None)

    def _done(self) -> set[int]:
        """Of people done earlier those are looked at again who have got other pictures since."""
        done, verdicts = self._answers.done, self._answers.verdicts
        return {
            number
            for number, name in enumerate(self.names)
            if name in done and all(item.key in verdicts for item in self.pictures_of[number] if item.chosen)
        }


async def _asked(request: Request, fields: dict[str, type]) -> dict[str, Any]:
    """The JSON that a page has sent, if it has exactly these fields."""
    from starlette.exceptions import HTTPException

    try:
        asked = json.loads(await request.body()) if request.headers.get("content-type") == "application/json" else None
    except (ValueError, RecursionError):
        asked = None
    if not (isinstance(asked, dict) and {name: type(value) for name, value in asked.items()} == fields):
        raise HTTPException(400, "Not what this page sends.")
    if "person" in fields and asked["person"] < 0:
        raise HTTPException(404, "There is no such person, picture or sound.")
    return asked


def _is_number(item: object, end: int) -> bool:
    return type(item) is int and 0 <= item < end


def _where(lease: Path) -> str:
    held = holder(lease)
    return f" (process {held['pid']} on {held['host']})" if held else ""
