"""AgentMail's own client on a running server of ours; every answer is checked against its models.

The client itself checks nothing: a missing field becomes None, a wrong type passes through.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from inboxkit.testing.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from inboxkit import Message

sdk: Any = import_module("agentmail")
httpx: Any = import_module("httpx")
environment: Any = import_module("agentmail.environment")
ApiError: Any = import_module("agentmail.core.api_error").ApiError
OURS = {"inboxkit"}  # what we add, in one place


class Server:
    """A running server, and the raw answers that it gave."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.answers: list[Any] = []
        self._opened: list[Any] = []

    @property
    def environment(self) -> Any:
        url = self.runner.kit.url
        return environment.AgentMailEnvironment(http=url, websockets=url.replace("http", "ws"))

    def client(self, key: str = "any") -> Any:
        """Return the synchronous client."""

        def record(response: Any) -> None:
            response.read()
            self.answers.append(response)

        http = httpx.Client(event_hooks={"response": [record]})
        self._opened.append(http)
        return sdk.AgentMail(api_key=key, environment=self.environment, httpx_client=http)

    @asynccontextmanager
    async def async_client(self, key: str = "any") -> AsyncGenerator[Any]:
        """Return the asynchronous client."""

        async def record(response: Any) -> None:
            await response.aread()
            self.answers.append(response)

        async with httpx.AsyncClient(event_hooks={"response": [record]}) as http:
            yield sdk.AsyncAgentMail(api_key=key, environment=self.environment, httpx_client=http)

    def close(self) -> None:
        """Close the connections of all clients."""
        for http in self._opened:
            http.close()

    def checked(self, result: Any) -> Any:
        """Return what the client made of the last answer, once that has passed strictly."""
        raw = self.answers[-1].json()
        check(type(result), raw)
        return result

    def arrive(self, raw: bytes, *, to: str, mail_from: str = "ann@example.com") -> Message:
        """Let a mail come in."""
        return self.runner.call(self.runner.kit.receive, raw, mail_from=mail_from, rcpt_to=[to])


def check(model: Any, raw: Any) -> None:
    """Raise unless a JSON object has all that a model needs, in the right types, and no more."""
    made = model.model_validate(raw)
    _no_more(made, raw)


def _no_more(made: Any, raw: Any) -> None:
    if isinstance(raw, list):
        for one, part in zip(made, raw, strict=True):
            _no_more(one, part)
    if not isinstance(raw, dict) or not hasattr(made, "__pydantic_fields__"):
        return
    fields = {f.alias or name: name for name, f in type(made).model_fields.items()}
    unknown = set(raw) - set(fields) - OURS
    assert not unknown, f"{type(made).__name__} has no {unknown}"
    for name, value in raw.items():
        if name in fields:
            _no_more(getattr(made, fields[name]), value)


@contextmanager
def served(**settings: Any) -> Generator[Server]:
    """Run a server on a free port."""
    runner = Runner(**settings)
    runner.start()
    server = Server(runner)
    try:
        yield server
    finally:
        server.close()
        runner.stop()
