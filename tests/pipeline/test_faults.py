"""What the log says of a foreign exception: its type and places, the user's own line among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inboxkit.pipeline.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable


def raised(by: Callable[[], object]) -> str:
    try:
        by()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return fault(error)
    raise AssertionError("nothing was raised")


def test_the_text_of_an_exception_is_left_out() -> None:
    said = raised(lambda: int("secret"))
    assert said.startswith(f"ValueError at {__file__}:")
    assert "secret" not in said


def test_the_users_line_is_named_however_deep_in_a_library_it_broke() -> None:
    class Own(json.JSONEncoder):
        """Breaks three calls below the line that used it."""

    value = [[[[[object()]]]]]
    said = raised(lambda: json.dumps(value, cls=Own, indent=1))
    assert said.startswith("TypeError at ")
    assert __file__ in said
    assert said.count(" < ") == 2
    assert "json/encoder.py" in said


def test_an_exception_that_was_never_raised_is_its_type() -> None:
    assert fault(KeyError("secret")) == "KeyError"
