"""Which addresses may be called, and which secrets sign."""

import pytest

from app.settings import Settings
from app.webhooks.addresses import Reach, check_url, own_ports, own_refusal, refusal
from app.webhooks.signing import check_secret, new_secret, signed_headers

NEVER = [
    *("169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"),
    *("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "240.0.0.1"),
    "2002:a9fe:a9fe::1",
]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
PRIVATE = ["10.0.0.1", "172.16.5.5", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
PUBLIC = ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
WIDER: dict[Reach, list[str]] = {
    "public": PUBLIC,
    "private": PUBLIC + PRIVATE,
    "loopback": PUBLIC + PRIVATE + LOOPBACK,
}


@pytest.mark.parametrize("reach", WIDER)
def test_each_reach_includes_the_one_before_and_none_what_is_never_called(reach: Reach) -> None:
    everything = NEVER + LOOPBACK + PRIVATE + PUBLIC
    assert [address for address in everything if refusal(address, reach) is None] == [
        address for address in everything if address in WIDER[reach]
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/x", "http://"),
        ("//example.org", "http://"),
        ("http://", "http://"),
        ("http://example.org:0/", "http://"),
        ("http://example.org:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://user:pass@example.org/", "user and password"),
        ("https://example.org/#part", "fragment"),
        ("https://exämple.org/", "punycode"),
        ("https://example.org/a b", "percent"),
        ("https://example.org/\n", "percent"),
        ("https://example.org/" + "x" * 2000, "2000"),
        ("http://127.0.0.1:6379/", "SUFFICIENCY_WEBHOOK_ADDRESSES=loopback"),
        ("http://localhost/", "SUFFICIENCY_WEBHOOK_ADDRESSES=loopback"),
        ("http://a.localhost/", "loopback"),
        ("http://[::ffff:169.254.169.254]/", "never"),
    ],
)
def test_a_url_that_cannot_be_an_endpoint_is_refused_with_what_would_be_right(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", "\\[")):
        check_url(url, "private")


@pytest.mark.parametrize("url", ["http://hooks.internal:8080/a?b=c", "https://10.1.2.3/x", "http://[fd12::1]/"])
def test_endpoints_of_an_internal_platform_are_taken(url: str) -> None:
    check_url(url, "private")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_*", "x" * 40, "whsec_" + "A" * 92])
def test_a_secret_that_signs_badly_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        check_secret(secret)


def test_secrets_are_new_and_long_enough() -> None:
    assert new_secret() != new_secret()
    check_secret(new_secret())


def test_a_signature_is_that_of_the_specification() -> None:
    """Its example, made by others."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}'
    headers = signed_headers([secret, new_secret()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-timestamp"] == "1614265330"
    first, second = headers["webhook-signature"].split()
    assert first == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert second != first


def test_the_service_s_own_ports_are_never_called() -> None:
    settings = Settings(
        port=8123, database_url="postgresql+psycopg://u:p@db.internal/s", redis_url="redis+socket:///run/redis.sock"
    )
    own = own_ports(settings)
    assert own == {8123, 5432}
    for address in (*LOOPBACK[:4], "::1"):
        assert "service's own" in (own_refusal(address, 8123, own) or ""), address
        assert own_refusal(address, 9000, own) is None
    assert own_refusal("93.184.216.34", 8123, own) is None, "the same port of another machine"
    for url in ("http://127.0.0.1:8123/jobs", "http://localhost:5432/", "http://[::1]:8123/"):
        with pytest.raises(ValueError, match="service's own"):
            check_url(url, "loopback", own)
    check_url("http://127.0.0.1:9000/", "loopback", own)
