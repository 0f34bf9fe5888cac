"""What tests of HTTP share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that keeps what is posted to it, as a user's own would."""
    with receiving() as receiver:
        yield receiver
