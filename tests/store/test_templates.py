"""Templates in the database: one version is active at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.store import templates
from inboxkit.store.pages import Page
from inboxkit.store.templates import TemplateTaken, VersionRecord
from inboxkit.tokens import new_id

if TYPE_CHECKING:
    from inboxkit.store.store import Store


async def test_one_version_is_active(store: Store) -> None:
    now = store.clock.now()
    named: dict[str, Any] = {"pod_id": "pod_default", "name": "a", "description": "", "now": now}
    made = await store.write(templates.create, **named)
    with pytest.raises(TemplateTaken):
        await store.write(templates.create, **named)

    for tag, active in (("one", False), ("two", False), ("three", True)):
        wanted = VersionRecord(
            id=new_id(),
            template_id=made.id,
            tag=tag,
            active=active,
            engine="jinja",
            comment="",
            headers={"X-A": "{{ a }}"},
            created_at=now,
            updated_at=now,
        )
        await store.write(templates.add_version, wanted)
        found = await store.read(templates.version, made.id, None)
        assert found is not None and found.tag == ("three" if active else "one")
    assert found is not None
    assert found.sources.headers == {"X-A": "{{ a }}"}
    await store.write(templates.remove, made)
    assert await store.read(templates.versions, made.id, Page(5)) == []
