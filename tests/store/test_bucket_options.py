"""Options of the bucket that no request can be made with: named at the start, not by a panic."""

from __future__ import annotations

import pytest

from inboxkit.errors import ConfigurationError, StoreError
from inboxkit.store.objects import Objects
from tests import bucket as buckets
from tests.bucket import URL


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("endpoint", text) for text in ("s3.example.com", "127.0.0.1:9000", "http://", "")),
        *(("endpoint", text) for text in ("http://a b", "http://ID:SECRET@a:99999")),
        *(("region", "eu central"), ("secret_access_key", "SEC\nRET")),
    ],
)
def test_an_option_that_no_request_can_be_made_with_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^object_store: {key}: ") as refused:
        Objects(URL, {"region": "x", key: value})
    assert "SEC" not in str(refused.value)


def test_the_line_end_of_a_secret_out_of_a_file_is_no_part_of_it() -> None:
    with buckets.serving() as bucket:
        made = Objects(URL, {**bucket.options, "secret_access_key": "test\n"})
        made.probe()
        made.close()


def test_a_panic_of_the_library_is_a_bucket_that_fails() -> None:
    options = {"endpoint": "http://a<b:9", "region": "x", "skip_signature": "true"}
    made = Objects("s3://mail", options)
    with pytest.raises(StoreError, match="s3://mail takes no object"):
        made.probe()
    made.close()
