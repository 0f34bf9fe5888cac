"""Reading what a request brings: a JSON body of bounded size, or a query, checked by a model."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from ...blocking import in_thread
from ..intake import BodyRefused
from .envelope import ApiError, invalid, malformed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp import web

    from ..intake import Intake

M = TypeVar("M", bound=BaseModel)
_MOST_FIELDS = 1_000
_QUICKLY_READ_BYTES = 64 * 1024
_NO_BODY = (b"", b"null")


async def body(request: web.Request, model: type[M], intake: Intake, most_bytes: int) -> M:
    """Return a request's body; without one, as if it were an empty object."""
    async with whole(request, intake, most_bytes) as data:
        return await checked(data, request.headers.get("Content-Type", ""), model)


async def checked(data: bytes, content_type: str, model: type[M]) -> M:
    """Return what the bytes of a body say, as ``read`` does; others go on while a long one is."""
    if len(data) <= _QUICKLY_READ_BYTES:
        return read(data, content_type, model)
    model.model_rebuild()  # what is built when it is first used must not be by two threads
    return await in_thread(read, data, content_type, model)


@asynccontextmanager
async def whole(request: web.Request, intake: Intake, most_bytes: int) -> AsyncGenerator[bytes]:
    """Hold a request's body as it came; raise ApiError for one that is too large or broken off."""
    too_large = ApiError("payload_too_large", f"The body is larger than {most_bytes} bytes")
    if (request.content_length or 0) > most_bytes:
        raise too_large
    try:
        async with intake.of(request, most=most_bytes) as data:
            yield data
    except BodyRefused as refused:
        if refused.status == 413:
            raise too_large from None
        if refused.status == 415:
            raise ApiError("unsupported_media_type", str(refused)) from None
        if refused.status != 503:
            raise invalid(str(refused)) from None
        raise ApiError("service_unavailable", str(refused)) from None


def read(data: bytes, content_type: str, model: type[M]) -> M:
    """Return what the bytes of a body say; raise ApiError."""
    data = data.strip()
    if data in _NO_BODY:
        data = b"{}"
    elif not _is_json(content_type):
        raise ApiError("unsupported_media_type", "The body is not application/json")
    try:
        return model.model_validate_json(data, strict=True)  # as the description says
    except ValidationError as error:
        raise malformed(error) from None


def is_text(header: str) -> bool:
    """Whether a header's value is text: bytes that are no UTF-8 come as halves of characters."""
    return header.encode("utf-8", "replace").decode() == header


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json") or not kind


def query(text: str, model: type[M]) -> M:
    """Return a request's query; a name that comes more than once has all its values."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise invalid(f"the query has more than {_MOST_FIELDS} fields") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    values: dict[str, Any] = {
        name: found if _takes_many(model, name) else found[-1] for name, found in given.items()
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise malformed(error) from None


def _takes_many(model: type[BaseModel], name: str) -> bool:
    """Whether a field is a list: such fields are declared with an empty tuple as their default."""
    for field_name, field in model.model_fields.items():
        if name in (field_name, field.alias):
            return bool(field.default == ())
    return False
