"""A delivery report as a mail server would send it (RFC 3464), for tests and the demo."""

from __future__ import annotations

from email.utils import formatdate, make_msgid

_REPORT = """\
From: Mail Delivery System <mailer-daemon@mx.example>
To: {sender}
Subject: Undelivered Mail Returned to Sender
Date: {date}
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain; charset=utf-8

The mail to <{recipient}> could not be delivered: there is no such user.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} User unknown

--report
Content-Type: text/rfc822-headers

{head}

--report--
"""


def bounce(original: bytes, *, sender: str, recipient: str, status: str = "5.1.1") -> bytes:
    """Return a report that a mail of ``sender`` could not be delivered to ``recipient``."""
    head = original.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    text = _REPORT.format(
        sender=sender,
        recipient=recipient,
        status=status,
        date=formatdate(),
        message_id=make_msgid(domain="mx.example"),
        head=head.decode("utf-8", "replace"),
    )
    return text.replace("\n", "\r\n").encode()
