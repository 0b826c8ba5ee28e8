from hypothesis import given
from hypothesis import strategies as st

from providers.stop_cutter import StopCutter

# Few letters, so that stop strings begin, fail and overlap often.
TEXT = st.text(alphabet="abñ", max_size=40)
STOPS = st.lists(st.text(alphabet="abñ", min_size=1, max_size=5), max_size=4)


def cut(text: str, stops: list[str]) -> str:
    """The definition: end at the stop string that is complete first, the longest of equals."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return text[: min(found)[1]] if found else text


@given(TEXT, STOPS, st.lists(st.integers(1, 5), min_size=1))
def test_the_cut_is_the_same_however_the_text_is_split(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    cutter = StopCutter(stops)
    given_out, at, turn = "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        given_out += cutter.push(text[at : at + size])
        at, turn = at + size, turn + 1
    given_out += cutter.flush()
    assert given_out == cut(text, stops)
    assert cutter.stopped == any(stop in text for stop in stops)


@given(TEXT, STOPS)
def test_nothing_is_held_back_that_cannot_begin_a_stop_string(text: str, stops: list[str]) -> None:
    cutter = StopCutter(stops)
    given_out = cutter.push(text)
    held = cutter.flush()
    if not cutter.stopped:
        assert given_out + held == text
        assert held == "" or any(stop.startswith(held) and stop != held for stop in stops)


def test_without_stop_strings_text_passes_at_once() -> None:
    cutter = StopCutter(())
    assert cutter.push("anything") == "anything"
    assert not cutter.stopped


def test_after_the_stop_nothing_comes_any_more() -> None:
    cutter = StopCutter(["."])
    assert cutter.push("one. two") == "one"
    assert cutter.push(" three") == ""
    assert cutter.flush() == ""
