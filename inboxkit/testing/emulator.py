"""Every vendor's Fake on one port, and the webhooks that follow from what is sent to them.

The path begins with the vendor's name, ``/mailgun/v3/…``; a client that takes only a host may call
``mailgun.localhost`` instead. ``/_fake`` is the emulator's own API: see ``control``.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import anyio
from aiohttp import web

from ..errors import ConfigurationError, UnsupportedFeature
from ..http.api.access import check_local
from ..http.api.envelope import ApiError
from ..listening import cannot_listen
from ..providers.base import Feature
from ..providers.fakes.fake import outcome
from ..providers.registry import PROVIDERS
from ..settings import PREFIX, host_port, is_loopback
from ..values import EventType
from .catch import Catch, Mail
from .desk import Desk, Fault
from .fake_provider import MOST_BODY_BYTES, STOP_SECONDS
from .posting import deliver
from .vendors import VENDORS, chosen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ..providers.base import HttpRequest, WebhookRequest
    from ..providers.fakes.fake import Caught, Fake, Happening

    Keep = Callable[[str, Caught], Awaitable[Mapping[str, str]]]

log = logging.getLogger("inboxkit.fake")
_REMEMBERED = 1_000
_AT_ONCE = 8
_SOFT = "softbounce"


@dataclass(slots=True)
class Account:
    """One emulated account: its settings, its desk, and where its webhooks go ("": nowhere).

    ``given`` names the options that the caller has set; all others are made up.
    """

    name: str
    options: dict[str, str]
    desk: Desk
    webhook: str = ""
    given: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """The base URL that takes the place of the vendor's."""
        return self.options[VENDORS[self.name].url_option]

    @property
    def sdk(self) -> str:
        """The line that points the vendor's own Python client here."""
        return VENDORS[self.name].sdk.format_map({**self.options, "url": self.url})

    @property
    def variables(self) -> dict[str, str]:
        """The variables that point inboxkit itself here; what was given it has already."""
        made_up = {
            f"{PREFIX}{self.name}_{option}".upper(): value
            for option, value in self.options.items()
            if option not in self.given or option == VENDORS[self.name].url_option
        }
        return {f"{PREFIX}PROVIDER": self.name, **made_up}


class Emulator:
    """Serves the Fakes while it is entered.

    ``keep`` is called with each message that a vendor took, before the vendor answers; it returns
    the message's ids in a store, by recipient. ``delay`` is how long webhooks take (s).
    """

    def __init__(
        self,
        vendors: Iterable[str] = (),
        *,
        bind: str = "127.0.0.1:0",
        options: Mapping[str, Mapping[str, str]] | None = None,
        webhooks: Mapping[str, str] | None = None,
        keep: Keep | None = None,
        delay: float = 0,
    ) -> None:
        self.catch = Catch()
        self.accounts: dict[str, Account] = {}
        self._names = chosen(vendors)
        self._bind = host_port(bind)
        middlewares = [_local] if is_loopback(self._bind[0]) else []
        self.app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=middlewares)
        self._options = options or {}
        self._webhooks = webhooks or {}
        self._keep = keep
        self._delay = delay
        self._runner = web.AppRunner(
            self.app, access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS
        )
        self._turns = anyio.CapacityLimiter(_AT_ONCE)

    async def __aenter__(self) -> Self:
        self.app.router.add_route("*", "/{path:.*}", self._handle)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, *self._bind).start()
            self.accounts = {name: self._account(name) for name in self._names}
        except OSError as error:
            await self._runner.cleanup()
            where = ":".join(map(str, self._bind))
            raise ConfigurationError(cannot_listen("http", where, error)) from None
        except BaseException:
            await self._runner.cleanup()
            raise
        self._session = aiohttp.ClientSession()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._session.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _account(self, name: str) -> Account:
        vendor = VENDORS[name]
        webhook = self._webhooks.get(name) or self._webhooks.get("", "")
        webhook = webhook.replace("{provider}", name)
        given = self._options.get(name, {})
        options = vendor.account(given, f"{self.url}/{name}", webhook)
        requests: deque[HttpRequest] = deque(maxlen=_REMEMBERED)

        def fake() -> Fake:
            return vendor.fake(name, options, _now)

        async def keep(caught: Caught) -> None:
            await self._caught(name, caught)

        desk = Desk(fake(), requests, scout=fake, keep=keep)
        return Account(name, options, desk, webhook, frozenset(given))

    async def _handle(self, request: web.Request) -> web.Response:
        name, _, path = request.raw_path.lstrip("/").partition("/")
        host = request.host.partition(":")[0]
        if host.endswith(".localhost"):
            name, path = host.removesuffix(".localhost"), request.raw_path.lstrip("/")
        name = name.partition("?")[0]
        if name not in self.accounts:
            known = ", ".join(f"/{name}/" for name in self.accounts)
            return web.Response(status=404, text=f"no such vendor here; there are {known}\n")
        if VENDORS[name].signs_path:
            path = request.raw_path.lstrip("/")
        return await self.accounts[name].desk.answer(request, f"{self.url}/{path}")

    async def _caught(self, name: str, caught: Caught) -> None:
        ids: Mapping[str, str] = {}
        if self._keep is not None:
            ids = await self._keep(name, caught)
        mail = Mail(name, caught, ids)
        self.catch.add(mail)
        account = self.accounts[name]
        if account.webhook and Feature.EVENTS in PROVIDERS[name].capabilities:
            self._tasks.start_soon(self._tell, account, mail)

    async def _tell(self, account: Account, mail: Mail) -> None:
        """Post what becomes of a message, in order."""
        if self._delay:
            await anyio.sleep(self._delay)
        async with self._turns:
            for recipient in mail.caught.rcpt_to:
                for happening in outcome(recipient):
                    await self._happen(account, mail, recipient, happening)

    async def _happen(
        self, account: Account, mail: Mail, recipient: str, happening: Happening
    ) -> None:
        fake, kind = account.desk.fake, happening.type
        try:
            webhook = fake.event(kind, mail.caught, recipient, hard=happening.hard)
        except UnsupportedFeature as error:
            log.info("%s: %s", account.name, error)
        else:
            await deliver(self._session, webhook, account.webhook)

    # what people ask for

    def send_webhooks_to(self, name: str, url: str) -> None:
        """Post a vendor's webhooks to this address from now on, "" for nowhere."""
        account, option = self.accounts[name], VENDORS[name].webhook_option
        account.webhook = url
        if option and url:  # it signs the address: the account is set up anew
            account.options[option] = url
            account.desk.renew()

    def fail(self, name: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next requests to a vendor go wrong."""
        self.accounts[name].desk.next.extend([fault] * times)

    def webhook(
        self, mail: Mail, event: str, *, recipient: str = "", text: str = "", hard: bool = True
    ) -> list[WebhookRequest]:
        """Return the signed webhooks of an event, ``softbounce`` or ``reply``, one a recipient.

        Raise ConfigurationError for an unknown event, UnsupportedFeature where a vendor has none.
        """
        fake = self.accounts[mail.vendor].desk.fake
        everybody = (recipient,) if recipient else mail.caught.rcpt_to
        if event == "reply":
            return [self._reply(fake, mail, to, text) for to in everybody]
        if event == _SOFT:
            event, hard = EventType.BOUNCED, False
        try:
            kind = EventType(event)
        except ValueError:
            known = ", ".join([*(str(e) for e in _TOLD), _SOFT, "reply"])
            raise ConfigurationError(f"no event {event!r}; there are {known}") from None
        return [fake.event(kind, mail.caught, to, hard=hard) for to in everybody]

    async def trigger(self, mail: Mail, event: str, **details: Any) -> list[int]:
        """Post the webhooks of an event; return the statuses of the answers, 0 for none."""
        account = self.accounts[mail.vendor]
        webhooks = self.webhook(mail, event, **details)
        if not account.webhook:
            raise ConfigurationError(
                f"{mail.vendor}: nobody to tell; give the address of its webhooks, --webhook URL"
            )
        return [await deliver(self._session, w, account.webhook) for w in webhooks]

    async def bring(self, name: str, raw: bytes, *, recipient: str, mail_from: str) -> int:
        """Post a mail from outside as the vendor brings it in; return the status of the answer."""
        account = self.accounts[name]
        if Feature.INBOUND not in PROVIDERS[name].capabilities:
            raise UnsupportedFeature(f"{name} brings no mail in")
        webhook = account.desk.fake.inbound(raw, recipient=recipient, mail_from=mail_from)
        return await deliver(self._session, webhook, account.webhook)

    def _reply(self, fake: Fake, mail: Mail, recipient: str, text: str) -> WebhookRequest:
        if Feature.INBOUND not in PROVIDERS[mail.vendor].capabilities:
            raise UnsupportedFeature(f"{mail.vendor} brings no mail in")
        raw, to = mail.reply(recipient, text or "Thank you.")
        return fake.inbound(raw, recipient=to, mail_from=recipient)


@web.middleware
async def _local(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let nobody in whom a web page sends: a browser on this machine reaches this port as well."""
    try:
        check_local(request)
    except ApiError as error:
        return web.json_response({"message": error.message}, status=error.status)
    return await handler(request)


_TOLD = (
    EventType.ACCEPTED,
    EventType.SENT,
    EventType.DELIVERED,
    EventType.DEFERRED,
    EventType.BOUNCED,
    EventType.REJECTED,
    EventType.FAILED,
    EventType.COMPLAINED,
    EventType.OPENED,
    EventType.CLICKED,
    EventType.UNSUBSCRIBED,
)


def _now() -> datetime:
    return datetime.now(UTC)
