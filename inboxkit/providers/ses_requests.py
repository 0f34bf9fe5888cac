"""What Amazon SES is asked: a SendEmail, or a SendBulkEmail when variables differ by recipient."""

from __future__ import annotations

import json
from email.utils import formataddr
from typing import TYPE_CHECKING, Any

from .. import base64_text
from .ses_events import email_tags

if TYPE_CHECKING:
    from ..values import Address, File
    from .base import Outgoing

SINGLE = "/v2/email/outbound-emails"
BULK = "/v2/email/outbound-bulk-emails"


def written(message: Outgoing, configuration_set: str) -> tuple[str, dict[str, Any]]:
    """Return the path and the JSON of the request that sends a message."""
    bulk = bool(message.recipient_variables)
    asked = _bulk(message) if bulk else _single(message)
    if tags := email_tags(message.tag, message.metadata):
        asked["DefaultEmailTags" if bulk else "EmailTags"] = tags
    if configuration_set:
        asked["ConfigurationSetName"] = configuration_set
    return BULK if bulk else SINGLE, asked


def _single(message: Outgoing) -> dict[str, Any]:
    """Return a SendEmail; its destination alone says who gets the mail."""
    shown = {
        "ToAddresses": {a.email for a in message.to},
        "CcAddresses": {a.email for a in message.cc},
    }
    people = {name: [r for r in message.rcpt_to if r in who] for name, who in shown.items()}
    taken = {*people["ToAddresses"], *people["CcAddresses"]}
    people["BccAddresses"] = [r for r in message.rcpt_to if r not in taken]
    destination = {name: who for name, who in people.items() if who}
    if not message.template:
        raw = base64_text.encode(message.mime)
        return {"Destination": destination, "Content": {"Raw": {"Data": raw}}}
    content = {"Template": _template(message)}
    return {"Destination": destination, "Content": content, **_people(message)}


def _bulk(message: Outgoing) -> dict[str, Any]:
    """Return a SendBulkEmail: a mail of its own for everybody, who sees nobody else."""
    entries: list[dict[str, Any]] = []
    for recipient in message.rcpt_to:
        variables = {**message.variables, **message.recipient_variables.get(recipient, {})}
        replaced = {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps(variables)}}
        entries.append(
            {
                "Destination": {"ToAddresses": [recipient]},
                "ReplacementEmailContent": replaced,
            }
        )
    content = {"Template": _template(message)}
    return {"DefaultContent": content, "BulkEmailEntries": entries, **_people(message)}


def _people(message: Outgoing) -> dict[str, Any]:
    written: dict[str, Any] = {"FromEmailAddress": _written(message.sender)}
    if message.reply_to:
        written["ReplyToAddresses"] = [_written(address) for address in message.reply_to]
    return written


def _template(message: Outgoing) -> dict[str, Any]:
    template: dict[str, Any] = {
        "TemplateName": message.template,
        "TemplateData": json.dumps(dict(message.variables)),
        "Headers": [{"Name": name, "Value": value} for name, value in message.headers.items()],
        "Attachments": [_attachment(file) for file in message.attachments],
    }
    return {name: value for name, value in template.items() if value}


def _attachment(file: File) -> dict[str, str]:
    attachment = {
        "RawContent": base64_text.encode(file.data),
        "FileName": file.filename,
        "ContentType": file.content_type,
        "ContentDisposition": "INLINE" if file.content_id else "ATTACHMENT",
        "ContentTransferEncoding": "BASE64",
    }
    return attachment | ({"ContentId": file.content_id} if file.content_id else {})


def _written(address: Address) -> str:
    return formataddr((address.name, address.email))
