"""Large messages in an object store: S3, Google Cloud Storage or Azure; needs the extra ``s3``.

An object is in the bucket before the row that names it. It belongs to one row and is never changed.
Objects that no row names are orphans of a crash; they are swept when a day old.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from ..errors import ConfigurationError, StoreError
from ..settings import without_secrets
from .blobs import OBJECT, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

log = logging.getLogger("inboxkit.objects")
SCHEMES = ("s3", "gs", "az")
_PART_BYTES = 5 * 1024 * 1024  # S3 takes no smaller parts but the last
_PIECE_BYTES = 256 * 1024
_PORTION = 1_000  # S3 deletes and lists no more at once
_ORPHAN_AGE = timedelta(days=1)
_PAUSE_SECONDS = 5.0  # after a failure: what follows need not wait for its own timeout
_CLIENT_KEYS = ("allow_http", "allow_invalid_certificates", "proxy_url", "root_certificate")
_TIMES = {"connect_timeout": "5s", "timeout": "30s"}  # of one request, two more tries at most


def _now() -> datetime:
    return datetime.now(UTC)


class Objects:
    """A bucket, or a folder of one. All methods block: call them in threads."""

    def __init__(
        self, url: str, options: Mapping[str, str], now: Callable[[], datetime] = _now
    ) -> None:
        """Connect to nothing yet; raise ConfigurationError for what cannot be.

        ``now`` is the wall's time, as the store stamps objects with its own.
        """
        self._url = without_secrets(url)
        self._now = now
        self._store = _open(url, options)
        self._folder = ""
        self._rest_until = 0.0
        self._deleting = ThreadPoolExecutor(1, "inboxkit-objects")

    def belong_to(self, secret: bytes) -> None:
        """Write into a folder that no other database uses: it may share the bucket."""
        self._folder = hashlib.blake2b(secret, digest_size=8, person=b"objects").hexdigest()

    def write(self, pieces: Iterator[bytes]) -> str:
        """Store the pieces as one object and return its location; raise StoreError.

        At most two parts of an upload are in memory.
        """
        if time.monotonic() < self._rest_until:
            raise StoreError(f"{self._url} takes no message: it failed a moment ago")
        name = secrets.token_hex(16)
        key = f"{self._folder}/{name[:2]}/{name}.zst"
        with self._speaking("takes no message", pauses=True):
            self._put(key, pieces)
        return OBJECT + key

    def _put(self, key: str, pieces: Iterator[bytes]) -> None:

        begun: deque[bytes] = deque()
        size = 0
        for piece in pieces:
            begun.append(piece)
            size += len(piece)
            if size > _PART_BYTES:
                rest = chain(_drained(begun), pieces)
                obstore.put(self._store, key, rest, chunk_size=_PART_BYTES, max_concurrency=1)
                return
        obstore.put(self._store, key, b"".join(begun), use_multipart=False)

    def read(self, location: str) -> Iterator[bytes]:
        """Iterate over an object's bytes as they come; raise Unreadable or StoreError."""

        with self._speaking("cannot be read"):
            try:
                for piece in obstore.get(self._store, _key(location)).stream(_PIECE_BYTES):
                    yield bytes(piece)
            except FileNotFoundError as error:
                self._look_into_bucket()
                raise Unreadable(f"no object {_key(location)} in {self._url}") from error

    def _look_into_bucket(self) -> None:
        """Raise when it is the bucket that is missing, not one object."""

        next(self.pages("", at_once=1), None)

    def pages(self, prefix: str = "", at_once: int = _PORTION) -> Iterator[Sequence[ObjectMeta]]:
        """Iterate over what is in the bucket, so many at once."""
        found = obstore.list(self._store, prefix or None, chunk_size=at_once)  # pyright: ignore[reportUnknownMemberType] - of its overloads one gives Arrow tables
        yield from found

    def remove(self, locations: Collection[str]) -> None:
        """Delete objects soon, in another thread; what fails is swept when it is a day old."""
        keys = [_key(location) for location in locations]
        if keys:
            self._deleting.submit(self._delete_softly, keys)

    def _delete_softly(self, keys: list[str]) -> None:
        try:
            self._delete(keys)
        except StoreError as error:
            log.warning("%s objects are left to be swept: %s", len(keys), error)

    def _delete(self, keys: list[str]) -> None:

        with self._speaking("deletes nothing"):
            for start in range(0, len(keys), _PORTION):
                obstore.delete(self._store, keys[start : start + _PORTION])

    def probe(self) -> None:
        """Write a small object, read it and delete it; raise StoreError with what went wrong."""
        key = f"probe/{secrets.token_hex(16)}"
        with self._speaking("takes no object"):
            obstore.put(self._store, key, b"probe", use_multipart=False)
        with self._speaking("gives no object back"):
            read = bytes(obstore.get(self._store, key).bytes())
        with self._speaking("deletes nothing"):
            obstore.delete(self._store, key)
        if read != b"probe":
            raise StoreError(f"{self._url} gives back other bytes than were written")

    def sweep(self, known: Collection[str]) -> int:
        """Delete this database's objects that are a day old and in no row; return how many."""

        cutoff, total = self._now() - _ORPHAN_AGE, 0
        with self._speaking("cannot be listed"):
            for page in self.pages(f"{self._folder}/"):
                old = [meta["path"] for meta in page if meta["last_modified"] < cutoff]
                orphans = [key for key in old if OBJECT + key not in known]
                self._delete(orphans)
                total += len(orphans)
        return total

    def close(self) -> None:
        """Finish the deletions that are under way."""
        self._deleting.shutdown()

    @contextmanager
    def _speaking(self, what: str, *, pauses: bool = False) -> Generator[None]:
        """Raise what goes wrong as StoreError, in one line."""

        try:
            yield
        except BaseException as error:
            if not isinstance(error, (BaseError, OSError)) and not _is_panic(error):
                raise
            if pauses:
                self._rest_until = time.monotonic() + _PAUSE_SECONDS
            raise StoreError(f"{self._url} {what}: {_brief(error)}") from error


def _open(url: str, options: Mapping[str, str]) -> ObjectStore:
    scheme, separator, rest = url.partition("://")
    if scheme not in SCHEMES or not separator or not rest.strip("/"):
        shown = without_secrets(url)
        raise ConfigurationError(
            f"object_store: {shown!r} is no bucket, such as s3://bucket/prefix"
        )
    retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
    config, client = _parted(_checked(options))
    try:
        return from_url(url, config=config, client_options=client, retry_config=retries)
    except (BaseError, ValueError) as error:
        raise ConfigurationError(f"object_store: {_brief(error)}") from None


def _checked(options: Mapping[str, str]) -> Mapping[str, str]:
    """Return options that obstore can use: with others it panics when the first mail comes."""
    # Of a file or a variable the end is often that of a line.
    found = {key: value.strip() for key, value in options.items()}
    for key, value in found.items():
        if not value.isprintable():
            raise ConfigurationError(f"object_store: {key}: has a control character or a line end")
    if "region" in found and " " in found["region"]:
        raise ConfigurationError("object_store: region: has a space; write it as eu-central-1")
    if "endpoint" in found and not _is_endpoint(found["endpoint"]):
        shown = without_secrets(found["endpoint"])
        raise ConfigurationError(
            f"object_store: endpoint: {shown!r} is no URL, such as https://s3.example.com"
        )
    return found


def _is_endpoint(url: str) -> bool:
    try:
        found = urlsplit(url)
        return bool(
            found.scheme in ("http", "https")
            and found.hostname
            and " " not in url
            and found.port != 0
        )  # its port raises ValueError when it is none
    except ValueError:
        return False


def _is_panic(error: BaseException) -> bool:
    """Whether Rust code broke: obstore raises that as no Exception, which would end a step."""
    return type(error).__module__ == "pyo3_runtime"


def _parted(options: Mapping[str, str]) -> tuple[Any, Any]:
    """Part what the store is told from what its HTTP client is told."""
    config = {key: value for key, value in options.items() if key not in (*_CLIENT_KEYS, *_TIMES)}
    plain = config.get("endpoint", "").startswith("http://")  # whoever writes that means it
    client: dict[str, Any] = {"allow_http": plain}
    for key in _CLIENT_KEYS:
        if key in options:
            text = options[key]
            client[key] = text.lower() == "true" if key.startswith("allow_") else text
    return config, client | {key: options.get(key, least) for key, least in _TIMES.items()}


def _drained(pieces: deque[bytes]) -> Iterator[bytes]:
    """Iterate over pieces, each of which is free once it is used."""
    while pieces:
        yield pieces.popleft()


def _key(location: str) -> str:
    return location.removeprefix(OBJECT)


def _brief(error: BaseException) -> str:
    """Return the first line, without what the server wrote: that may name a key."""
    said = without_secrets(str(error))  # the endpoint may hold a password
    return said.partition("\n")[0].partition("<")[0].strip(" :")[:300]
