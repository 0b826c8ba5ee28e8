"""The actor around the analyzer's decision."""

from typing import ClassVar, Self

from actors.actor import Actor, handler
from actors.analyzer.decision import analyze
from contracts.actor_kind import ActorKind
from contracts.event import FoundWishes, PromptAnalyzed
from contracts.task import AnalyzePrompt

# ISO 639-2 for "undetermined"; 639-1, which the event promises, has no such code.
UNDETERMINED = "und"
DEFAULT_LANGUAGE = "en"


class Analyzer(Actor):
    """Tells task type, language, length, difficulty and wishes of a prompt from its text."""

    kind: ClassVar[ActorKind] = ActorKind.ANALYZER

    async def __aenter__(self) -> Self:
        analyze("warm up")  # Reads the weights, so that the first prompt need not wait for them.
        return self

    @handler
    async def analyze(self, task: AnalyzePrompt) -> PromptAnalyzed:
        """Analyze one prompt; takes well under a millisecond and calls no model."""
        analysis = analyze(task.prompt)
        known = analysis.language != UNDETERMINED
        return PromptAnalyzed(
            run_id=task.run_id,
            attempt=task.attempt,
            task_type=analysis.task_type,
            language=analysis.language if known else DEFAULT_LANGUAGE,
            language_known=known,
            confidence=analysis.confidence,
            num_tokens=analysis.num_tokens,
            difficulty=analysis.difficulty,
            wishes=FoundWishes.model_validate(analysis.wishes, from_attributes=True),
        )
