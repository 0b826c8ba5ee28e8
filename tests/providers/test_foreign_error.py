import pytest

from providers.foreign_error import as_provider_failed, describe


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("cannot read /home/ana/models/x.bin now"), "OSError: cannot read x.bin now"),
        (OSError("'/srv/a/b/c.json' is bad"), "OSError: 'c.json' is bad"),
        (ValueError("\n\n  first line\nsecond"), "ValueError: first line"),
        (KeyError(), "KeyError"),
        (ValueError("owner/name has no such file"), "ValueError: owner/name has no such file"),
    ],
)
def test_a_foreign_error_is_one_line_without_folders(error: Exception, text: str) -> None:
    assert describe(error) == text


def test_a_long_message_is_cut() -> None:
    assert len(describe(ValueError("x" * 9999))) == 300


def test_lack_of_memory_comes_with_a_cure() -> None:
    assert "smaller model" in str(as_provider_failed("local", MemoryError()).cure)
    assert as_provider_failed("local", RuntimeError("boom")).cure is None
