"""API keys over HTTP: what one may make, and how it ends; the door stays closed behind the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .api import Api, serving
from .test_api_access import ADMIN, FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def admin() -> Iterator[Api]:
    with serving(api_key=ADMIN) as api:
        yield api.of(ADMIN)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"permissions": {"inbox_read": True, "inbox_delete": True}}, 403),
        ({"permissions": {"inbox_read": True}, "live": True}, 403),
        ({"permissions": {"inbox_read": True}}, 200),
        ({}, 200),
        ({"permissions": {"no_such": True}}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
    ],
    ids=str,
)
def test_no_key_makes_a_mightier_one(admin: Api, asked: dict[str, Any], status: int) -> None:
    own = {"inbox_read": True, "api_key_create": True}
    api = admin.of(admin.good("POST", "/v0/api-keys", {"permissions": own})["api_key"])
    answer = api.ask("POST", "/v0/api-keys", asked)
    assert answer.status == status
    if status == 200:
        assert set(answer.json["permissions"]) <= set(own)


def test_a_permission_that_is_denied_by_name_is_not_given(admin: Api) -> None:
    asked = {"permissions": {"inbox_read": False, "message_read": True}}
    api = admin.of(admin.good("POST", "/v0/api-keys", asked)["api_key"])
    assert api.ask("GET", "/v0/inboxes").code == "missing_permission"


def test_there_are_bearer_keys_alone(admin: Api) -> None:
    known = admin.good("GET", "/v0/api-keys?limit=500")["count"]
    asked = {"public_key": {"kty": "EC", "crv": "P-256"}, "client_id": "agent"}

    refused = admin.ask("POST", "/v0/api-keys", asked)

    assert (refused.status, "public_key" in refused.json["message"]) == (400, True)
    assert admin.good("GET", "/v0/api-keys?type=bearer&limit=500")["count"] == known
    assert admin.good("GET", "/v0/api-keys?type=public_key") == {"count": 0, "api_keys": []}
    assert admin.good("POST", "/v0/api-keys", {"public_key": None})["api_key"]


def test_a_key_does_not_outlive_its_maker(admin: Api) -> None:
    first = admin.good("POST", "/v0/api-keys", {"expires_at": "2999-01-01T00:00:00Z"})
    api = admin.of(first["api_key"])
    later = api.ask("POST", "/v0/api-keys", {"expires_at": "2999-01-02T00:00:00Z"})
    assert later.code == "permission_escalation"
    assert api.good("POST", "/v0/api-keys", {})["expires_at"] == first["expires_at"]


def test_a_revoked_key_is_refused_at_once(admin: Api) -> None:
    made = admin.good("POST", "/v0/api-keys", {"name": "gone"})
    api = admin.of(made["api_key"])
    assert api.ask("GET", "/v0/auth/me").status == 200
    assert admin.good("GET", f"/v0/api-keys/{made['api_key_id']}")["used_at"]
    admin.good("DELETE", f"/v0/api-keys/{made['api_key_id']}")
    assert api.ask("GET", "/v0/auth/me").code == "unknown_api_key"


def test_an_inbox_takes_its_keys_with_it(admin: Api) -> None:
    inbox = admin.inbox()
    made = admin.good("POST", f"/v0/inboxes/{inbox}/api-keys", {"name": "bot"})
    admin.good("DELETE", f"/v0/inboxes/{inbox}")
    assert admin.of(made["api_key"]).ask("GET", "/v0/auth/me").code == "unknown_api_key"
    assert admin.ask("GET", f"/v0/api-keys/{made['api_key_id']}").status == 404
    assert made["api_key_id"] not in str(admin.good("GET", "/v0/api-keys?limit=500"))


def test_the_first_key_closes_the_door() -> None:
    with serving() as api:
        key = api.of("whatever").good("POST", "/v0/api-keys", {})["api_key"]
        assert api.ask("GET", "/v0/inboxes").status == 401
        assert api.of(key).ask("GET", "/v0/inboxes", headers=FOREIGN["host"]).status == 200


def test_a_key_that_revokes_itself_opens_no_door() -> None:
    with serving() as api:
        made = api.good("POST", "/v0/api-keys", {"name": "only"})
        only = api.of(made["api_key"])
        only.good("DELETE", f"/v0/api-keys/{made['api_key_id']}")
        codes = [one.ask("GET", "/v0/api-keys").code for one in (api, only)]
    assert codes == ["missing_authorization", "unknown_api_key"]


def test_a_key_that_deletes_its_own_inbox_opens_no_door() -> None:
    with serving() as api:
        inbox = api.inbox()
        keys = [api.good("POST", f"/v0/inboxes/{inbox}/api-keys", {})["api_key"]]
        bound = api.of(keys[0])
        keys.append(bound.good("POST", f"/v0/inboxes/{inbox}/api-keys", {})["api_key"])
        bound.good("DELETE", f"/v0/inboxes/{inbox}")
        codes = [api.of(key).ask("GET", "/v0/api-keys").code for key in ("", *keys)]
    assert codes == ["missing_authorization", "unknown_api_key", "unknown_api_key"]


def test_a_key_that_deletes_its_own_pod_opens_no_door() -> None:
    with serving() as api:
        pod = api.good("POST", "/v0/pods", {})["pod_id"]
        key = api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"]
        api.of(key).good("DELETE", f"/v0/pods/{pod}")
        codes = [api.of(one).ask("GET", "/v0/api-keys").code for one in ("", key)]
    assert codes == ["missing_authorization", "unknown_api_key"]


def test_revoked_keys_are_not_there_any_more() -> None:
    with serving(api_key=ADMIN) as api:
        admin = api.of(ADMIN)
        made = [admin.good("POST", "/v0/api-keys", {"name": "gone"}) for _ in range(2)]
        revoked = [f"/v0/api-keys/{key['api_key_id']}" for key in made]
        answers = [admin.ask("DELETE", key).status for key in revoked * 2]
        found = [admin.ask("GET", key).status for key in revoked]
        listed = admin.good("GET", "/v0/api-keys")["api_keys"]
    assert (answers, found, listed) == ([204, 204, 404, 404], [404, 404], [])
