"""What the terminal shows of an answer that another executor begins anew."""

import pytest

from bus.token_stream import Token
from contracts.generation import TextDelta
from promptbus.cli.run_output import AnswerPrinter


def test_an_answer_begun_anew_is_printed_anew(capsys: pytest.CaptureFixture[str]) -> None:
    printer = AnswerPrinter(at_once=True)
    for offset, text in ((0, "Once upon"), (9, " a hill"), (4, " there"), (10, " lived")):
        printer.show(Token(1, TextDelta(offset=offset, text=text)))
    told = capsys.readouterr()
    assert told.out == "Once upon a hillOnce there lived"
    assert "began anew" in told.err
