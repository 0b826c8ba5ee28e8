"""What a prompt is about, told from its text alone: the analyzer's decision."""

from dataclasses import dataclass

from actors.analyzer.difficulty import Difficulty, rate_difficulty
from actors.analyzer.excerpt import Excerpt
from actors.analyzer.gloss import into_english
from actors.analyzer.language import LanguageDetector
from actors.analyzer.length import estimate_tokens
from actors.analyzer.task_type import TaskTypeClassifier
from actors.analyzer.wishes import Wishes, find_wishes
from contracts.prompt import TaskType

__all__ = ["Analysis", "Difficulty", "TaskType", "Wishes", "analyze"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was told from a prompt's text.

    ``confidence`` (0 to 1) is the probability given to ``task_type``. ``language`` is the ISO
    639-1 code of the instruction itself, not of text it quotes, or ``und`` when nothing can be
    told. ``num_tokens`` is an estimate. ``wishes`` holds only what the text states.
    """

    task_type: TaskType
    confidence: float
    language: str
    num_tokens: int
    difficulty: Difficulty
    wishes: Wishes


def analyze(text: str) -> Analysis:
    """Tell task type, language, length, difficulty and stated wishes of a prompt.

    Accepts any string, never raises, is deterministic, and does a bounded amount of work: long
    texts are read at their start and their end only.
    """
    excerpt = Excerpt.of(text)
    language = LanguageDetector.packaged().detect(excerpt)
    task_type, confidence = TaskTypeClassifier.packaged().classify(into_english(excerpt, language))
    num_tokens = estimate_tokens(text)
    wishes = find_wishes(excerpt, task_type)
    return Analysis(
        task_type=task_type,
        confidence=confidence,
        language=language,
        num_tokens=num_tokens,
        difficulty=rate_difficulty(excerpt, task_type, num_tokens, wishes),
        wishes=wishes,
    )
