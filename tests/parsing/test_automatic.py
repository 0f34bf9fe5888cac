"""Kinds of mail: the header decides, words count only beside it, people who quote stay people."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxkit.parsing.automatic import classify
from inboxkit.parsing.mime import decode
from inboxkit.parsing.model import Headers, Mail, Part
from inboxkit.values import Kind

LATE_KINDS = "unused"


def _mail(header: str, text: str = "Hello,\nsee you on Monday.") -> Mail:
    head = f"{header}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    return decode(f"{head}\n{text}".replace("\n", "\r\n").encode())


def _kind(header: str, text: str = "Hello,\nsee you on Monday.") -> Kind:
    return classify(_mail(header, text))[0]
