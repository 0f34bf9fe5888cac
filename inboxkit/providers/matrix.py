"""The matrix of what each provider can do, as the documentation has it: made from capabilities.

``python docs/providers/matrix.py`` writes it into the page.
"""

from __future__ import annotations

from .base import Feature
from .optional import Fetching, Lookup
from .parts import Limited
from .registry import PROVIDERS, batching, most_bytes

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_MEANINGS = {
    Feature.RAW_MIME: "takes the message as we composed it",
    Feature.MESSAGE_ID: "recipients see our Message-ID",
    Feature.CC: "Cc",
    Feature.BCC: "Bcc",
    Feature.REPLY_TO: "Reply-To",
    Feature.HEADERS: "any header",
    Feature.ATTACHMENTS: "attachments",
    Feature.INLINE_IMAGES: "inline images",
    Feature.TAGS: "tags",
    Feature.METADATA: "metadata comes back in events",
    Feature.SCHEDULING: "scheduling at the vendor",
    Feature.TRACKING: "opens and clicks by message",
    Feature.TEMPLATES: "stored templates",
    Feature.MERGE: "variables by recipient",
    Feature.BATCH: "many mails in one request",
    Feature.IDEMPOTENCY: "the same key sends once",
    Feature.LOOKUP: "can be asked what was sent",
    Feature.EVENTS: "status webhooks",
    Feature.INBOUND: "inbound mail",
    Feature.INBOUND_RAW: "inbound mail as its bytes",
    Feature.SIGNATURES: "webhooks are signed",
}


def matrix() -> str:
    """Return the table in Markdown: a row a feature, a column a provider."""
    names = sorted(PROVIDERS)
    rows = [["", *(_linked(name) for name in names)], ["---", *("---" for _ in names)]]
    rows += [[_MEANINGS[feature], *(_mark(name, feature) for name in names)] for feature in Feature]
    rows += [["webhooks call for downloads", *(_yes(_fetches(name)) for name in names)]]
    rows += [["queued sends share a request", *(_yes(_joins(name)) for name in names)]]
    rows += [["sends to very many leave in parts", *(_yes(_parts(name)) for name in names)]]
    rows += [["MiB of a message, where documented", *(_size(name) for name in names)]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _mark(name: str, feature: Feature) -> str:
    provider = PROVIDERS[name]
    if feature is Feature.LOOKUP:
        return _yes(isinstance(provider, Lookup))
    return _yes(feature in provider.capabilities)


def _fetches(name: str) -> bool:
    return isinstance(PROVIDERS[name], Fetching)


def _joins(name: str) -> bool:
    return batching(PROVIDERS[name]) is not None


def _parts(name: str) -> bool:
    return isinstance(PROVIDERS[name], Limited)


def _size(name: str) -> str:
    most = most_bytes(PROVIDERS[name])
    return "" if most is None else str(most // 1024**2)


def _yes(value: bool) -> str:
    return "x" if value else ""


def _linked(name: str) -> str:
    return name if name in ("memory", "smtp") else f"[{name}]({name}.md)"


def written(page: str) -> str:
    """Return a page with the matrix between its marks; raise ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{matrix()}\n{END}{after}"
