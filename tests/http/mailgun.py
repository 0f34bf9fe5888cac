"""The Mailgun facade asked over plain HTTP, as Mailgun's own clients ask it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from inboxkit.providers import forms
from inboxkit.providers.forms import Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .api import Answer, Api

DOMAIN = "inbox.example"
BASE = {"from": f"Shop <shop@{DOMAIN}>", "to": "ann@example.com", "subject": "Hi", "text": "Hello"}


def basic(key: str, user: str = "api") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{key}'.encode()).decode()}"}


class Mailgun:
    """A server, asked with one key."""

    def __init__(self, api: Api, key: str = "any") -> None:
        self.api = api
        self._headers = basic(key)

    def ask(self, method: str, path: str, **fields: Any) -> Answer:
        """Send fields as a form; a list is a repeated field."""
        body = urlencode(fields, doseq=True).encode() if fields and method != "GET" else None
        target = f"{path}?{urlencode(fields, doseq=True)}" if fields and method == "GET" else path
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        return self.api.ask(method, target, body, {**self._headers, **kind})

    def upload(self, path: str, fields: Sequence[Field], headers: Mapping[str, str] = {}) -> Answer:
        """Send fields and files as multipart/form-data."""
        kind, body = forms.write(fields)
        given = {**self._headers, "Content-Type": kind, **headers}
        return self.api.ask("POST", path, body, given)

    def post_json(self, path: str, value: object) -> Answer:
        """Send JSON."""
        given = {**self._headers, "Content-Type": "application/json"}
        return self.api.ask("POST", path, json.dumps(value).encode(), given)

    def good(self, method: str, path: str, **fields: Any) -> Any:
        """Make a request that must succeed; return its JSON."""
        answer = self.ask(method, path, **fields)
        assert answer.status == 200, answer.body
        return answer.json

    def send(self, **fields: Any) -> str:
        """Send a mail; return its Message-ID."""
        return str(self.good("POST", f"/v3/{DOMAIN}/messages", **(BASE | fields))["id"])

    def message(self, message_id: str, inbox: str = f"shop@{DOMAIN}") -> Any:
        """Return a message as AgentMail's API shows it."""
        from .api import path

        return self.api.good("GET", path(inbox, message_id))
