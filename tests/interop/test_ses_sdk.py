"""Amazon's own Python client against our Fake, its signer against ours, and moto against both."""

from __future__ import annotations

import email
import email.policy
import json
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from inboxkit.providers.base import (
    FetchPlan,
    HttpRequest,
    HttpResponse,
    NeedsFetch,
    Sent,
    Unverified,
    Verified,
    WebhookRequest,
)
from inboxkit.providers.fakes.ses import SesFake
from inboxkit.providers.ses import Ses
from tests.providers.vendor import MAILS, outgoing

from .server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

boto3: Any = import_module("boto3")
botocore_auth: Any = import_module("botocore.auth")
awsrequest: Any = import_module("botocore.awsrequest")
botocore_credentials: Any = import_module("botocore.credentials")
exceptions: Any = import_module("botocore.exceptions")
botocore_config: Any = import_module("botocore.config")

KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret/x+="}
OPTIONS = {**KEYS, "region": "us-east-1"}
CONFIG = Ses().configure(OPTIONS)
NAME = "Größe"


@pytest.fixture
def fake() -> SesFake:
    return SesFake(CONFIG, lambda: datetime.now(UTC))


def _client(service: str, **given: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id=given.pop("key", KEYS["access_key_id"]),
        aws_secret_access_key=KEYS["secret_access_key"],
        config=botocore_config.Config(retries={"max_attempts": 0}),
        **given,
    )


@pytest.fixture
def client(fake: SesFake) -> Iterator[Any]:
    with serving(fake) as url:
        client = _client("sesv2", endpoint_url=url)
        yield client
        client.close()


def _mail(fake: SesFake) -> Any:
    return email.message_from_bytes(fake.caught[-1].mime, policy=email.policy.default)


def _simple(**more: Any) -> dict[str, Any]:
    return {
        "Subject": {"Data": NAME, "Charset": "UTF-8"},
        "Body": {
            "Text": {"Data": "Which size? 尺码"},
            "Html": {"Data": '<p>Which size?</p><img src="cid:logo">'},
        },
        **more,
    }


TO = {"ToAddresses": ["Ann <ann@example.com>"], "BccAddresses": ["eve@example.com"]}


def test_it_sends_text_and_html_with_tags(client: Any, fake: SesFake) -> None:
    answer = client.send_email(
        FromEmailAddress="Shop <support@shop.example>",
        Destination=TO,
        ReplyToAddresses=["r@shop.example"],
        Content={"Simple": _simple(Headers=[{"Name": "X-Order", "Value": "42"}])},
        EmailTags=[{"Name": "order", "Value": "42"}],
        ConfigurationSetName="events",
    )

    [caught] = fake.caught
    assert caught.message_id == f"<{answer['MessageId']}@email.amazonses.com>"
    assert caught.rcpt_to == ("ann@example.com", "eve@example.com")
    assert (caught.metadata, _mail(fake)["x-order"]) == ({"order": "42"}, "42")
    assert (_mail(fake)["subject"], _mail(fake)["bcc"]) == (NAME, None)
    assert _mail(fake).get_body(("plain",)).get_content().strip() == "Which size? 尺码"


def test_it_sends_files_and_inline_images(client: Any, fake: SesFake) -> None:
    files = [
        {"RawContent": b"%PDF\x00\xff", "FileName": "rück.pdf", "ContentType": "application/pdf"},
        {
            "RawContent": b"\x89PNG",
            "FileName": "logo.png",
            "ContentType": "image/png",
            "ContentDisposition": "INLINE",
            "ContentId": "logo",
        },
    ]

    client.send_email(
        FromEmailAddress="support@shop.example",
        Destination=TO,
        Content={"Simple": _simple(Attachments=files)},
    )

    parts = {part.get_content_type(): part for part in _mail(fake).walk()}
    assert parts["application/pdf"].get_content() == b"%PDF\x00\xff"
    assert parts["application/pdf"].get_filename() == "rück.pdf"
    assert (parts["image/png"].get_content(), parts["image/png"]["content-id"]) == (
        b"\x89PNG",
        "<logo>",
    )


def test_it_sends_composed_mail_whose_body_stays(client: Any, fake: SesFake) -> None:
    client.send_email(Destination=TO, Content={"Raw": {"Data": MAILS["8-bit"]}})

    body = MAILS["8-bit"].partition(b"\r\n\r\n")[2]
    assert fake.caught[0].mime.partition(b"\r\n\r\n")[2] == body
    assert b"a1@example.com" not in fake.caught[0].mime


def test_it_sends_a_template_to_many(client: Any, fake: SesFake) -> None:
    replaced = {"ReplacementTemplate": {"ReplacementTemplateData": '{"name": "Ann"}'}}
    answer = client.send_bulk_email(
        FromEmailAddress="support@shop.example",
        DefaultContent={"Template": {"TemplateName": "order", "TemplateData": "{}"}},
        BulkEmailEntries=[
            {"Destination": {"ToAddresses": [to]}, "ReplacementEmailContent": replaced}
            for to in ("ann@example.com", "ben@example.com")
        ],
    )

    results = answer["BulkEmailEntryResults"]
    assert [r["MessageId"] for r in results] == [caught.id for caught in fake.caught]
    assert b'{"name": "Ann"}' in fake.caught[1].mime


def test_it_is_refused_as_ses_refuses(client: Any, fake: SesFake) -> None:
    with pytest.raises(client.exceptions.MessageRejected, match="Recipient count"):
        client.send_email(Destination={}, Content={"Raw": {"Data": MAILS["plain"]}})
    assert not fake.caught


def test_a_wrong_key_is_refused(fake: SesFake) -> None:
    with serving(fake) as url, pytest.raises(exceptions.ClientError) as refused:
        _client("sesv2", endpoint_url=url, key="other").send_email(
            Destination=TO, Content={"Raw": {"Data": MAILS["plain"]}}
        )
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


@pytest.mark.parametrize("token", ["", "tok/en+="])
def test_its_signer_signs_as_we_do(token: str) -> None:
    config = replace(CONFIG, session_token=token)
    now = datetime.now(UTC)
    ours = Ses().build_send(outgoing(), config, now)

    names = ("Content-Type", "X-Amz-Date", "X-Amz-Security-Token")
    sent = {name: ours.header(name) for name in names if ours.header(name)}
    theirs = awsrequest.AWSRequest("POST", ours.url, headers=sent, data=ours.body)
    theirs.context["timestamp"] = ours.header("x-amz-date")
    keys = botocore_credentials.Credentials(*KEYS.values(), token or None)
    auth = botocore_auth.SigV4Auth(keys, "ses", "us-east-1")

    canonical = auth.canonical_request(theirs)
    signature = auth.signature(auth.string_to_sign(theirs, canonical), theirs)
    assert ours.header("authorization").endswith(f"Signature={signature}")


# moto, which neither of us has written

moto: Any = import_module("moto")
requests: Any = import_module("requests")


@pytest.fixture
def aws() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with moto.mock_aws():
            yield


def _fetched(url: str) -> HttpResponse:
    answer = requests.get(url, timeout=10)
    return HttpResponse(answer.status_code, dict(answer.headers), answer.content)


def test_moto_takes_what_we_send_and_refuses_a_strange_sender(aws: None) -> None:
    message = outgoing(mime=outgoing().mime.replace(b"\xff", b""))  # moto reads UTF-8 only

    def sent() -> object:
        request = Ses().build_send(message, CONFIG, datetime.now(UTC))
        answer = requests.post(
            request.url, data=request.body, headers=dict(request.headers), timeout=10
        )
        response = HttpResponse(answer.status_code, dict(answer.headers), answer.content)
        return Ses().parse_send(response, message, CONFIG)

    assert not isinstance(sent(), Sent)
    _client("ses").verify_email_identity(EmailAddress="support@shop.example")
    assert isinstance(sent(), Sent)


class _Endpoint:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.posted: list[HttpRequest] = []

    def handle(self, request: HttpRequest) -> HttpResponse:
        self.posted.append(request)
        return HttpResponse(200)


def test_what_moto_signs_is_verified(aws: None) -> None:
    endpoint, sns = _Endpoint(), _client("sns")
    topic = sns.create_topic(Name="mail")["TopicArn"]
    config = Ses().configure({**OPTIONS, "topic_arns": topic})
    with serving(endpoint) as url:  # type: ignore[arg-type]  # of a Fake only handle is used
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        sns.publish(TopicArn=topic, Message=json.dumps({"eventType": "Send"}))
    post = WebhookRequest(body=endpoint.posted[-1].body)
    now = datetime.now(UTC)

    needed = Ses().verify(post, config, now)
    assert isinstance(needed, NeedsFetch)
    assert needed.plan.is_allowed
    certificate = _fetched(needed.plan.url)

    assert isinstance(Ses().verify_fetched(post, certificate, config, now), Verified)
    forged = replace(post, body=post.body.replace(b"Send", b"Open"))
    assert isinstance(Ses().verify_fetched(forged, certificate, config, now), Unverified)


def test_mail_in_a_bucket_of_moto_is_fetched_by_our_url(aws: None) -> None:
    s3 = _client("s3")
    s3.create_bucket(Bucket="inboxkit-mail")
    s3.put_object(Bucket="inboxkit-mail", Key="in box/ü+1", Body=MAILS["every byte"])
    action = {"type": "S3", "bucketName": "inboxkit-mail", "objectKey": "in box/ü+1"}
    told = {
        "notificationType": "Received",
        "mail": {"source": "ann@example.com"},
        "receipt": {"recipients": ["a@shop.example"], "action": action},
    }
    fields = {
        "Type": "Notification",
        "Timestamp": f"{datetime.now(UTC) - timedelta(seconds=9):%Y-%m-%dT%H:%M:%SZ}",
        "Message": json.dumps(told),
    }

    [plan] = Ses().parse_inbound(WebhookRequest(body=json.dumps(fields).encode()), CONFIG)
    assert isinstance(plan, FetchPlan)
    [mail] = Ses().parse_fetched(plan, _fetched(plan.url), CONFIG)

    assert mail.raw == MAILS["every byte"]
