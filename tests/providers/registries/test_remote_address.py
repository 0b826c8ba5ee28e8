import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.registries.remote_address import find_fault, is_private


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1", "HTTPS://host:8443/v1", "https://[2001:db8::1]/v1"]
)
def test_https_goes_anywhere(url: str) -> None:
    assert find_fault(url, allow_insecure=False) is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.9",
        "100.64.1.1",
        "[::1]",
        "[fd00::2]",
        "gpu-box",
        "gpu.local",
        "vllm.models.svc.cluster.local",
        "llm.internal",
    ],
)
def test_http_goes_to_private_hosts_where_the_entry_says_so(host: str) -> None:
    url = f"http://{host}:8000/v1"
    assert find_fault(url, allow_insecure=True) is None
    assert find_fault(url, allow_insecure=False) == "is not encrypted"


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "8.8.8.8",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 - refused, not bound to
        "224.0.0.1",
        "[::ffff:8.8.8.8]",
        "[fe80::1%25eth0]",
        "134744072",
        "0x08080808",
        "localhost.example.com",
    ],
)
def test_http_never_goes_to_a_public_or_a_special_address(host: str) -> None:
    fault = find_fault(f"http://{host}/v1", allow_insecure=True)
    assert fault is not None
    assert "https" in fault


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com/v1",
        "ftp://host/v1",
        "file:///etc/passwd",
        "https://",
        "https://ana:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#x",
        "https://host:99999/v1",
        "https://host:0/v1",
        "https://[::1/v1",
        "https://hóst/v1",
        "https://host/v1\n",
    ],
)
def test_what_is_no_plain_address_is_refused_without_being_repeated(url: str) -> None:
    fault = find_fault(url, allow_insecure=True)
    assert fault is not None
    assert "secret" not in fault


@given(st.text(max_size=40), st.booleans())
def test_no_text_is_too_odd_to_be_judged(text: str, allowed: bool) -> None:
    for url in (text, f"http://{text}", f"https://{text}/v1"):
        fault = find_fault(url, allow_insecure=allowed)
        assert fault is None or (fault and len(fault) < 100)


@given(st.ip_addresses())
def test_an_address_is_private_only_if_it_is_not_public(address: object) -> None:
    if is_private(str(address)):
        assert not getattr(address, "is_global", True)
