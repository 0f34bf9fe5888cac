"""What the emulator has caught, found again by any id it is known under."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any

from ..errors import NotFound
from ..parsing import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..providers.fakes.fake import Caught

_MOST = 10_000
# The id of a send's row, which begins the Message-ID and the Reply-To's tag that we give it. Some
# vendors replace the one, and a caller may replace the other. Nothing is proven by it: it names.
_OWN_ID = re.compile(r"<?([0-9a-z]{13})\.[0-9a-z]{16}@", re.ASCII)
_OWN_TAG = re.compile(r".*\+([0-9a-z]{13})[0-9a-z]{16}@", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mail:
    """A caught message: the vendor it went through, and its ids in our store by recipient."""

    vendor: str
    caught: Caught
    ids: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def id(self) -> str:
        """The id that it is shown under: ours where it is stored, else the vendor's."""
        return next(iter(self.ids.values()), self.caught.id)

    def as_json(self) -> dict[str, Any]:
        """Return what lists show of it."""
        return {
            "id": self.id,
            "vendor": self.vendor,
            "provider_id": self.caught.id,
            "message_id": self.caught.message_id,
            "rcpt_to": list(self.caught.rcpt_to),
            "ids": dict(self.ids),
            "subject": parse(self.caught.mime).subject,
            "tags": list(self.caught.tags),
            "metadata": dict(self.caught.metadata),
        }

    def reply(self, recipient: str, text: str) -> tuple[bytes, str]:
        """Return a recipient's answer and the address it goes to, citing what they see."""
        seen = parse(self.caught.mime)
        to = (seen.reply_to or (seen.sender,))[0].email
        mail = EmailMessage()
        mail["From"], mail["To"] = recipient, to
        mail["Subject"] = (
            seen.subject if seen.subject[:3].lower() == "re:" else f"Re: {seen.subject}"
        )
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain=recipient.rpartition("@")[2] or None)
        mail["In-Reply-To"] = self.caught.message_id
        mail["References"] = " ".join(dict.fromkeys([*seen.references, self.caught.message_id]))
        quoted = "\n".join(f"> {line}" for line in seen.text.splitlines())
        mail.set_content(f"{text}\n\n{seen.sender} wrote:\n{quoted}\n")
        return mail.as_bytes(), to


class Catch:
    """The last ten thousand messages."""

    def __init__(self) -> None:
        self._mails: OrderedDict[int, Mail] = OrderedDict()
        self._names: dict[int, frozenset[str]] = {}
        self._by_id: dict[str, int] = {}
        self._count = 0

    def add(self, mail: Mail) -> None:
        """Remember a message, and forget the oldest when there are too many."""
        self._count += 1
        self._mails[self._count] = mail
        names = self._names[self._count] = _names(mail)
        self._by_id |= dict.fromkeys(names, self._count)
        if len(self._mails) > _MOST:
            oldest, _ = self._mails.popitem(last=False)
            for name in self._names.pop(oldest):
                if self._by_id.get(name) == oldest:
                    del self._by_id[name]

    def find(self, id: str) -> Mail:
        """Return a message by an id of ours, the vendor's id or the Message-ID; raise NotFound.

        Ours are those of its recipients' copies and that of the send.
        """
        names = (id, f"<{id.strip('<>')}>", *_ours(_OWN_ID, id))
        number = next((self._by_id[name] for name in names if name in self._by_id), None)
        if number is None:
            raise NotFound(f"nothing was sent here under the id {id} since the start")
        return self._mails[number]

    def __iter__(self) -> Iterator[Mail]:
        """Iterate over the messages, newest first."""
        return iter(reversed(self._mails.values()))


def _names(mail: Mail) -> frozenset[str]:
    seen = parse(mail.caught.mime)
    ours = [*_ours(_OWN_ID, seen.message_id), *_ours(_OWN_ID, mail.caught.message_id)]
    ours += [name for address in seen.reply_to for name in _ours(_OWN_TAG, address.email)]
    known = {mail.caught.id, mail.caught.message_id, *mail.ids.values(), *ours}
    return frozenset(known - {""})


def _ours(pattern: re.Pattern[str], text: str) -> list[str]:
    """Return the public id of the send that a Message-ID or an address of ours names."""
    found = pattern.match(text)
    return [f"msg_{found[1]}"] if found else []
