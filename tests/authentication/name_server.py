"""A name server on loopback that answers from the records of a zone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .zone import Records


class NameServer(asyncio.DatagramProtocol):
    """Answers UDP queries; names without records do not exist, None gets no answer at all."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.asked: list[tuple[str, str]] = []

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        messages: Any = import_module("dns.message")
        types: Any = import_module("dns.rdatatype")
        query = messages.from_wire(data)
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True), types.to_text(question.rdtype)
        self.asked.append((name, kind))
        found = self.records.get((name, kind), ())
        if found is not None:
            self._transport.sendto(_answer(query, question, kind, found), addr)


def _answer(query: Any, question: Any, kind: str, found: Any) -> bytes:
    response = import_module("dns.message").make_response(query)
    if not found:
        response.set_rcode(import_module("dns.rcode").NXDOMAIN)
        return bytes(response.to_wire())
    texts = [_quoted(text) if kind == "TXT" else text for text in found]
    rrset: Any = import_module("dns.rrset").from_text(question.name, 60, "IN", kind, *texts)
    response.answer.append(rrset)
    return bytes(response.to_wire())


def _quoted(text: str) -> str:
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


@asynccontextmanager
async def serving(records: Records) -> AsyncGenerator[tuple[NameServer, str], None]:
    """Serve records; give the server and its address."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(records), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()
