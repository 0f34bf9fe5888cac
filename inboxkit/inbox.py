"""Inbox: an address of ours, and what can be done with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError
from .models import Actions, Message, Want
from .registration import check_wait
from .router import address_glob
from .values import (
    Draft,
    Files,
    Pattern,
    ProviderOptions,
    Recipients,
    check_text,
    files,
    recipients,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .extracted import Link, Otp

_LONGEST = timedelta(days=36_500)  # nobody means more, and the calendar ends


@dataclass(frozen=True, slots=True)
class Inbox:
    """An address that receives and sends.

    ``since`` is the moment from which its waits see mail; None sees everything.
    """

    address: str
    display_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    since: datetime | None = None
    actions: Actions = field(kw_only=True, repr=False, compare=False)

    async def send(
        self,
        to: Recipients,
        subject: str,
        text: str = "",
        *,
        html: str = "",
        cc: Recipients = (),
        bcc: Recipients = (),
        reply_to: Recipients = (),
        attachments: Files = (),
        headers: Mapping[str, str] | None = None,
        tag: str = "",
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        at: datetime | None = None,
        options: ProviderOptions | None = None,
    ) -> Message:
        """Queue a message and return it; in a handler, staged until the Run is done.

        The same ``key`` returns the first message and sends nothing more. Raise Suppressed when
        nobody it is for may be written to, KeyReused for other content under the same key, and
        SendError for what cannot become a mail.
        """
        draft = Draft(
            to=recipients(to),
            subject=subject,
            text=text,
            html=html,
            cc=recipients(cc),
            bcc=recipients(bcc),
            reply_to=recipients(reply_to),
            attachments=files(attachments),
            headers=headers or {},
            tag=tag,
            metadata=metadata or {},
            key=key,
            at=at,
            options=options or ProviderOptions(),
        )
        return await self.actions.send(self.address, draft)

    def search(self, query: str = "", *, limit: int | None = None) -> AsyncIterator[Message]:
        """Iterate over the messages that match, newest first; docs/command-line.md has the fields.

        Raise ConfigurationError for a query that cannot be.
        """
        return self.actions.search(self.address, query, limit)

    async def wait_for_message(
        self,
        *,
        timeout: float,
        sender: Pattern = "*",
        subject: Pattern = "*",
        when: Callable[[Message], bool] | None = None,
    ) -> Message:
        """Return the oldest message that no wait has taken; raise WaitTimeout after ``timeout`` s.

        ``when`` is asked last; what it returns False for is left to others.
        """
        check_wait("wait_for_message", {"sender": sender, "subject": subject, "when": when})
        want = Want(
            sender=address_glob("sender", sender), subject=subject, when=when, after=self.since
        )
        return await self.actions.wait(self.address, want, timeout=seconds(timeout))

    async def wait_for_otp(self, *, timeout: float, sender: Pattern = "*") -> Otp:
        """Return the newest code that no wait has taken; raise WaitTimeout after ``timeout`` s."""
        check_wait("wait_for_otp", {"sender": sender})
        want = Want(kind="otp", sender=address_glob("sender", sender), after=self.since)
        message = await self.actions.wait(self.address, want, timeout=seconds(timeout))
        assert message.otp is not None
        return message.otp

    async def wait_for_link(
        self, *, timeout: float, sender: Pattern = "*", host: Pattern = "*"
    ) -> Link:
        """Return the newest link to act on; raise WaitTimeout after ``timeout`` s.

        ``host`` is compared with the host of the link.
        """
        check_wait("wait_for_link", {"sender": sender, "host": host})
        want = Want(kind="link", sender=address_glob("sender", sender), host=host, after=self.since)
        message = await self.actions.wait(self.address, want, timeout=seconds(timeout))
        assert message.link is not None
        return message.link

    async def delete(self) -> None:
        """Delete the inbox with everything in it."""
        await self.actions.delete_inbox(self.address)


def check_asked(
    *,
    since: Any,
    metadata: Any,
    expires: Any = None,
    aliases: Any = (),
    **texts: Any,
) -> None:
    """Raise ConfigurationError that names what an inbox cannot be asked for with."""
    named = [(name, text) for name, text in texts.items() if text is not None]
    for name, text in (*named, *(("aliases", alias) for alias in aliases)):
        check_text(f"inbox: {name}", text)
    if isinstance(since, datetime):
        if since.tzinfo is None:
            raise ConfigurationError(f"inbox: since={since} has no time zone")
    elif since is not None and not (isinstance(since, timedelta) and abs(since) <= _LONGEST):
        raise _refused("since", since, "a datetime with its zone, or a timedelta under 100 years")
    if expires is not None and not (
        isinstance(expires, timedelta) and timedelta(0) < expires <= _LONGEST
    ):
        raise _refused("expires", expires, "a timedelta above 0 and under 100 years")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise _refused("metadata", metadata, "a mapping")
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"inbox: metadata is no JSON: {error}") from None


def _refused(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"inbox: {name}={value!r} must be {wanted}")
