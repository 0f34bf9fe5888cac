"""All routes of the facade: a resource is a module with ROUTES, named here."""

from __future__ import annotations

from . import (
    account_webhooks,
    allowlist,
    bulk,
    domains,
    events,
    logs,
    messages,
    metrics,
    routes,
    stats,
    stored,
    suppressions,
    tags,
    templates,
    validation,
    webhooks,
)

ROUTES = (
    *messages.ROUTES,
    *stored.ROUTES,
    *events.ROUTES,
    *logs.ROUTES,
    *webhooks.ROUTES,
    *account_webhooks.ROUTES,
    *routes.ROUTES,
    *suppressions.ROUTES,
    *stats.ROUTES,
    *metrics.ROUTES,
    *tags.ROUTES,
    *allowlist.ROUTES,
    *templates.ROUTES,
    *validation.ROUTES,
    *bulk.ROUTES,
    *domains.ROUTES,
)
