"""Pages that are sent once more as they are, for as long as nothing at all has changed in the database.

A route whose page rests on nothing but the database, the address, the cookies and the clock asks for `KeptDb` in place
of `Db` (`web.deps`). Its page is then kept under the mark that the database had before anything was read for it
(`db.Changes`), and sent again only while the database still has that mark: no process has committed anything since, so
whoever asks is who they were, may see what they might see, and would get the same page. Who they are is judged by the
clock each time (`checks`); what a page shows of the clock is rounded to minutes, so none outlives its minute.
A page is found by its address and all of its cookies, and no other person has these.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message, Scope, Send

from app.db import Changes, Mark, utcnow

MOST = 32 * 1024 * 1024
"""Bytes of pages that a process keeps at most; all of them go at the next change anyway."""
MOST_FACTS = 5_000
KEEPING = "tunegate.keeping"
# What else of a request may change its answer: credentials in a header, pieces of pages, parts of files, a body.
OTHER = frozenset({b"authorization", b"hx-request", b"range", b"content-length", b"transfer-encoding", b"prefer"})

Key = tuple[str, bytes, bytes]
Check = Callable[[datetime], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer as it was sent. checks: whether it may be sent now. fresh: words in it that no two readers share."""

    start: Message
    body: bytes
    since: datetime
    until: datetime
    checks: tuple[Check, ...]
    fresh: tuple[str, ...]

    def holds(self, now: datetime) -> bool:
        return self.since <= now < self.until and all(check(now) for check in self.checks)

    async def send(self, send: Send) -> None:
        body = self.body
        for word in self.fresh:
            body = body.replace(word.encode(), new_word().encode())
        await send({**self.start, "headers": list(self.start["headers"])})
        await send({"type": "http.response.body", "body": body})


class KeptPages:
    """The pages that one process keeps: all of one mark, gone with it. Used in the event loop only."""

    def __init__(self, changes: Changes, most: int = MOST) -> None:
        self.sent = 0
        """How many pages were sent without being made."""
        self._changes = changes
        self._most = most
        self._mark: Mark = None
        self._pages: dict[Key, Page] = {}
        self._facts: dict[str, object] = {}
        self._bytes = 0

    @property
    def quick(self) -> bool:
        """Whether a mark costs next to nothing: less than whatever could be asked in its place."""
        return not self._changes.waits

    async def mark(self) -> Mark:
        """The mark that the database has now; None where it cannot be said, and then nothing is kept."""
        mark = await run_in_threadpool(self._changes.mark) if self._changes.waits else self._changes.mark()
        if mark is None or mark != self._mark:
            self._pages, self._facts, self._bytes, self._mark = {}, {}, 0, mark
        return mark

    def fact(self, name: str) -> object:
        """What was learned under the mark that was taken last; None where nothing was."""
        return self._facts.get(name)

    def learn(self, mark: Mark, name: str, fact: object) -> None:
        """Remember something that rests on the database alone. mark: what `mark` gave before it was read."""
        if mark is not None and mark == self._mark and len(self._facts) < MOST_FACTS:
            self._facts[name] = fact

    async def find(self, key: Key) -> Page | None:
        """The page that can be sent for this request, if there is one."""
        if key not in self._pages or await self.mark() is None:
            return None
        page = self._pages.get(key)
        if page is None or not page.holds(utcnow()):
            return None
        self.sent += 1
        return page

    def put(self, key: Key, mark: Mark, page: Page) -> None:
        """Keep a page. One that was begun under another mark than the newest is not kept."""
        if mark is None or mark != self._mark:
            return
        if (before := self._pages.pop(key, None)) is not None:
            self._bytes -= len(before.body)
        if self._bytes + len(page.body) <= self._most:
            self._pages[key] = page
            self._bytes += len(page.body)

    def close(self) -> None:
        self._pages.clear()
        self._changes.close()


class Keeping:
    """An answer on its way to one request: what it rests on is noted while it is made, and it is kept once sent.

    Nothing is kept unless the route has begun it, before anything was read, and somebody said who may see it.
    """

    def __init__(self, pages: KeptPages, key: Key, send: Send) -> None:
        self.checks: list[Check] = []
        self.fresh: list[str] = []
        self._pages, self._key, self._send = pages, key, send
        self._mark: Mark = None
        self._since = self._until = datetime.min.replace(tzinfo=UTC)
        self._start: Message | None = None

    async def begin(self) -> None:
        self._mark = await self._pages.mark()
        self._since = utcnow()
        self._until = self._since.replace(second=0, microsecond=0) + timedelta(minutes=1)

    @property
    def begun(self) -> bool:
        return self._mark is not None

    def not_after(self, moment: datetime | None) -> None:
        """Say that the page is another one from this moment on."""
        if moment is not None:
            self._until = min(self._until, moment)

    async def __call__(self, message: Message) -> None:
        """The `send` of the request."""
        if message["type"] == "http.response.start":
            self._start = message if self.begun and self.checks and _whole(message) else None
        elif self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            if not message.get("more_body", False):
                page = Page(start, message["body"], self._since, self._until, tuple(self.checks), tuple(self.fresh))
                self._pages.put(self._key, self._mark, page)
        await self._send(message)


def _whole(start: Message) -> bool:
    """Whether it is a page, and says nothing to this one browser alone."""
    return start["status"] == 200 and all(name.lower() != b"set-cookie" for name, _ in start["headers"])


def key_of(scope: Scope) -> Key | None:
    """What a page is found by; None for a request whose answer is never kept. The cookies' secrets are not kept."""
    if scope["method"] != "GET":
        return None
    cookies = b""
    for name, value in scope["headers"]:
        if name in OTHER or (name == b"cookie" and cookies):
            return None
        if name == b"cookie":
            cookies = value
    return (scope["path"], scope["query_string"], sha256(cookies).digest()) if cookies else None


def keeping_of(request: Request) -> Keeping | None:
    """The answer that is being made to this request, if it may be kept."""
    keeping: Keeping | None = request.scope.get(KEEPING)
    return keeping if keeping is not None and keeping.begun else None


def fresh_word(request: Request) -> str:
    """A word for a page that no other page has: another one each time the page is sent."""
    word = new_word()
    if (keeping := keeping_of(request)) is not None:
        keeping.fresh.append(word)
    return word


def new_word() -> str:
    return secrets.token_urlsafe(8)
