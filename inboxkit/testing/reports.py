"""A delivery report as a mail server would send it (RFC 3464), for tests."""

from __future__ import annotations

from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formatdate, make_msgid


def bounce(original: bytes, *, sender: str, recipient: str, status: str = "5.1.1") -> bytes:
    """Return a report that a mail of ``sender`` could not be delivered to ``recipient``."""
    report = MIMEMultipart("report", **{"report-type": "delivery-status"})
    report["From"] = "Mail Delivery System <mailer-daemon@mx.example>"
    report["To"] = sender
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = formatdate()
    report["Message-ID"] = make_msgid(domain="mx.example")
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"The mail to <{recipient}> could not be delivered.\n"))
    report.attach(_status(recipient, status))
    headers = EmailMessage()
    headers["Content-Type"] = "text/rfc822-headers"
    headers.set_payload(_head(original))
    report.attach(headers)
    return report.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _status(recipient: str, status: str) -> Message:
    fields = (
        "Reporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {recipient}\n"
        "Action: failed\n"
        f"Status: {status}\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n"
    )
    part = Message()
    part["Content-Type"] = "message/delivery-status"
    part.set_payload(fields)
    return part


def _head(original: bytes) -> str:
    head = original.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return head.decode("utf-8", "replace") + "\n"
