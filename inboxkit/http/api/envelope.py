"""The one form of every error: ``{name, code, message, fix?, docs?, errors?}``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ...errors import (
    ConfigurationError,
    InboxKitError,
    KeyReused,
    NotFound,
    RemoteError,
    SendError,
    StoreError,
    Suppressed,
    UnsupportedFeature,
)
from ...pipeline.policies import Forbidden, Paused
from ...store.claims import Taken
from ...store.domains import DomainTaken
from ...store.purge import NotScheduled
from ...store.refusals import TooLong
from ...store.templates import TemplateTaken
from .schemas.errors import ErrorResponse, FieldError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

# code -> (status, name, what it means): the names are those of AgentMail's SDKs.
CODES: dict[str, tuple[int, str, str]] = {
    "validation_error": (400, "ValidationError", "The request is not well-formed."),
    "missing_authorization": (401, "UnauthorizedError", "No API key was given."),
    "unknown_api_key": (401, "UnauthorizedError", "The API key is unknown, expired or revoked."),
    "missing_permission": (403, "ForbiddenError", "The key lacks the permission for this route."),
    "permission_escalation": (403, "ForbiddenError", "A key cannot make one that may do more."),
    "forbidden": (403, "ForbiddenError", "The request may not be made from there."),
    "message_rejected": (403, "MessageRejectedError", "The message may not be sent."),
    "suppressed": (403, "MessageRejectedError", "Nobody it is for may be written to."),
    "inbox_paused": (403, "MessageRejectedError", "The inbox is paused and sends nothing."),
    "limit_exceeded": (403, "LimitExceededError", "There are as many of these as there may be."),
    "resource_taken": (403, "IsTakenError", "The name belongs to another resource."),
    "not_found": (404, "NotFoundError", "There is no such resource within the key's scope."),
    "method_not_allowed": (405, "MethodNotAllowedError", "See the header Allow."),
    "cannot_delete": (409, "ConflictError", "The resource is in use."),
    "conflict": (409, "ConflictError", "The idempotency key was used for another request."),
    "not_scheduled": (409, "ConflictError", "The send has left, is leaving, or never was one."),
    "precondition_failed": (412, "PreconditionFailedError", "It is not what If-Match names."),
    "payload_too_large": (413, "PayloadTooLargeError", "The request's body is too large."),
    "unsupported_media_type": (415, "UnsupportedMediaTypeError", "Send application/json."),
    "unprocessable": (422, "UnprocessableError", "The request is understood but cannot be done."),
    "unsupported_feature": (422, "UnprocessableError", "The provider has no such feature."),
    "internal_error": (500, "InternalServerError", "A defect; the log of the server has it."),
    "bad_gateway": (502, "BadGatewayError", "Another server answered with an error."),
    "service_unavailable": (503, "ServiceUnavailableError", "Nothing was stored; try again."),
}
_FIXES = {
    "validation_error": "put the field right; /docs says what each route takes",
    "missing_permission": "use a key that has it",
    "permission_escalation": "ask for less, or use a key that may do more",
    "message_rejected": "look at the lists and the draft policy of the inbox",
    "suppressed": "write to somebody else, or lift it: DELETE /v0/suppressions/{address}",
    "resource_taken": "choose another name, or use what is there",
    "limit_exceeded": "delete one that is not used any more",
    "not_found": "look at the spelling; the lists show what is within the key's scope",
    "method_not_allowed": "use a method that the header Allow names",
    "cannot_delete": "delete what is in it first",
    "conflict": "use a new key, or repeat the first request as it was",
    "not_scheduled": "GET the message: its state says how far it has come",
    "precondition_failed": "get it again, look at what has changed, and name its new ETag",
    "payload_too_large": "send less at once",
    "unsupported_media_type": "send JSON, with the header Content-Type: application/json",
    "unsupported_feature": "leave it out, or send through another provider",
    "bad_gateway": "try again later",
    "service_unavailable": "send the same request again after the seconds of Retry-After",
}
_RETRY_SECONDS = "5"
_OF_TEXTS = re.compile(r"\bitem(s?) after validation")
_OF_ERRORS: tuple[tuple[type[InboxKitError], str], ...] = (
    (NotFound, "not_found"),
    (Taken, "resource_taken"),
    (DomainTaken, "resource_taken"),
    (TemplateTaken, "resource_taken"),
    (KeyReused, "conflict"),
    (Suppressed, "suppressed"),
    (Paused, "inbox_paused"),
    (Forbidden, "message_rejected"),
    (NotScheduled, "not_scheduled"),
    (UnsupportedFeature, "unsupported_feature"),
    (SendError, "validation_error"),
    (ConfigurationError, "validation_error"),
    (TooLong, "unprocessable"),
    (StoreError, "service_unavailable"),
    (RemoteError, "bad_gateway"),
    (InboxKitError, "service_unavailable"),
)


class ApiError(Exception):
    """A request that is refused; ``code`` is one of CODES, ``fix`` says the way out."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CODES[self.code][0]

    def response(self) -> web.Response:
        """Return the answer."""
        body = ErrorResponse(
            name=CODES[self.code][1],
            code=self.code,
            message=self.message,
            fix=self.fix or _FIXES.get(self.code),
            docs=f"/docs#{self.code}",
            errors=self._errors() if self.code == "validation_error" else None,
        )
        return web.Response(
            status=self.status,
            headers=self.headers,
            body=body.dumped(),
            content_type="application/json",
        )

    def _errors(self) -> Sequence[FieldError]:
        """Return what is wrong with each field; with the whole when no field is known."""
        return self.errors or (FieldError(path=(), message=self.message),)


def not_found(what: str, name: str) -> ApiError:
    """Return the answer for an id that is unknown, or that is somebody else's."""
    return ApiError("not_found", f"{what} not found: {name[:200]}")


def invalid(message: str, *path: str | int, fix: str = "") -> ApiError:
    """Return the answer for one field that is wrong."""
    where = f"{'.'.join(map(str, path))}: " if path else ""
    errors = [FieldError(path=path, message=message)]
    return ApiError("validation_error", f"{where}{message}", fix=fix, errors=errors)


def malformed(error: ValidationError) -> ApiError:
    """Return the answer for a request that its model does not take."""
    errors = [_field(item) for item in error.errors(include_url=False, include_context=False)]
    first = errors[0]
    where = ".".join(str(part) for part in first.path)
    return ApiError(
        "validation_error", f"{where}: {first.message}" if where else first.message, errors=errors
    )


def refusal(error: InboxKitError) -> ApiError:
    """Return the answer for an error of ours."""
    code = next(code for kind, code in _OF_ERRORS if isinstance(error, kind))
    if code == "service_unavailable":  # what the database said is for the log alone
        return ApiError(code, CODES[code][2], headers={"Retry-After": _RETRY_SECONDS})
    return ApiError(code, str(error))


def _field(item: Mapping[str, Any] | Any) -> FieldError:
    message = str(item["msg"]).removeprefix("Value error, ")
    if isinstance(item["input"], str):  # pydantic does not know that our texts are still texts
        message = _OF_TEXTS.sub(r"character\1", message)
    return FieldError(path=tuple(item["loc"]), message=message)
