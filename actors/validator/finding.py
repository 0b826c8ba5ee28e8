"""What can be wrong with an output, by name."""

from dataclasses import dataclass
from enum import StrEnum


class FindingName(StrEnum):
    """The closed list of defects the validator can name."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    REPETITION = "repetition"
    WRONG_LANGUAGE = "wrong_language"
    INVALID_JSON = "invalid_json"
    SCHEMA_MISMATCH = "schema_mismatch"
    CODE_DOES_NOT_PARSE = "code_does_not_parse"
    ECHO = "echo"
    OFF_TASK = "off_task"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect, said in a plain sentence, with the points it costs (0 to 100)."""

    name: FindingName
    detail: str
    penalty: int
