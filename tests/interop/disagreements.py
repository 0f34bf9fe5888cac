"""Where django-anymail 15.2 reads a payload otherwise than we do, and why we keep to ours."""

from __future__ import annotations

FIELDS = ("type", "recipient", "url", "at")
EVERYTHING = "everything"

_UNIQUE = "the first opening or click, which an account may be set to post alone; anymail skips it"
_NEWER = "a name that anymail does not know yet"
_SKIPPED = "not tried, as the address is suppressed at the vendor: no server has refused it"
_NOT_SAID = "the event names all recipients, not whose it is: we guess nobody"
_BOUNCED = "a server refused the mail after it was taken; anymail keeps failed for it"

DISAGREEMENTS: dict[tuple[str, str], dict[str, str]] = {
    ("brevo", "batched"): {EVERYTHING: "a list of events; anymail reads one only, and raises"},
    ("mailersend", "clicked_unique"): {"type": _UNIQUE},
    ("mailersend", "deferred"): {"type": _NEWER},
    ("mailersend", "maintenance_start"): {
        EVERYTHING: "about the service; anymail raises KeyError, we keep it as unknown"
    },
    ("mailersend", "opened_unique"): {"type": _UNIQUE},
    ("mailgun", "failed_suppress_unsubscribe"): {"type": _SKIPPED},
    ("mailgun", "stored"): {"recipient": "in message.recipients, where anymail does not look"},
    ("mandrill", "delivered"): {"type": _NEWER},
    ("postal", "failed_by_postal"): {"type": _BOUNCED},
    ("postal", "failed_mailbox_full"): {"type": _BOUNCED},
    ("postal", "failed_unknown_user"): {"type": _BOUNCED},
    ("postal", "held_suppressed"): {"type": "held for good, as the address is suppressed"},
    ("postal", "loaded"): {"type": "Postal's opening of a message; anymail has no name for it"},
    ("postmark", "bounce_new_type"): {"type": "a type of bounce that nobody knows may be harmless"},
    ("postmark", "bounce_spam_notification"): {
        "type": "a filter took it for spam: no person has complained, so none is suppressed"
    },
    ("resend", "bounced_one_of_several"): {"recipient": _NOT_SAID},
    ("resend", "bounced_suppressed"): {"type": _SKIPPED},
    ("resend", "delivered_two_in_to"): {"recipient": _NOT_SAID},
    ("resend", "failed"): {"type": _NEWER},
    ("resend", "scheduled"): {"type": _NEWER},
    ("resend", "suppressed"): {"type": _NEWER},
    ("ses", "bounce_suppressed"): {"type": _SKIPPED},
    ("ses", "complaint_not_spam"): {"type": "the person said that it is no spam"},
    ("ses", "delivery_delay"): {"type": _NEWER},
    ("ses", "open"): dict.fromkeys(FIELDS, _NOT_SAID),  # anymail: one for each recipient
    ("ses", "send"): {"type": "SES has taken it and is about to try"},
    ("ses", "subscription_all"): {"type": _NEWER},
    ("sparkpost", "bounce_25_policy"): {"type": "SparkPost refused by its own policy"},
    ("sparkpost", "initial_open"): {"type": "a setting of anymail decides; we count it as opened"},
    ("sparkpost", "iso_time"): {"at": "a time in ISO 8601, which anymail leaves out"},
    ("unisender_go", "accepted"): {"type": _NEWER},
    ("unisender_go", "hard_skipped"): {"type": _SKIPPED},
    ("unisender_go", "hard_unsubscribed"): {"type": _SKIPPED},
    ("unisender_go", "spam_block"): dict.fromkeys(
        FIELDS, "about the account, which anymail drops; we keep it as unknown"
    ),
}
