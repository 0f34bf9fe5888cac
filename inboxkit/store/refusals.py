"""What a database's refusal means: for the work, for a second try, and for whoever asked."""

from __future__ import annotations

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError

from ..errors import StoreError

_SIGNS = ("full", "locked", "disk i/o", "readonly", "malformed", "unable to open")
# PostgreSQL's: connection, state of the transaction, rollback, resources, intervention, system.
_STATES_LOST = ("08", "25", "40", "53", "57", "58", "XX")
# Rolled back for certain: serialization failure, deadlock, a session that idled before its commit.
_IN_THE_WAY = ("40001", "40P01", "25P03")
_TAKEN = "23505"  # unique violation
_READ_ONLY = "25006"  # the server writes no more: another has taken its place
_LATE = "55P03"  # lock not available within lock_timeout
_ENDED = "57014"  # query canceled: by statement_timeout, or by hand
LOOKS = 4  # what is taken may be free again, and taken by a third
_BEYOND_LIMITS = "54"  # PostgreSQL's: a value too long for its index, a statement too complex
_VALUES_REFUSED = (IntegrityError, DataError, InterfaceError, ProgrammingError)
_BROKEN = "disk i/o"  # SQLite could not write a commit that its next start may find all the same


class Unstorable(StoreError):
    """The database is well and does not take these values; trying again would change nothing."""


class Unsure(StoreError):
    """The answer to a commit was lost: nobody knows whether it was made.

    Nothing may be undone that the rows, if they are there, count on.
    """


class TooSlow(StoreError):
    """The server ended a statement, as it took longer than its ``statement_timeout``.

    The same may be quick another time; at once it would hold others up as long again.
    """


class TooLong(StoreError):
    """A search or a list was broken off; asked for less, it may be quick."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the query was broken off after {seconds:g} s: ask for less, such as one inbox, "
            "a shorter time, or rarer words"
        )


def is_fatal(error: DBAPIError) -> bool:
    """Whether the whole transaction is lost: a full disk, a lock, a broken connection."""
    if error.connection_invalidated:
        return True
    state = _sqlstate(error)
    if state:
        return state[:2] in _STATES_LOST and state != _ENDED
    text = str(error.orig).lower()
    return any(sign in text for sign in _SIGNS)


def may_pass(error: DBAPIError, attempt: int, *, committing: bool = False) -> bool:
    """Whether the same work may succeed when it is done again; never on SQLite."""
    state = _sqlstate(error)
    if state == _TAKEN:  # perhaps since we looked; whoever looks again finds it
        return attempt < LOOKS - 1
    return state in _IN_THE_WAY or (error.connection_invalidated and not committing)


def is_in_the_way(error: DBAPIError) -> bool:
    """Whether two stood in each other's way, and this one was rolled back; never on SQLite."""
    return _sqlstate(error) in _IN_THE_WAY


def is_useless(error: BaseException) -> bool:
    """Whether the connection can never write again, although it is there."""
    return getattr(error, "sqlstate", None) == _READ_ONLY


def is_late(error: DBAPIError) -> bool:
    """Whether another transaction held a lock for too long; who waits for it is to come again.

    Perhaps: a statement may have waited for one until it was ended.
    """
    return _sqlstate(error) in (_LATE, _ENDED)


def is_slow(error: Exception) -> bool:
    """Whether the server ended a statement that took too long; what went before it still holds."""
    return isinstance(error, DBAPIError) and _sqlstate(error) == _ENDED


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def words(error: Exception) -> str:
    """Return what the database said, in one line: without the statement, and without a link."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def refusal(error: Exception, *, committing: bool = False) -> StoreError:
    """Return what the caller of a unit of work is told."""
    if isinstance(error, StoreError):
        return error
    cause = getattr(error, "orig", None) or error
    kind = _kind(error, committing=committing)
    refused = kind(f"the database refused: {type(cause).__name__}: {words(error)}")
    refused.__cause__ = error
    return refused


def _kind(error: Exception, *, committing: bool) -> type[StoreError]:
    if not isinstance(error, DBAPIError):
        return StoreError
    if committing and (error.connection_invalidated or _BROKEN in str(error.orig).lower()):
        return Unsure
    if is_slow(error):
        return TooSlow
    if _sqlstate(error).startswith(_BEYOND_LIMITS):
        return Unstorable
    lasting = isinstance(error, _VALUES_REFUSED) and not is_fatal(error)
    return Unstorable if lasting else StoreError
