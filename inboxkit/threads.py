"""Which thread an arriving message belongs to, and why. Pure: the store hands in a look-up.

Not for what a thread holds or how it is stored; see ``decide`` for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from .quotations import is_quoted
from .subjects import base_subject, is_reply_subject, is_stacked
from .thread_index import index_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

_MOST_IDS = 128  # cited ids that are looked up: the nearest ones and the root
_SUBJECT_WINDOW = timedelta(days=30)
_QUOTE_WINDOW = timedelta(days=180)
_SHORTEST_SUBJECT = 8  # letters; one of another script than Latin counts double
_EMPTY_SUBJECTS = frozenset(
    "no subject,(no subject),kein betreff,(kein betreff),sans objet,(sans objet),sin asunto,"
    "(sin asunto),sem assunto,(sem assunto),senza oggetto,(senza oggetto),без темы,(без темы),"
    "無題,(件名なし),无主题,(无主题),제목 없음,(제목 없음)".split(",")
)


@dataclass(frozen=True, slots=True)
class Known:
    """A message of the inbox, or an id that its messages cite (a ghost).

    ``alias`` says that the id is one a provider gave the message, not the one in its header.
    """

    thread: int
    message: int | None
    outbound: bool = False
    alias: bool = False


@dataclass(frozen=True, slots=True)
class ThreadCard:
    """What a look-up tells about a thread.

    ``participants`` are lower-case addresses, ours included: the people of its messages, but not
    of those that came in with ``participant`` false, or a stranger would be let in by his second
    mail. ``base`` is the bare subject of the message it begins with, "" when unknown. ``own`` and
    ``quoted`` are the marks of its messages (``quotations``), ``orphan`` is set
    when a ``Decision`` said so for one of them.
    """

    thread: int
    participants: frozenset[str]
    last_at: datetime
    last_message: int | None = None
    last_outbound: int | None = None
    base: str = ""
    own: frozenset[str] = frozenset()
    quoted: frozenset[str] = frozenset()
    orphan: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What an arriving message says about its place.

    Ids carry their angle brackets, addresses are lower case. ``inbox`` are the addresses of the
    inbox itself; without them only the sender counts as somebody in common. ``token_thread`` is
    the target of a Reply-To token whose signature is right. ``own`` and ``quoted`` are the marks
    of the text (``quotations``).
    """

    received_at: datetime
    sender: str = ""
    recipients: frozenset[str] = frozenset()
    subject: str = ""
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_index: str = ""
    token_thread: Known | None = None
    inbox: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()


class Lookup(Protocol):
    """What the store knows; synchronous, inside the transaction that stores the message."""

    def by_ids(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """Find messages, aliases and ghosts by RFC 5322 ids, and aliases without a domain.

        Of two messages with one id the earlier wins, so that nobody can take over an id of ours.
        """
        ...

    def by_index(self, root: str) -> Sequence[ThreadCard]:
        """Find the threads with a message whose ``index_root`` is this one."""
        ...

    def by_subject(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        """Find the newest threads alive since then with this bare subject."""
        ...

    def orphans(self, base: str, since: datetime) -> Sequence[ThreadCard]:
        """Find, of the threads ``by_subject`` would find, those that are ``orphan``."""
        ...

    def card(self, thread: int) -> ThreadCard:
        """Return the card of a thread that another look-up named."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a message goes. ``reason`` is one word, then what matched.

    The word is token, in_reply_to, references, alias, own_id, thread_index, quoted, subject or
    new. ``thread`` is None for a new one. ``answers`` is the message of ours that this one
    answers. ``participant`` says that the sender was in the conversation before (true for a new
    thread). ``merge`` are other threads shown to be the same conversation. ``ghosts`` are cited
    ids that nobody knows: the store keeps them for this thread. ``orphan`` marks the thread as
    one that holds a reply whose parent may still come. ``is_root`` says that the message comes
    before what the thread held: the thread takes its subject.
    """

    thread: int | None
    reason: str
    answers: int | None = None
    participant: bool = True
    merge: tuple[int, ...] = ()
    ghosts: tuple[str, ...] = ()
    orphan: bool = False
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A thread that a clue points to.

    A firm clue is one that only a reader of the thread has. A parent is what the message answers;
    the others are threads that answer the message.
    """

    reason: str
    card: ThreadCard
    is_firm: bool = True
    is_parent: bool = True


def decide(clues: Clues, lookup: Lookup) -> Decision:
    """Choose the thread of an arriving message.

    The surest clue wins: the Reply-To token, In-Reply-To, References from the end, the message's
    own id (cited by mail that came before it), Thread-Index, words quoted from a thread with the
    same subject, and last the subject, under guards.

    Who knows an id may write into its thread, but is marked: a sender who was not in the
    conversation gets ``participant=False``, whatever the clue. Ids of several threads show that
    they are one conversation, and ``merge`` says so. Lest a stranger knit two private
    conversations together, or his own to somebody else's, a thread that we wrote in is merged
    only by a mail of one of its participants. Threads that we only listen to (a list, where
    everyone is new) merge freely, so that a list's threads come out as its References tell.
    """
    ids = _cited(clues)
    known = lookup.by_ids(_asked(clues.message_id, ids))
    candidates = _by_ids(clues, ids, known, lookup)
    if not any(candidate.is_parent for candidate in candidates):
        candidates = _by_content(clues, ids, lookup, alone=not candidates) + candidates
    candidates += _waiting(clues, lookup)
    return _decision(clues, ids, known, _joined(candidates, clues.sender))


def _cited(clues: Clues) -> list[str]:
    """Return the ids that the message cites, nearest first, without its own and repeats."""
    nearest = [clues.in_reply_to, *reversed(clues.references)]
    cited = dict.fromkeys(mid for mid in nearest if mid and mid != clues.message_id)
    ids = list(cited)
    return ids if len(ids) <= _MOST_IDS else [*ids[: _MOST_IDS - 1], ids[-1]]


def _asked(own: str, ids: Iterable[str]) -> list[str]:
    asked = [own] if own else []
    for mid in ids:
        asked += [mid, _local_part(mid)] if _local_part(mid) else [mid]
    return asked


def _local_part(message_id: str) -> str:
    """Return what names a message when the domain is one of the provider's many hosts.

    Amazon SES and SendGrid name the host that took a mail. Others make a UUID the local part and
    put a domain behind it that they do not tell (Postmark, Mailtrap). Nobody guesses a UUID.
    """
    local, _, domain = message_id.strip("<>").partition("@")
    domain = domain.lower()
    known = domain.endswith((".amazonses.com", ".sendgrid.net")) or "ismtpd" in domain
    return local if known or _is_uuid(local) else ""


def _is_uuid(local: str) -> bool:
    if len(local) != 36 or local.count("-") != 4:
        return False
    return not local.lower().strip("0123456789abcdef-")


def _find(message_id: str, known: Mapping[str, Known]) -> Known | None:
    return known.get(message_id) or known.get(_local_part(message_id))


def _by_ids(
    clues: Clues, ids: Sequence[str], known: Mapping[str, Known], lookup: Lookup
) -> list[_Candidate]:
    """List the threads that the token and the ids point to, nearest first, each once."""
    reasons: dict[int, str] = {}
    if clues.token_thread:
        reasons[clues.token_thread.thread] = "token"
    for mid in ids:
        if found := _find(mid, known):
            header = "in_reply_to" if mid == clues.in_reply_to else "references"
            reasons.setdefault(found.thread, f"{'alias' if found.alias else header} {mid[:100]}")
    candidates = [_Candidate(reason, lookup.card(thread)) for thread, reason in reasons.items()]
    own = known.get(clues.message_id)
    if own and own.thread not in reasons:
        reason = f"own_id {clues.message_id[:100]}"
        candidates.append(_Candidate(reason, lookup.card(own.thread), is_parent=False))
    return candidates


def _by_content(
    clues: Clues, ids: Sequence[str], lookup: Lookup, *, alone: bool
) -> list[_Candidate]:
    """Find the one thread that a message without known ids belongs to by what it says."""
    base = base_subject(clues.subject)
    root = index_root(clues.thread_index)
    if root and (found := _by_index(base, clues.sender, lookup.by_index(root))):
        return [_Candidate(f"thread_index {root[:12]}", found)]
    replies = is_reply_subject(clues.subject)
    if not base or not (replies or clues.quoted):
        return []
    cards = lookup.by_subject(base, clues.received_at - _QUOTE_WINDOW)
    detached = _is_detached(clues, ids)
    if found := _by_quotes(clues, cards, detached=detached):
        return [_Candidate("quoted", found, is_firm=False)]
    if alone and replies and (found := _by_subject(clues, base, cards, detached=detached)):
        return [_Candidate(f"subject {base[:60]}", found, is_firm=False)]
    return []


def _is_detached(clues: Clues, ids: Sequence[str]) -> bool:
    """Say whether the message has nothing of its own that tells where it belongs.

    Ids or an index that nobody knows say that it answers mail we never saw. A program that stacks
    its prefix (Re: Re:) leaves the ids out of its own follow-ups as well: better two threads.
    """
    return not (ids or index_root(clues.thread_index) or is_stacked(clues.subject))


def _by_index(base: str, sender: str, cards: Sequence[ThreadCard]) -> ThreadCard | None:
    """Choose among the threads of an index. Outlook begins a new index with a new subject."""
    same = [card for card in cards if card.base in ("", base)]
    return max(same, key=lambda card: (sender in card.participants, card.last_at), default=None)


def _by_quotes(clues: Clues, cards: Iterable[ThreadCard], *, detached: bool) -> ThreadCard | None:
    """Choose the thread quoted nearest; unless detached, among those that we wrote in."""
    matching = [
        card
        for card in cards
        if is_quoted(clues.quoted, card.own)
        and (card.last_outbound is not None or (detached and _meets(clues, card)))
    ]
    first = {card.thread: _first(clues.quoted, card.own) for card in matching}
    return min(matching, key=lambda card: first[card.thread], default=None)


def _first(quoted: Iterable[str], own: frozenset[str]) -> int:
    return next(place for place, mark in enumerate(quoted) if mark in own)


def _by_subject(
    clues: Clues, base: str, cards: Iterable[ThreadCard], *, detached: bool
) -> ThreadCard | None:
    """Choose by the subject alone: only a thread with the same people, and only if it is alone."""
    distinct = _is_distinct(base)
    fitting = [card for card in cards if _fits(clues, card, detached=detached, distinct=distinct)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(clues: Clues, card: ThreadCard, *, detached: bool, distinct: bool) -> bool:
    if abs(clues.received_at - card.last_at) > _SUBJECT_WINDOW:
        return False
    if card.last_outbound is not None:
        return clues.sender in card.participants and (detached or distinct)
    return detached and distinct and _meets(clues, card)


def _meets(clues: Clues, card: ThreadCard) -> bool:
    """Say whether the message and the thread have people in common, or a list; not only us."""
    others = clues.recipients - clues.inbox if clues.inbox else frozenset[str]()
    return clues.sender in card.participants or bool(others & card.participants)


def _is_distinct(base: str) -> bool:
    """Say whether a subject is long enough not to be everybody's."""
    letters = sum(2 if char >= "\u0370" else 1 for char in base if char.isalnum())
    return letters >= _SHORTEST_SUBJECT and base not in _EMPTY_SUBJECTS


def _waiting(clues: Clues, lookup: Lookup) -> list[_Candidate]:
    """List the threads that begin with an answer to this message: mail can come out of order."""
    base = base_subject(clues.subject)
    if not base or not clues.own:
        return []
    own = frozenset(clues.own)
    orphans = lookup.orphans(base, clues.received_at - _QUOTE_WINDOW)
    return [
        _Candidate("quoted", card, is_firm=False, is_parent=False)
        for card in orphans
        if card.last_outbound is None and is_quoted(card.quoted, own) and _meets(clues, card)
    ]


def _joined(candidates: Sequence[_Candidate], sender: str) -> list[_Candidate]:
    """Keep the nearest candidate and those that may be merged with it (see ``decide``)."""
    group: list[_Candidate] = []
    for candidate in candidates:
        if any(candidate.card.thread == other.card.thread for other in group):
            continue
        if not group or _may_merge([*group, candidate], sender):
            group.append(candidate)
    return group


def _may_merge(candidates: Sequence[_Candidate], sender: str) -> bool:
    firm = all(candidate.is_firm for candidate in candidates)
    cards = [candidate.card for candidate in candidates]
    return all(c.last_outbound is None or (firm and sender in c.participants) for c in cards)


def _decision(
    clues: Clues, ids: Sequence[str], known: Mapping[str, Known], group: Sequence[_Candidate]
) -> Decision:
    ghosts = tuple(mid for mid in ids if not _find(mid, known))
    orphan = _is_detached(clues, ids) and (is_reply_subject(clues.subject) or bool(clues.quoted))
    if not group:
        return Decision(None, "new", ghosts=ghosts, orphan=orphan)
    cards = [candidate.card for candidate in group]
    has_parent = any(candidate.is_parent for candidate in group)
    kept = min(cards, key=lambda card: (card.last_outbound is None, card.thread)).thread
    participant = any(clues.sender in card.participants for card in cards)
    open_to_all = participant or all(card.last_outbound is None for card in cards)
    return Decision(
        kept,
        group[0].reason,
        answers=_answered(clues, ids, known, group),
        participant=participant,
        merge=tuple(card.thread for card in cards if card.thread != kept),
        ghosts=ghosts if open_to_all else (),
        orphan=orphan and not has_parent,
        is_root=not has_parent,
    )


def _answered(
    clues: Clues, ids: Sequence[str], known: Mapping[str, Known], group: Sequence[_Candidate]
) -> int | None:
    """Return our message that is answered: the token's, the nearest cited, or our last one."""
    threads = {candidate.card.thread for candidate in group}
    cited = [clues.token_thread, *(_find(mid, known) for mid in ids)]
    for found in cited:
        if found and found.outbound and found.thread in threads:
            return found.message
    if group[0].reason.split()[0] in ("thread_index", "quoted", "subject"):
        return group[0].card.last_outbound
    return None
