"""Fields that change what an answer is, and that nothing here could honour."""

from typing import Annotated, Any

from pydantic import AfterValidator


def _refuse_unless(*harmless: Any) -> AfterValidator:
    def check(value: Any) -> Any:
        if value not in harmless:
            raise ValueError("is not supported")
        return value

    return AfterValidator(check)


Nothing = Annotated[Any, _refuse_unless(None, "", [], {})]
NothingOrNo = Annotated[Any, _refuse_unless(None, False)]
NothingOrOne = Annotated[Any, _refuse_unless(None, 1)]
TextOnly = Annotated[Any, _refuse_unless(None, [], ["text"])]
