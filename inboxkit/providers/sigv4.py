"""AWS Signature Version 4: signed requests and presigned URLs. Pure: the time is given.

Facts: AWS IAM user guide, "Create a signed AWS API request" and, for S3, its API reference,
"Authenticating Requests: Using Query Parameters".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from .base import HttpRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs, for one service in one region."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    region: str
    service: str

    def sign(self, request: HttpRequest, now: datetime) -> HttpRequest:
        """Return the request with Authorization, X-Amz-Date and the session token."""
        headers = {**request.headers, "X-Amz-Date": _stamp(now)}
        if self.session_token:
            headers["X-Amz-Security-Token"] = self.session_token
        dated = replace(request, headers=headers)
        names = sorted({"host", *(name.lower() for name in headers)})
        words = [
            f"{_ALGORITHM} Credential={self.access_key_id}/{self._scope(_stamp(now))}",
            f"SignedHeaders={';'.join(names)}",
            f"Signature={self.signature(dated, names)}",
        ]
        return replace(dated, headers={**headers, "Authorization": ", ".join(words)})

    def signature(self, request: HttpRequest, names: Iterable[str]) -> str:
        """Return the signature of a request that has its X-Amz-Date, over these headers."""
        host = urlsplit(request.url).netloc
        headers = {name: request.header(name, host if name == "host" else "") for name in names}
        payload = hashlib.sha256(request.body).hexdigest()
        canonical = self._canonical(request.method, request.url, headers, payload)
        return self._signed(request.header("x-amz-date"), canonical)

    def presign(self, url: str, at: datetime, expires: timedelta) -> str:
        """Return a URL by which anybody may GET an object until ``at`` plus ``expires``.

        S3 takes seven days at most, and no longer than a session token is good for.
        """
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{self._scope(_stamp(at))}",
            "X-Amz-Date": _stamp(at),
            "X-Amz-Expires": str(int(expires.total_seconds())),
            "X-Amz-SignedHeaders": "host",
        }
        if self.session_token:
            query["X-Amz-Security-Token"] = self.session_token
        unsigned = f"{url}?{_query(query.items())}"
        return f"{unsigned}&X-Amz-Signature={self.presigned(unsigned)}"

    def presigned(self, url: str) -> str:
        """Return the signature of a presigned URL that lacks only that."""
        parts = urlsplit(url)
        at = dict(parse_qsl(parts.query)).get("X-Amz-Date", "")
        return self._signed(at, self._canonical("GET", url, {"host": parts.netloc}, _UNSIGNED))

    def _canonical(self, method: str, url: str, headers: Mapping[str, str], payload: str) -> str:
        parts = urlsplit(url)
        path = parts.path or "/"
        lines = [
            method,
            path if self.service == "s3" else quote(path, safe="/-_.~"),  # S3 encodes once only
            _query(parse_qsl(parts.query, keep_blank_values=True)),
            *(f"{name}:{' '.join(value.split())}" for name, value in sorted(headers.items())),
            "",
            ";".join(sorted(headers)),
            payload,
        ]
        return "\n".join(lines)

    def _signed(self, stamp: str, canonical: str) -> str:
        hashed = hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()
        scope = self._scope(stamp)
        key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        return _hmac(key, "\n".join([_ALGORITHM, stamp, scope, hashed])).hex()

    def _scope(self, stamp: str) -> str:
        return f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).digest()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    encoded = ((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))
