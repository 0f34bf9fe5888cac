"""One library of others in a process of its own, which can be ended when it does not.

python -m scoring.peer_process NAME reads a case as JSON from each line and answers with a line.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _mail_parser(library: Any, case: Mapping[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    mail = library.parse_from_bytes(base64.b64decode(case["raw"]))
    subject = mail.subject
    _ = mail.text_plain, mail.text_html, mail.attachments
    return {"seconds": time.perf_counter() - start, "subject": subject or ""}


def _reply_in(*languages: str) -> Callable[[Any, Mapping[str, Any]], str]:
    def read(library: Any, case: Mapping[str, Any]) -> str:
        parser = library.EmailReplyParser(languages=list(languages))
        return str(parser.parse_reply(text=case["body"]) or "")

    return read


def _zapier(library: Any, case: Mapping[str, Any]) -> str:
    return str(library.EmailReplyParser.parse_reply(case["body"]))


def _quotequail(library: Any, case: Mapping[str, Any]) -> str:
    pieces = library.quote(case["body"], quote_intro_line=True)
    return "".join(text for shown, text in pieces if shown)


def _otp_extractor(library: Any, case: Mapping[str, Any]) -> str | None:
    found = library.extract_otp(f"{case['subject']}\n{case['text']}")
    return str(found["code"]) if found else None


def _flufl(library: Any, case: Mapping[str, Any]) -> dict[str, list[str]]:
    from email import message_from_bytes

    temporary, permanent = library.all_failures(message_from_bytes(base64.b64decode(case["raw"])))
    return {"temporary": _decoded(temporary), "permanent": _decoded(permanent)}


def _decoded(addresses: Any) -> list[str]:
    return sorted(a.decode("utf-8", "replace") if isinstance(a, bytes) else a for a in addresses)


_THIRTEEN = ("en", "de", "fr", "it", "ja", "pl", "sv", "cs", "da", "es", "ko", "nl", "zh")
READERS: dict[str, tuple[str, Callable[[Any, Mapping[str, Any]], Any]]] = {
    "mail-parser": ("mailparser", _mail_parser),
    "mail-parser-reply, English": ("mailparser_reply", _reply_in("en")),
    "mail-parser-reply, 13 languages": ("mailparser_reply", _reply_in(*_THIRTEEN)),
    "email-reply-parser": ("email_reply_parser", _zapier),
    "quotequail": ("quotequail", _quotequail),
    "otp-message-extractor": ("otp_message_extractor", _otp_extractor),
    "flufl.bounce": ("flufl.bounce", _flufl),
}


def main(name: str) -> None:
    """Answer the cases of standard input."""
    module, read = READERS[name]
    library = import_module(module)
    logging.disable(logging.CRITICAL)  # they report what they cannot read
    for line in sys.stdin:
        try:
            answer = {"answer": read(library, json.loads(line))}
        except Exception as error:  # noqa: BLE001  what it raises is what is measured
            answer = {"error": type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
