"""Posts what Mailgun would post, signed as it signs, tried again as it tries: 8 hours in all.

Facts: Mailgun's user manual: 200 is success, 406 ends the attempts, all else is tried again after
10 minutes, 10, 15, 30, then 1, 2 and 4 hours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from ..blocking import in_thread
from ..errors import NotFound, SendError
from ..parsing.mime import decode_headers
from ..parsing.model import ParsedMessage
from ..parsing.worker import ParserProcess
from ..providers import mailgun_posts as posts
from ..providers import mailgun_rules
from ..store import jobs, mailgun_events, mailgun_webhooks, records
from ..store.blobs import Unreadable
from ..values import Draft
from . import mailgun_events as wire
from .crew import Crew
from .mailgun_lists import MailgunLists
from .posting import Answer, Poster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from ..egress import Guard
    from ..models import Actions, Message
    from ..providers.base import WebhookRequest
    from ..resolving import Resolver
    from ..store.leased import Job
    from ..store.records import Shown
    from ..store.store import Store

log = logging.getLogger("inboxkit.mailgun")
SCHEDULE = tuple(timedelta(minutes=m) for m in (10, 10, 15, 30, 60, 120, 240))
_MOST_ATTEMPTS = len(SCHEDULE) + 1
_ENOUGH = 406
_AT_ONCE = 32


async def signing_key(store: Store) -> str:
    """Return the key that our posts in Mailgun's form are signed with."""
    made = await store.read(mailgun_webhooks.signing_key)
    return made or hmac.digest(store.identity, b"mailgun-signing-key", hashlib.sha256).hex()


class MailgunPosts:
    """Does what ``MailgunLog`` queued, posts to URLs and mails that are sent on; and lists."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        actions: Actions,
        resolver: Callable[[], Resolver],
        tasks: TaskGroup,
    ) -> None:
        self._store = store
        self._actions = actions
        self._lists = MailgunLists(store, resolver)
        self._poster = Poster(guard)
        self._parser = ParserProcess()
        crew = Crew(store, mailgun_webhooks.KIND, tasks, self._one, size=_AT_ONCE)
        self.work, self.room = crew.work, crew.room

    async def close(self) -> None:
        """Close connections and end the parser process."""
        await self._poster.close()
        await self._parser.close()

    async def _one(self, job: Job) -> None:
        if "list" in job.data:
            await self._lists.work(job)
        elif job.attempts > _MOST_ATTEMPTS:  # the last one broke, or the whole process with it
            log.error("mailgun post %s: given up: it never came to an end", job.key)
            await self._store.write(jobs.complete, [job])
        elif "to" in job.data:
            await self._send_on(job)
        else:
            await self._post(job)

    async def _post(self, job: Job) -> None:
        request = await self._request(job)
        if request is None:  # its message is gone
            await self._store.write(jobs.complete, [job])
            return
        now = self._store.clock.now()
        answer = await self._poster.post(job.data["url"], request.body, request.headers, now)
        await self._finish(job, answer)

    async def _finish(self, job: Job, answer: Answer) -> None:
        if answer.is_good or answer.status == _ENOUGH:
            await self._store.write(jobs.complete, [job])
        elif answer.blocked or job.attempts >= _MOST_ATTEMPTS:
            log.error("mailgun post %s: given up: %s", job.key, answer.error)
            await self._store.write(jobs.complete, [job])
        else:
            due = self._store.clock.now() + SCHEDULE[job.attempts - 1]
            await self._store.write(jobs.put_back, job, due_at=due, error=answer.error)

    async def _request(self, job: Job) -> WebhookRequest | None:
        """Return what is to be posted, signed now; None when its message is gone."""
        signed = posts.signature(await signing_key(self._store), self._store.clock.now())
        if "seq" in job.data:
            found = await self._store.read(mailgun_events.by_seqs, [job.data["seq"]])
            if not found:
                return None
            base = await self._store.read(mailgun_webhooks.base)
            files = await self._store.read(mailgun_events.files, [found[0].message_id])
            said = wire.shown(found[0], job.data["number"], base, files)
            return posts.event_post(said, signed)
        shown = await self._shown(job)
        return None if shown is None else await self._mail(job, shown, signed)

    async def _mail(
        self, job: Job, shown: Shown, signed: Mapping[str, str]
    ) -> WebhookRequest | None:
        """Return the post of a mail; None when its bytes are gone."""
        message = shown.message
        try:
            raw = await message.raw()
        except NotFound:
            return None
        except Unreadable as error:
            log.error("mailgun post %s: given up: %s", job.key, error)
            return None
        stored = job.data["do"] == "store"
        mime = not stored and mailgun_rules.is_mime(job.data["url"])
        base = await self._store.read(mailgun_webhooks.base) if stored else ""
        made = partial(
            posts.mail_post,
            await self._headers(message, raw) if mime else await self._parsed(message, raw),
            raw,
            recipient=job.data["recipient"],
            mail_from=message.envelope.mail_from,
            signed=signed,
            mime=mime,
            more=[*_read(shown), *(_stored(message, base) if stored else ())],
            files=not stored,
        )
        return await in_thread(made)

    async def _parsed(self, message: Message, raw: bytes) -> ParsedMessage:
        """Take a mail apart for its files; where that fails again, what was read of it before."""
        if message.state == "limited":
            found = await self._headers(message, raw)
        else:
            found = await self._parser.read(raw)
        if found.state == "parsed":
            return found
        log.warning("message %s: is posted with its bytes: it is %s", message.id, found.state)
        return replace(found, text=found.text or message.text, html=found.html or message.html)

    async def _headers(self, message: Message, raw: bytes) -> ParsedMessage:
        headers = await in_thread(decode_headers, raw)
        return ParsedMessage(state=message.state, headers=headers)

    async def _shown(self, job: Job) -> Shown | None:
        ids = [int(job.data["message"])]
        found = await self._store.read(records.shown, ids, self._actions)
        return found[0] if found else None

    async def _send_on(self, job: Job) -> None:
        """Send a mail on to an address, once however often this is tried."""
        shown = await self._shown(job)
        if shown is not None:
            message = shown.message
            to = str(job.data["to"])
            key = f"mailgun:{job.data['route']}:{message.id}:{to}"
            try:
                await self._actions.forward(message, Draft(to=(to,), key=key))
            except (NotFound, SendError) as error:
                log.error("mailgun route %s: %s", job.data["route"], error)
        await self._store.write(jobs.complete, [job])


def _read(shown: Shown) -> list[tuple[str, str]]:
    """Return the fields that Mailgun's own reading of a mail adds."""
    return [
        ("stripped-text", shown.message.reply_text),
        ("stripped-signature", shown.message.signature),
        ("stripped-html", shown.reply_html or shown.message.html),
    ]


def _stored(message: Message, base: str) -> list[tuple[str, str]]:
    """Return the fields that say where a mail is stored."""
    url = wire.storage_url(base, message.inbox, message.id)
    files = [
        {
            "name": file.filename,
            "content-type": file.content_type,
            "size": file.size,
            "url": f"{url}/attachments/{number}",
        }
        for number, file in enumerate(message.attachments)
    ]
    return [("message-url", url), ("attachments", json.dumps(files))]
