"""SMTP replies: every one carries an enhanced status code (RFC 2034, RFC 3463)."""

from __future__ import annotations

import re

from ..errors import InboxKitError

_REPLY = re.compile(r"([245])(\d\d) (?!\d\.\d{1,3}\.\d{1,3} )")
_CONTROL = re.compile(r"[^\x20-\x7e]+")
_MAX_TEXT = 400  # a reply line is at most 512 octets (RFC 5321 section 4.5.3.1.5)
_STATUS = {
    "421": "4.3.2",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "504": "5.5.4",
    "535": "5.7.8",
    "553": "5.1.3",
    "555": "5.5.4",
}

OK = b"250 2.0.0 OK\r\n"
SENDER_OK = b"250 2.1.0 Sender OK\r\n"
RECIPIENT_OK = b"250 2.1.5 Recipient OK\r\n"
START_DATA = b"354 End data with <CR><LF>.<CR><LF>\r\n"
ACCEPTED = b"250 2.0.0 Message accepted\r\n"
CANNOT_VERIFY = b"252 2.1.5 Cannot verify; send a message and see\r\n"
GOODBYE = b"221 2.0.0 Goodbye\r\n"

FULL = b"421 4.7.0 Too many connections, try again later\r\n"
FULL_FOR_CLIENT = b"421 4.7.0 Too many connections from your address\r\n"
MADE_ROOM = b"421 4.7.0 Idle while others wait, closing\r\n"
SHUTTING_DOWN = b"421 4.3.2 Shutting down, try again later\r\n"
IDLE = b"421 4.4.2 Idle for too long, closing\r\n"
TOO_SLOW = b"421 4.4.2 Data came too slowly, closing\r\n"
TOO_MANY_ERRORS = b"421 4.7.0 Too many errors, closing\r\n"
TOO_MANY_COMMANDS = b"421 4.7.0 Too many commands without a message, closing\r\n"
TOO_MANY_AUTH_FAILURES = b"421 4.7.0 Too many failed logins, closing\r\n"
TOO_MANY_GUESSES = b"421 4.7.0 Too many failed logins from your address, try again later\r\n"
LOST_TRACK = b"421 4.3.0 Temporary failure, closing\r\n"
SPOKE_TOO_SOON = b"554 5.5.0 You spoke before your turn, closing\r\n"
NOT_HTTP = b"554 5.5.1 This is a mail server, closing\r\n"
PROXY_WRONG = b"554 5.5.0 Bad PROXY header, closing\r\n"


class SmtpRefused(InboxKitError):
    """Raise to answer the client with ``code``, enhanced ``status`` (RFC 3463) and ``text``."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(f"{code} {status} {text}")
        self.code = code
        self.status = status
        self.text = text

    @property
    def reply(self) -> bytes:
        """Return the reply as one line of ASCII, whatever the text holds."""
        text = _CONTROL.sub("?", self.text)[:_MAX_TEXT]
        return f"{self.code} {self.status} {text}\r\n".encode("ascii", "replace")


def with_status(line: str) -> bytes:
    """Return a reply of aiosmtpd's own with the enhanced code that it lacks."""
    found = _REPLY.match(line)
    if found:
        code = line[:3]
        line = f"{code} {_STATUS.get(code, found[1] + '.0.0')} {line[4:]}"
    return line.encode("ascii", "replace") + b"\r\n"
