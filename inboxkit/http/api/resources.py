"""All routes of the API: a resource is a module with ROUTES, named here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import (
    api_keys,
    domains,
    drafts,
    events,
    explain,
    inboxes,
    lists,
    messages,
    metrics,
    pods,
    polling,
    runs,
    sends,
    suppressions,
    templates,
    threads,
    wait,
    webhook_secrets,
    webhook_tests,
    webhooks,
    whole,
)

if TYPE_CHECKING:
    from .routing import Route

ROUTES: tuple[Route[Any], ...] = (
    *inboxes.ROUTES,
    *messages.ROUTES,
    *sends.ROUTES,
    *threads.ROUTES,
    *api_keys.ROUTES,
    *pods.ROUTES,
    *whole.ROUTES,
    *drafts.ROUTES,
    *lists.ROUTES,
    *domains.ROUTES,
    *templates.ROUTES,
    *webhooks.ROUTES,
    *polling.ROUTES,
    *webhook_secrets.ROUTES,
    *webhook_tests.ROUTES,
    *suppressions.ROUTES,
    *runs.ROUTES,
    *metrics.ROUTES,
    *explain.ROUTES,
    *events.ROUTES,
    *wait.ROUTES,
)
