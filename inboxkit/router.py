"""Registering handlers and matching them. Written by the router helper next."""

from __future__ import annotations


class Retries: ...


class Router: ...
