"""One SMTP connection: its bytes, timers and limits, and the loop that reads commands.

A subclass of aiosmtpd's SMTP, whose envelope, session, STARTTLS, AUTH and PROXY code it keeps.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import traceback
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, AnyStr, ClassVar, NoReturn, TypeAlias, cast

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP

from ..connections import Full, peer_of
from . import replies
from .input import Input
from .replies import SmtpRefused, with_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio import CapacityLimiter

    from ..connections import Connections
    from .guesses import Guesses
    from .incoming import Incoming
    from .settings import SmtpSettings

log = logging.getLogger("inboxkit.smtp")

_MAX_LINE = 12_288  # of an AUTH line: RFC 4954 section 4
_MAX_COMMAND = 2048  # RFC 5321 section 4.5.3.1.4 asks for 512; extensions and long paths add
_CLOSING_SECONDS = 5.0  # for a client to take our last reply
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FOREIGN = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|CONNECT|PATCH|TRACE) |\x16\x03")
_REFUSALS = {Full.FOR_ALL: replies.FULL, Full.FOR_CLIENT: replies.FULL_FOR_CLIENT}
_HELD = frozenset((b"MAIL", b"RCPT", b"RSET"))  # may be answered together: RFC 2920 section 3.2


@dataclass(frozen=True, slots=True)
class Service:
    """What all connections of one listener share."""

    settings: SmtpSettings
    accept: Callable[[Incoming], Awaitable[None]]
    check_recipient: Callable[[str], Awaitable[None]]
    connections: Connections[Connection]
    guesses: Guesses
    threads: CapacityLimiter
    tasks: set[asyncio.Task[None]]
    prototype: Mapping[str, object]
    loop: asyncio.AbstractEventLoop
    closing: asyncio.Event  # set: what the system has accepted meanwhile is turned away
    serials: count[int] = field(default_factory=lambda: count(1))


class Connection(SMTP):
    """Read commands, hand each to its ``smtp_`` method and keep every limit on the way."""

    commands: ClassVar[Mapping[bytes, Command]] = {}

    def __init__(self, service: Service) -> None:
        # SMTP.__init__ looks through all members of itself, 170 us for each connection:
        # it ran once, for the listener, and its result is copied.
        self.__dict__.update(service.prototype)
        reader = asyncio.StreamReader(loop=service.loop)
        asyncio.StreamReaderProtocol.__init__(
            self, reader, self._cb_client_connected, loop=service.loop
        )
        self.service = service
        self.settings = service.settings
        self.serial = next(service.serials)
        self.peer = ""
        self.heard_at = service.loop.time()
        self.input = Input(service.loop)
        self.commands_left = self.settings.max_commands
        self._errors_left = self.settings.max_errors
        self._replies: list[bytes] = []
        self.is_shaking = False
        self._is_waiting = self._is_retiring = self._is_dismissed = False
        self._deadline = math.inf
        self._window: tuple[float, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        names = [name for name in dir(cls) if name.startswith("smtp_")]
        cls.commands = {name[5:].encode(): getattr(cls, name) for name in names}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or begin again under TLS."""
        pipe = cast("asyncio.Transport", transport)
        if self._original_transport is None:
            self._allow(self.settings.idle_seconds)
            self.peer = peer_of(transport.get_extra_info("peername"))
            refusal = self._refusal()
            if refusal is not None:
                pipe.write(refusal)
                pipe.close()
                return
            self._watch()
        super().connection_made(transport)
        self._reader = cast("asyncio.StreamReader", self.input)  # aiosmtpd's AUTH reads from it
        self.input.start(pipe)
        task = cast("asyncio.Task[None]", self._handler_coroutine)
        self.service.tasks.add(task)
        task.add_done_callback(self.service.tasks.discard)

    def _refusal(self) -> bytes | None:
        """Take a place among the connections, or return what to say instead."""
        if self.service.closing.is_set():
            return replies.SHUTTING_DOWN
        full = self.service.connections.admit(self, self.heard_at)
        return None if full is None else _REFUSALS[full]

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self.input.feed(data)

    def eof_received(self) -> bool:
        """Serve what is there before closing; under TLS nothing can be sent any more."""
        self.input.finish()
        return self._tls_protocol is None

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of the connection; a message that is being accepted is still accepted."""
        if self._timer is not None:
            self._timer.cancel()
        if self._original_transport is not None:
            self._original_transport.close()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None
        self.input.finish()
        self.service.connections.leave(self)

    def retire(self) -> None:
        """End the connection as soon as no message is on its way."""
        self._is_retiring = True
        if self._is_waiting:
            self.dismiss(replies.SHUTTING_DOWN)

    def dismiss(self, reply: bytes) -> None:
        """Send ``reply`` and end the connection, whatever it is doing."""
        if self._is_dismissed:
            return
        self._is_dismissed = True
        self._allow(_CLOSING_SECONDS)
        self.input.abandon()
        if self.is_shaking and self._original_transport is not None:
            cast("asyncio.Transport", self._original_transport).abort()
        elif self.transport is not None:
            self._pipe.write(b"".join((*self._replies, reply)))

    def give_way(self) -> None:
        """End the connection, as others wait and this one does nothing."""
        self.dismiss(replies.MADE_ROOM)

    def end(self, reply: bytes) -> NoReturn:
        """Dismiss the client from within a command."""
        self.dismiss(reply)
        raise EOFError

    def hang_up(self) -> None:
        """Close the connection after what was written has gone out."""
        self._is_dismissed = True
        self._allow(_CLOSING_SECONDS)
        if self.transport is not None:
            self._pipe.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self._pipe.abort()

    @property
    def _pipe(self) -> asyncio.Transport:
        if self.transport is None:
            raise EOFError
        return cast("asyncio.Transport", self.transport)

    def _allow(self, seconds: float) -> None:
        self._deadline = self.service.loop.time() + seconds

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._allow(duration or self.settings.idle_seconds)

    def begin_data(self) -> None:
        """Start the clock of DATA: a time in all, and a rate."""
        self._allow(self.settings.data_seconds)
        self._window = (self.service.loop.time(), self.input.received)
        self.service.connections.working(self)

    def end_data(self) -> None:
        """Stop the clock of DATA."""
        self._window = None
        self._allow(self.settings.idle_seconds)

    def _watch(self) -> None:
        """Look at the clock; one timer that looks late is cheaper than one reset per command."""
        now = self.service.loop.time()
        if now >= self._deadline:
            if self._is_dismissed or self._pipe.get_write_buffer_size():
                self._pipe.abort()  # it does not take what we send
                return
            self.dismiss(replies.IDLE if self._window is None else replies.TOO_SLOW)
        elif self._is_slow(now):
            self.dismiss(replies.TOO_SLOW)
        moment = min(self._deadline, now + self._tick)
        self._timer = self.service.loop.call_at(moment, self._watch)

    @property
    def _tick(self) -> float:
        """Return the seconds after which a deadline may have come nearer."""
        settings = self.settings
        shortest = min(settings.idle_seconds, settings.data_seconds, settings.data_rate_seconds)
        return min(shortest, _CLOSING_SECONDS)

    def _is_slow(self, now: float) -> bool:
        if self._window is None or now < self._window[0] + self.settings.data_rate_seconds:
            return False
        started, received = self._window
        self._window = (now, self.input.received)
        return self.input.received - received < self.settings.min_data_rate * (now - started)

    async def push(self, status: AnyStr) -> None:
        """Send a reply of aiosmtpd's own."""
        line = status if isinstance(status, str) else status.decode("ascii", "replace")
        await self.answer(with_status(line))

    async def answer(self, reply: bytes, *, hold: bool = False) -> None:
        """Send a reply; with ``hold``, together with the next one if that command is here."""
        self._replies.append(reply)
        if reply.startswith(b"5"):
            self._errors_left -= 1
        if hold and self.input.has_line:
            return
        if self._is_dismissed or self.transport is None:
            raise EOFError
        self._pipe.write(b"".join(self._replies))
        self._replies.clear()
        await self._writer.drain()

    async def ask(self, question: Awaitable[None]) -> None:
        """Wait for our own side, on no clock of the client's; any failure becomes a 451."""
        self._deadline = math.inf
        try:
            await question
        except SmtpRefused:
            raise
        except Exception as error:  # noqa: BLE001 the pipeline's code: the client must not see it
            self.report(error)
            raise SmtpRefused(451, "4.3.0", "Temporary failure, try again later") from None
        finally:
            self._allow(self.settings.idle_seconds)

    def report(self, error: Exception) -> None:
        """Log where an error came from; its text may hold addresses or content."""
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))
        log.error("session %d: %s at %s", self.serial, type(error).__qualname__, places)

    def forget_envelope(self) -> None:
        """Begin a new mail transaction."""
        self.envelope = self._create_envelope()

    async def _handle_client(self) -> None:
        try:
            await self._greet()
            while not self._is_dismissed:
                await self._serve()
        except (EOFError, ConnectionError):
            log.debug("session %d: the client left", self.serial)
        finally:
            self.hang_up()

    async def _greet(self) -> None:
        if self.settings.proxy_protocol and not await self._learn_peer():
            return
        await asyncio.sleep(0)  # one turn of the loop, in which what an early talker sent arrives
        if self.input:
            self.dismiss(replies.SPOKE_TOO_SOON)
        else:
            await self.answer(f"220 {self.hostname} ESMTP\r\n".encode())

    async def _learn_peer(self) -> bool:
        """Read the PROXY header of the load balancer in front of us; tell whether to go on."""
        proxy = await get_proxy(self.input)
        if not proxy.valid:
            self.dismiss(replies.PROXY_WRONG)
            return False
        if proxy.src_addr is not None and not isinstance(proxy.src_addr, bytes):
            self.service.connections.leave(self)
            self.peer = peer_of((str(proxy.src_addr),))
            full = self.service.connections.admit(self, self.heard_at)
            if full is not None:
                self.dismiss(_REFUSALS[full])
        return not self._is_dismissed

    async def _serve(self) -> None:
        if self._is_retiring:
            self.dismiss(replies.SHUTTING_DOWN)
            return
        self._allow(self.settings.idle_seconds)
        self._is_waiting = True
        line = await self.input.line(_MAX_LINE)
        self._is_waiting = False
        self.heard_at = self.service.loop.time()
        self.service.connections.heard(self)
        await self._obey(line)
        if self._errors_left <= 0:
            self.dismiss(replies.TOO_MANY_ERRORS)
        elif self.commands_left <= 0:
            self.dismiss(replies.TOO_MANY_COMMANDS)

    async def _obey(self, line: bytes | None) -> None:
        self.commands_left -= 1
        verb = (line or b"")[:4].upper()
        try:
            command, argument = self._parse(line)
            await command(self, argument)
        except SmtpRefused as refused:
            await self.answer(refused.reply, hold=verb in _HELD)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 one client's bytes must not end the listener
            self.report(error)
            await self.answer(SmtpRefused(451, "4.3.0", "Temporary failure").reply)

    def _parse(self, line: bytes | None) -> tuple[Command, str]:
        if line is None:
            raise SmtpRefused(500, "5.5.2", "Line too long")
        if _FOREIGN.match(line):
            self.end(replies.NOT_HTTP)
        text = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        verb, _, argument = text.partition(b" ")
        verb = verb.upper()
        if len(text) > _MAX_COMMAND and verb != b"AUTH":
            raise SmtpRefused(500, "5.5.2", "Line too long")
        if len(text) == len(line) - 1 and self.settings.bare_newline == "refuse":
            raise SmtpRefused(500, "5.5.2", "A line must end in CRLF")
        if _CONTROL.search(text):
            raise SmtpRefused(500, "5.5.2", "Bad syntax")
        command = self.commands.get(verb)
        if command is None:
            raise SmtpRefused(500, "5.5.1", "Command not recognised")
        try:
            return command, argument.decode().strip()
        except UnicodeDecodeError:
            raise SmtpRefused(500, "5.5.2", "Bad syntax: not UTF-8") from None


Command: TypeAlias = "Callable[[Connection, str], Awaitable[None]]"
