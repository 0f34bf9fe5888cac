"""What a key may be allowed: the permissions of AgentMail's API keys, a whitelist by name."""

from __future__ import annotations

_KINDS = {
    "inbox": ("read", "create", "update", "delete"),
    "message": ("read", "reply", "send", "update", "delete"),
    "draft": ("read", "create", "update", "delete", "send"),
    "webhook": ("read", "create", "update", "delete"),
    "domain": ("read", "create", "update", "delete"),
    "list_entry": ("read", "create", "delete"),
    "metrics": ("read",),
    "api_key": ("read", "create", "update", "delete"),
    "pod": ("read", "create", "update", "delete"),
    "run": ("read", "update"),
    "template": ("read", "update"),
    "suppression": ("read", "update"),
}
# The labels whose messages only a key with the permission sees.
LABEL_PERMISSIONS = {
    "spam": "label_spam_read",
    "blocked": "label_blocked_read",
    "unauthenticated": "label_unauthenticated_read",
    "trash": "label_trash_read",
}
PERMISSIONS = (
    *(f"{kind}_{verb}" for kind, verbs in _KINDS.items() for verb in verbs),
    *LABEL_PERMISSIONS.values(),
)
