"""Which web pages may open a socket."""

import pytest

from api.origin import origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "127.0.0.1:8321", True),
        ("http://127.0.0.1:8321", "127.0.0.1:8321", True),
        ("http://localhost:5173", "127.0.0.1:8321", True),
        ("http://[::1]:5173", "localhost:8321", True),
        ("https://bus.example.com", "bus.example.com", True),
        ("https://bus.example.com", "bus.example.com:443", True),
        ("http://bus.example.com:8080", "bus.example.com:8080", True),
        ("http://BUS.example.com:8080", "bus.example.com:8080", True),
        ("http://bus.example.com", "bus.example.com:8080", False),
        ("https://evil.example", "127.0.0.1:8321", False),
        ("https://evil.example", "bus.example.com", False),
        ("http://localhost.evil.example", "localhost:8321", False),
        ("http://localhost:5173", "bus.example.com", False),
        ("null", "127.0.0.1:8321", False),
        ("file://", "127.0.0.1:8321", False),
        ("http://127.0.0.1:99999", "127.0.0.1:8321", False),
        ("http://[bad", "127.0.0.1:8321", False),
        ("", "127.0.0.1:8321", False),
        ("http://localhost", None, False),
    ],
)
def test_only_pages_of_this_server_or_this_machine_may_connect(
    origin: str | None, host: str | None, allowed: bool
) -> None:
    assert origin_allowed(origin, host) is allowed


def test_a_listed_page_may_connect() -> None:
    page = "https://ui.example.com"
    assert origin_allowed(page, "bus.example.com", {page})
    assert not origin_allowed(page, "bus.example.com", {"https://other.example.com"})
