"""Signatures that AWS's documentation gives with its examples; botocore is asked in interop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inboxkit.providers.base import HttpRequest
from inboxkit.providers.sigv4 import Signer

SECRET = "wJalrXUtnFEMI/K7MDENG{}bPxRfiCYEXAMPLEKEY"


def test_a_request_is_signed_as_in_the_guide_to_signing() -> None:
    signer = Signer(
        access_key_id="AKIDEXAMPLE",
        secret_access_key=SECRET.format("+"),
        region="us-east-1",
        service="iam",
    )
    request = HttpRequest(
        method="GET",
        url="https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )

    signed = signer.sign(request, datetime(2015, 8, 30, 12, 36, tzinfo=UTC))

    assert signed.header("authorization") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_a_url_is_presigned_as_in_the_reference_of_s3() -> None:
    signer = Signer(
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key=SECRET.format("/"),
        region="us-east-1",
        service="s3",
    )
    url = "https://examplebucket.s3.amazonaws.com/test.txt"

    presigned = signer.presign(url, datetime(2013, 5, 24, tzinfo=UTC), timedelta(days=1))

    assert presigned == (
        f"{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_a_session_token_is_part_of_what_is_signed() -> None:
    signer = Signer(access_key_id="a", secret_access_key="b", region="c", service="s3")
    now, url = datetime(2026, 1, 2, tzinfo=UTC), "https://x.example/"
    with_token = replace(signer, session_token="t/+=")

    signed = with_token.sign(HttpRequest(method="GET", url=url), now)
    assert signed.header("x-amz-security-token") == "t/+="
    assert "x-amz-security-token" in signed.header("authorization")
    presigned = with_token.presign(url, now, timedelta(1))
    assert "X-Amz-Security-Token=t%2F%2B%3D" in presigned
    assert presigned[-64:] != signer.presign(url, now, timedelta(1))[-64:]


def test_no_secret_shows() -> None:
    signer = Signer(
        access_key_id="a",
        secret_access_key="secret",
        session_token="secret",
        region="c",
        service="d",
    )
    assert "secret" not in repr(signer)
