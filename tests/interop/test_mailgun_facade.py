"""Mailgun's own Python client, sync and async, unmodified on a running server of ours."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.testing.runner import Runner
from tests.mails import mail

if TYPE_CHECKING:
    from collections.abc import Iterator

sdk: Any = import_module("mailgun.client")
security: Any = import_module("mailgun.security")
builders: Any = import_module("mailgun.builders")

DOMAIN = "inbox.example"
SHOP = f"shop@{DOMAIN}"
MAIL = {"from": f"Shop <{SHOP}>", "to": "ann@example.com", "subject": "Hi", "text": "Hello"}


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    running = Runner(api_key="k" * 20)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(runner: Runner) -> Iterator[Any]:
    with sdk.Client(auth=("api", "k" * 20), api_url=runner.kit.url) as found:
        yield found


def good(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_sends_forms_files_and_whole_mails(client: Any) -> None:
    data = {**MAIL, "to": ["ann@example.com", "ben@example.com"], "o:tag": ["a", "b"], "v:id": "7"}
    files = [("attachment", ("a.pdf", b"%PDF", "application/pdf"))]
    raw = {"message": mail("Whole", sender=SHOP, to="ann@example.com")}

    plain = good(client.messages.create(data=data, domain=DOMAIN))
    filed = good(client.messages.create(data=MAIL, files=files, domain=DOMAIN))
    to = {"to": "ann@example.com"}
    whole = good(client.mimemessage.create(data=to, files=raw, domain=DOMAIN))

    assert len({said["id"] for said in (plain, filed, whole)}) == 3
    assert {said["message"] for said in (plain, filed, whole)} == {"Queued. Thank you."}


def test_its_builder_makes_mails_that_are_sent_once(client: Any) -> None:
    builder = builders.MailgunMessageBuilder(MAIL["from"])
    builder.add_recipient("ann@example.com")
    builder.set_subject("Once").set_text("Hello").set_idempotency_safe()
    data, _files = builder.build()

    first = good(client.messages.create(data=data, domain=DOMAIN))
    again = good(client.messages.create(data=data, domain=DOMAIN))
    assert first["id"] == again["id"]


def test_it_reads_events_and_sends_stored_mail_again(client: Any) -> None:
    sent = good(client.messages.create(data=MAIL, domain=DOMAIN))
    filters = {"event": "accepted", "message-id": sent["id"]}
    [event] = good(client.events.get(domain=DOMAIN, filters=filters))["items"]
    assert event["user-variables"] == {}

    url = event["storage"]["url"]
    data = {"to": ["eve@example.com"]}
    answer = client.resend_message.create(data=data, domain=DOMAIN, storage_url=url)
    assert good(answer)["message"] == "Queued. Thank you."


@pytest.mark.parametrize("name", ["bounces", "complaints", "unsubscribes", "whitelists"])
def test_it_keeps_lists(client: Any, name: str) -> None:
    found = getattr(client, name)
    address = {f"{name[:-1]}_address": f"{name}@example.com"}
    good(found.create(data={"address": f"{name}@example.com"}, domain=DOMAIN))
    json_ = {"Content-Type": "application/json"}
    good(found.create(data={"address": "two@example.com"}, domain=DOMAIN, headers=json_))
    table = {"file": b"address\nthree@example.com\n"}
    good(getattr(client, f"{name}_import").create(domain=DOMAIN, files=table))

    assert len(good(found.get(domain=DOMAIN))["items"]) == 3
    good(found.get(domain=DOMAIN, **address))
    good(found.delete(domain=DOMAIN, **address))
    good(found.delete(domain=DOMAIN))


def test_it_keeps_routes(client: Any) -> None:
    rule = {"priority": 1, "expression": 'match_recipient(".*@x")', "action": ["store()", "stop()"]}
    made = good(client.routes.create(data=rule))["route"]
    changed = client.routes.put(data={"priority": 2}, route_id=made["id"])
    assert good(changed)["priority"] == 2
    assert good(client.routes.get(filters={"skip": 0, "limit": 1}))["total_count"] == 1
    assert good(client.routes_match.get(filters={"address": "a@x"}))["route"]["id"] == made["id"]
    good(client.routes.delete(route_id=made["id"]))


def test_it_keeps_webhooks_of_both_versions(client: Any) -> None:
    data = {"id": "clicked", "url": ["https://shop.example/hook"]}
    good(client.domains_webhooks.create(domain=DOMAIN, data=data))
    good(client.domains_webhooks_clicked.put(domain=DOMAIN, data={"url": "https://a.example"}))
    assert good(client.domains_webhooks.get(domain=DOMAIN))["webhooks"] == {
        "clicked": {"urls": ["https://a.example"]}
    }
    both = {"url": "https://b.example", "event_types": ["opened", "delivered"]}
    assert set(good(client.domains_webhooks.create(domain=DOMAIN, data=both))["webhooks"]) == {
        "clicked",
        "opened",
        "delivered",
    }
    good(client.domains_webhooks.delete(domain=DOMAIN, filters={"url": "https://b.example"}))
    good(client.domains_webhooks_clicked.delete(domain=DOMAIN))


def test_it_keeps_templates_and_versions(client: Any) -> None:
    data = {"name": "welcome", "template": "<b>{{fname}}</b>", "engine": "handlebars"}
    named: dict[str, Any] = {"domain": DOMAIN, "template_name": "welcome"}
    good(client.templates.create(data=data, domain=DOMAIN))
    good(client.templates.put(data={"description": "x"}, **named))
    second = {"tag": "v2", "template": "{{fname}}!", "engine": "handlebars", "active": "yes"}
    good(client.templates.create(data=second, versions=True, **named))
    copied: dict[str, Any] = {"tag": "v2", "copy": True, "new_tag": "v3"}
    good(client.templates.put(filters={"comment": "c"}, versions=True, **copied, **named))
    variables = {"t:variables": json.dumps({"fname": "Ann"})}
    good(client.messages.create(data={**MAIL, "template": "welcome", **variables}, domain=DOMAIN))

    versions = good(client.templates.get(versions=True, **named))["template"]["versions"]
    assert [v["tag"] for v in versions] == ["initial", "v2", "v3"]
    good(client.templates.delete(versions=True, tag="v3", **named))
    good(client.templates.delete(**named))


def test_it_keeps_domains_and_validates(client: Any) -> None:
    good(client.domains.create(data={"name": "shop.example"}))
    assert good(client.domains.get())["total_count"] == 1
    assert good(client.domains.get(domain_name="shop.example"))["domain"]["name"] == "shop.example"
    good(client.domains.delete(domain="shop.example"))
    asked = {"address": "ann@gmial.com"}
    assert good(client.addressvalidate.get(filters=asked))["did_you_mean"] == "ann@gmail.com"
    assert good(client.addressvalidate.create(data=asked))["address"] == "ann@gmial.com"


def test_a_wrong_key_and_a_wrong_mail_are_refused(runner: Runner, client: Any) -> None:
    with sdk.Client(auth=("api", "wrong"), api_url=runner.kit.url) as stranger:
        assert stranger.messages.create(data=MAIL, domain=DOMAIN).status_code == 401
    answer = client.messages.create(data={**MAIL, "to": "nobody"}, domain=DOMAIN)
    assert (answer.status_code, "to parameter" in answer.json()["message"]) == (400, True)


async def test_the_asynchronous_client_does_the_same(runner: Runner) -> None:
    async with sdk.AsyncClient(auth=("api", "k" * 20), api_url=runner.kit.url) as client:
        sent = good(await client.messages.create(data=MAIL, domain=DOMAIN))
        filters = {"message-id": sent["id"]}
        found = good(await client.events.get(domain=DOMAIN, filters=filters))
        good(await client.bounces.create(data={"address": "x@example.com"}, domain=DOMAIN))
        good(await client.routes.get())
        good(await client.domains_webhooks.get(domain=DOMAIN))
    assert [item["event"] for item in found["items"]][-1] == "accepted"


def test_it_keeps_webhooks_of_the_account(client: Any) -> None:
    data = {"url": "https://shop.example/all", "event_types": ["opened", "clicked"]}
    made = good(client.account_webhooks.create(data=data))["webhook_id"]
    found = good(client.account_webhooks.get(webhook_id=made))
    assert found["event_types"] == ["clicked", "opened"]
    changed = client.account_webhooks.put(webhook_id=made, data={**data, "event_types": "opened"})
    assert changed.status_code == 204
    [listed] = good(client.account_webhooks.get())["webhooks"]
    assert listed["event_types"] == ["opened"]
    assert client.account_webhooks.delete(webhook_id=made).status_code == 204


def test_it_reads_tags_and_statistics(client: Any) -> None:
    tag = "September newsletter"
    good(client.messages.create(data={**MAIL, "o:tag": tag, "o:testmode": "yes"}, domain=DOMAIN))
    named: dict[str, Any] = {"domain": DOMAIN, "tag_name": tag}
    good(client.tags.put(data={"description": "monthly"}, **named))
    assert good(client.tags.get(**named))["description"] == "monthly"
    assert tag in [item["tag"] for item in good(client.tags.get(domain=DOMAIN))["items"]]
    filters = {"event": "accepted", "duration": "1d"}
    assert good(client.tags_stats.get(filters=filters, **named))["tag"] == tag
    with pytest.warns(DeprecationWarning):  # that of Mailgun's client
        total = good(client.stats_total.get(domain=DOMAIN, filters=filters))
    assert total["resolution"] == "day"
    good(client.tags.delete(**named))


def test_it_reads_metrics_logs_and_tags_of_the_account(client: Any) -> None:
    data = {**MAIL, "o:tag": "analysed", "o:testmode": "yes"}
    good(client.messages.create(data=data, domain=DOMAIN))
    values = [{"label": DOMAIN, "value": DOMAIN}]
    only = {"AND": [{"attribute": "domain", "comparator": "=", "values": values}]}
    json_ = {"Content-Type": "application/json"}
    query = {"filter": only, "include_subaccounts": True}
    metrics = {"dimensions": ["time"], "metrics": ["accepted_count", "clicked_rate"], **query}

    counted = client.analytics_metrics.create(data=json.dumps(metrics), headers=json_)
    logged = client.analytics_logs.create(data=json.dumps(query), headers=json_)
    page = {"pagination": {"sort": "lastseen:desc", "limit": 1}}
    tags = good(client.analytics_tags.create(data=page))

    assert good(counted)["items"][-1]["metrics"]["accepted_count"] >= 1
    assert good(logged)["items"][0]["domain"] == {"name": DOMAIN}
    assert [item["tag"] for item in tags["items"]] == ["analysed"]
    good(client.analytics_tags.update(data={"tag": "analysed", "description": "x"}))
    good(client.analytics_tags.delete(filters={"tag": "analysed"}))


def test_it_validates_a_list(client: Any) -> None:
    files = {"file": ("spring.csv", b"email\nann@gmial.com\n", "text/csv")}
    made = client.address_bulk.create(files=files)
    assert (made.status_code, made.json()["id"]) == (202, "spring")
    found = good(client.address_bulk.get(filters={"limit": 2}))
    assert [(job["id"], job["quantity"]) for job in found["jobs"]] == [("spring", 1)]


# What the client has names for, and this server has not.
ABSENT = (
    "lists",
    "ips",
    "ip_pools",
    "ip_warmups",
    "dynamic_pools",
    "users",
    "keys",
    "dkim_keys",
    "accounts_subaccounts",
    "sandbox_auth_recipients",
    "bounceclassification",
    "bounce_classification",
    "spamtraps",
    "inbox_tests",
    "reputationanalytics_snds",
    "thresholds_hits",
    "address_preview",
    "addressparse",
    "analytics_usage_metrics",
    "tags_stats_aggregates_countries",
    "domains_credentials",
    "domains_tracking",
    "domains_ips",
)


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_there_is_said_in_the_vendors_form(client: Any, name: str) -> None:
    given = {"tag_name": "x"} if name.startswith("tags") else {}
    domain = {"domain": DOMAIN} if name.startswith(("domains", "tags")) else {}
    answer = getattr(client, name).get(**domain, **given)
    assert (answer.status_code, list(answer.json())) == (404, ["message"])


def test_whatever_the_client_can_name_is_answered_in_the_vendors_form(client: Any) -> None:
    wrong: list[str] = []
    for name in sorted(client.config.available_endpoints - {"resend_message"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # those of the client
            answer = getattr(client, name).get(domain=DOMAIN)
        refused = answer.status_code in (400, 404, 405) and list(answer.json()) == ["message"]
        if not (refused or answer.status_code == 200):
            wrong.append(f"{name}: {answer.status_code} {answer.text[:80]}")
    assert wrong == []
