"""Lists of addresses by the Mailgun facade: uploaded, validated by and by, downloaded, deleted."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.errors import RemoteError
from inboxkit.pipeline.janitor import Janitor
from inboxkit.providers.forms import Field
from inboxkit.store import mailgun_validations

from .api import Answer, Api, serving
from .mailgun import DOMAIN, Mailgun

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = "/v4/address/validate/bulk"
TABLE = (
    b"name,Email\r\nAnn,ann@shop.example\r\nBen,dead@shop.example\r\nEve,support@gmial.com\r\n"
    b"Nobody,=nobody\r\nAnn,ANN@shop.example\r\nNone,\r\n"
)


class Names:
    """Knows the mail servers of two domains; of one that nobody can tell."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def txt(self, name: str) -> list[str]:
        return []

    def mx(self, name: str) -> list[tuple[int, str]]:
        self.asked.append(name)
        if name == "slow.example":
            raise RemoteError("no answer")
        return (
            [(10, "mx.shop.example")] if name in ("shop.example", "xn--bcher-kva.example") else []
        )


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(api_key="k" * 20) as running:
        yield running.of("k" * 20)


@pytest.fixture
def mailgun(api: Api) -> Iterator[Mailgun]:
    found = Mailgun(api, "k" * 20)
    yield found
    for job in found.good("GET", LISTS)["jobs"]:
        found.good("DELETE", f"{LISTS}/{job['id']}")


def upload(mailgun: Mailgun, name: str, table: bytes, query: str = "") -> Answer:
    return mailgun.upload(f"{LISTS}/{name}{query}", [Field("file", table, "list.csv")])


def done(mailgun: Mailgun, name: str, table: bytes, query: str = "") -> Any:
    """Return a list once every address was looked at."""
    assert upload(mailgun, name, table, query).status == 202
    mailgun.settle()
    return mailgun.good("GET", f"{LISTS}/{name}")


def path(url: str, mailgun: Mailgun) -> str:
    return url.removeprefix(mailgun.api.url)


def test_a_list_is_validated_each_address_once(mailgun: Mailgun) -> None:
    mailgun.good("POST", f"/v3/{DOMAIN}/bounces", address="dead@shop.example")
    found = done(mailgun, "spring", TABLE)

    assert (found["status"], found["quantity"], found["records_processed"]) == ("uploaded", 6, 4)
    assert found["summary"]["result"]["undeliverable"] == 2
    assert found["summary"]["risk"] == {"high": 2, "medium": 1, "low": 0, "unknown": 1}
    verdicts = mailgun.good("GET", path(found["download_url"]["json"], mailgun))
    assert [v["address"][:4] for v in verdicts] == ["ANN@", "dead", "supp", "=nob"]
    assert verdicts[2] == mailgun.good("GET", "/v4/address/validate", address="support@gmial.com")


def test_a_table_can_be_opened_by_a_spreadsheet(mailgun: Mailgun) -> None:
    found = done(mailgun, "table", TABLE)
    answer = mailgun.ask("GET", path(found["download_url"]["csv"], mailgun))
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["address"] for row in rows][-1] == "'=nobody"
    assert rows[2]["reason"] == "mailbox_is_role_address; typo_domain"
    assert "table.csv" in answer.headers["content-disposition"]


def test_dns_is_asked_once_for_each_domain(mailgun: Mailgun) -> None:
    names = Names()
    mailgun.api.runner.kit.runtime.resolver = names
    domains = ("shop.example", "bücher.example", "slow.example", "void.example")
    lines = ["email", *(f"{who}@{name}" for name in domains for who in "ab")]
    found = done(mailgun, "dns", "\n".join(lines).encode(), "?provider_lookup=true")

    results = found["summary"]["result"]
    assert (results["deliverable"], results["unknown"], results["undeliverable"]) == (4, 2, 2)
    assert len(names.asked) == 4


def test_a_packed_list_of_several_parts(mailgun: Mailgun) -> None:
    lines = "\n".join(["email_address", *(f"a{n}@shop.example" for n in range(1_500))])
    found = done(mailgun, "long", gzip.compress(lines.encode()))
    verdicts = mailgun.good("GET", path(found["download_url"]["json"], mailgun))
    assert [v["address"] for v in verdicts] == lines.split("\n")[1:]


def test_a_list_that_was_cut_short_goes_on_where_it_stopped(mailgun: Mailgun) -> None:
    store, run = mailgun.api.runner.kit.runtime.store, mailgun.api.runner.call
    parts = mailgun_validations.packed([f"a{n}@shop.example" for n in range(1_001)])
    new = mailgun_validations.NewList("", "cut", 1_001, False, mailgun.api.runner.clock.now())
    looked = {"result": "deliverable", "risk": "low", "address": "before"}

    def begun(tx: Any) -> None:
        mailgun_validations.create(tx, new, parts)
        found = mailgun_validations.find(tx.connection, "", "cut")
        assert found is not None
        verdicts = mailgun_validations.Verdicts.of([looked])
        mailgun_validations.put_part(tx, found.id, 0, verdicts)
        mailgun_validations.put_part(tx, found.id, 0, verdicts)

    run(store.write, begun)
    mailgun.settle()
    found = mailgun.good("GET", f"{LISTS}/cut")
    assert (found["records_processed"], found["summary"]["result"]["deliverable"]) == (2, 1)


def test_lists_are_those_of_who_brought_them(api: Api, mailgun: Mailgun) -> None:
    done(mailgun, "mine", TABLE)
    pod = api.good("POST", "/v0/pods", {"name": "theirs"})["pod_id"]
    key = api.good("POST", f"/v0/pods/{pod}/api-keys", {})["api_key"]
    theirs = Mailgun(api, key)
    assert theirs.good("GET", LISTS) == {"jobs": [], "total": 0}
    unknown = theirs.ask("GET", f"{LISTS}/none")
    assert theirs.ask("GET", f"{LISTS}/mine").json == unknown.json
    assert theirs.ask("GET", f"{LISTS}/mine/results.json").status == 404
    assert (upload(theirs, "mine", TABLE).status, mailgun.good("GET", LISTS)["total"]) == (202, 1)
    mailgun.settle()
    api.good("DELETE", f"/v0/pods/{pod}")
    store, run = mailgun.api.runner.kit.runtime.store, mailgun.api.runner.call
    assert run(store.read, mailgun_validations.find, pod, "mine") is None


def wide() -> bytes:
    """Return a small file that is large when it is unpacked."""
    row = b"a@shop.example," + b"x" * 110_000 + b"\n"
    return gzip.compress(b"email\n" + row * 1_000, 1)


WRONG: dict[str, tuple[str, bytes, int]] = {
    "no column": ("a", b"name\nAnn\n", 400),
    "a row without one": ("a", b"name,email\nAnn\n", 400),
    "no rows": ("a", b"email\n", 400),
    "no table": ("a", b'"' + b"x" * 200_000, 400),
    "no gzip": ("a", b"\x1f\x8bnonsense", 400),
    "cut gzip": ("a", gzip.compress(TABLE)[:-4], 400),
    "blank rows": ("a", gzip.compress(b"email\n" + b"\n" * 1_000_000), 400),
    "a row of commas": ("a", b"email" + b"," * 300_000, 400),
    "a row of many lines": ("a", b"email\n" + b'"\n",' * 100_000, 400),
    "a name with @": ("a%40b", TABLE, 400),
    "a long name": ("a" * 300, TABLE, 400),
}


@pytest.mark.parametrize(("name", "table", "status"), WRONG.values(), ids=WRONG)
def test_what_is_no_list(mailgun: Mailgun, name: str, table: bytes, status: int) -> None:
    answer = upload(mailgun, name, table)
    assert (answer.status, list(answer.json)) == (status, ["message"])
    assert mailgun.good("GET", LISTS)["jobs"] == []


def test_a_list_that_unpacks_to_much_is_refused(mailgun: Mailgun) -> None:
    answer = upload(mailgun, "a", wide())
    assert (answer.status, list(answer.json)) == (413, ["message"])
    assert mailgun.good("GET", LISTS)["jobs"] == []


def test_a_name_is_taken_until_its_list_is_deleted(mailgun: Mailgun) -> None:
    done(mailgun, "again", TABLE)
    assert upload(mailgun, "again", TABLE).status == 400
    assert mailgun.good("DELETE", f"{LISTS}/again")["message"] == "Validation job deleted."
    assert mailgun.ask("GET", f"{LISTS}/again").status == 404
    assert done(mailgun, "again", TABLE)["records_processed"] == 4


def test_a_list_is_forgotten_after_a_month(mailgun: Mailgun) -> None:
    done(mailgun, "old", TABLE)
    runner = mailgun.api.runner
    janitor = Janitor(runner.kit.runtime.store, runner.kit.settings)
    assert runner.call(janitor.forget_lists) == 0
    runner.clock.advance(timedelta(days=31))
    assert runner.call(janitor.forget_lists) == 1


def test_without_a_file_nothing_is_taken(mailgun: Mailgun) -> None:
    assert mailgun.ask("POST", f"{LISTS}/none", email="ann@shop.example").status == 400
    assert json.dumps(mailgun.good("GET", LISTS)) == '{"jobs": [], "total": 0}'
