"""The emulator for tests: every vendor's Fake in a thread of its own, with blocking calls."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from ..errors import ConfigurationError
from .desk import Fault
from .emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from anyio.from_thread import BlockingPortal

    from ..providers.base import HttpRequest, WebhookRequest
    from ..providers.fakes.fake import Caught
    from ..values import EventType
    from .catch import Mail
    from .emulator import Account

P = ParamSpec("P")
T = TypeVar("T")


class FakeAccount:
    """An account at one emulated vendor, as a test sees it."""

    def __init__(self, emulator: Emulator, portal: BlockingPortal, account: Account) -> None:
        self._emulator = emulator
        self._portal = portal
        self._account = account

    @property
    def url(self) -> str:
        """The base URL that takes the place of the vendor's."""
        return self._account.url

    @property
    def options(self) -> Mapping[str, str]:
        """The account's settings as inboxkit takes them: keys, domain, base URL."""
        return dict(self._account.options)

    @property
    def sent(self) -> Sequence[Caught]:
        """What the vendor took, oldest first."""
        return tuple(self._account.desk.fake.caught)

    @property
    def requests(self) -> Sequence[HttpRequest]:
        """The last thousand requests, whatever they were answered with."""
        return tuple(self._account.desk.requests)

    def send_webhooks_to(self, url: str) -> None:
        """Post from now on what becomes of each message, by the address it is for, to a URL."""
        self._call(self._emulator.send_webhooks_to, self._account.name, url)

    def fail_next(self, status: int = 503, *, times: int = 1) -> None:
        """Answer the next requests with this status, in the vendor's words, and take nothing."""
        self._fail(Fault("status", status=status), times)

    def drop_next(self, *, taken: bool, times: int = 1) -> None:
        """Break the connection after the next requests; ``taken``: the messages go out anyway."""
        self._fail(Fault("drop", taken=taken), times)

    def hang_next(self, *, taken: bool, times: int = 1) -> None:
        """Never answer the next requests."""
        self._fail(Fault("hang", taken=taken), times)

    def delay_next(self, seconds: float, *, times: int = 1) -> None:
        """Answer the next requests late."""
        self._fail(Fault("delay", seconds=seconds), times)

    def event(
        self, kind: EventType | str, message: Caught, *, recipient: str = "", hard: bool = True
    ) -> WebhookRequest:
        """Return the signed webhook of an event, for an app that a test client posts it to."""
        mail, to = self._mail(message), recipient or message.rcpt_to[0]
        return self._call(self._emulator.webhook, mail, str(kind), recipient=to, hard=hard)[0]

    def reply(self, message: Caught, text: str, *, recipient: str = "") -> WebhookRequest:
        """Return the signed webhook that brings a recipient's answer."""
        mail = self._mail(message)
        to = recipient or message.rcpt_to[0]
        return self._call(self._emulator.webhook, mail, "reply", recipient=to, text=text)[0]

    def inbound(self, raw: bytes, *, recipient: str, mail_from: str) -> WebhookRequest:
        """Return the signed webhook that brings a mail from outside."""
        fake = self._account.desk.fake
        return self._call(fake.inbound, raw, recipient=recipient, mail_from=mail_from)

    def trigger(
        self, event: EventType | str, message: Caught, *, recipient: str = "", text: str = ""
    ) -> Future[list[int]]:
        """Post the webhooks of an event, ``softbounce`` or ``reply``; return without waiting.

        The Future has the statuses that came back; an async test awaits
        ``asyncio.wrap_future(...)``.
        """
        mail = self._mail(message)

        async def work() -> list[int]:
            return await self._emulator.trigger(mail, str(event), recipient=recipient, text=text)

        return self._portal.start_task_soon(work)

    def _mail(self, message: Caught) -> Mail:
        return self._emulator.catch.find(message.id)

    def _fail(self, fault: Fault, times: int) -> None:
        self._call(self._emulator.fail, self._account.name, fault, times=times)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in the emulator's own thread, where requests are handled."""
        return self._portal.call(partial(function, *args, **kwargs))


class Fakes:
    """All emulated vendors; call it with a name for the account there."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._emulator = Emulator()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self._emulator))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The vendors that there are."""
        return tuple(self._emulator.accounts)

    def __call__(self, name: str) -> FakeAccount:
        """Return the account at a vendor; raise ConfigurationError for one that is not emulated."""
        account = self._emulator.accounts.get(name)
        if account is None:
            raise ConfigurationError(f"no fake {name!r}; there are {', '.join(self.names)}")
        return FakeAccount(self._emulator, self._portal, account)
