"""What tests import; the fixtures themselves come from the pytest plugin."""

from __future__ import annotations

from .mailbox import Mailbox
from .person import Person
from .sandbox import Sandbox

__all__ = ["Mailbox", "Person", "Sandbox"]
