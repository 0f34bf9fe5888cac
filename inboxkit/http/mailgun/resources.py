"""All routes of the facade: a resource is a module with ROUTES, named here."""

from __future__ import annotations

from . import (
    allowlist,
    domains,
    events,
    messages,
    routes,
    stored,
    suppressions,
    templates,
    validation,
    webhooks,
)

ROUTES = (
    *messages.ROUTES,
    *stored.ROUTES,
    *events.ROUTES,
    *webhooks.ROUTES,
    *routes.ROUTES,
    *suppressions.ROUTES,
    *allowlist.ROUTES,
    *templates.ROUTES,
    *validation.ROUTES,
    *domains.ROUTES,
)
