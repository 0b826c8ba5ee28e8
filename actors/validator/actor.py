"""The actor around the validator's decision."""

from typing import ClassVar

from actors.actor import Actor, handler
from actors.validator.decision import judge
from contracts.actor_kind import ActorKind
from contracts.event import Change, Finding, OutputValidated
from contracts.task import ValidateOutput


class Validator(Actor):
    """Scores an output 0 to 100 and says whether another attempt is worth it."""

    kind: ClassVar[ActorKind] = ActorKind.VALIDATOR

    @handler
    async def validate(self, task: ValidateOutput) -> OutputValidated:
        """Judge one output."""
        wanted = task.response_format
        judgement = judge(
            prompt=task.prompt,
            output=task.output,
            finish_reason=task.finish_reason,
            response_format=wanted.model_dump(exclude_none=True) if wanted else None,
            task_type=task.task_type,
            language=task.language,
        )
        change = judgement.change
        return OutputValidated(
            run_id=task.run_id,
            attempt=task.attempt,
            score=judgement.score,
            verdict=judgement.verdict,
            findings=tuple(
                Finding(name=found.name, detail=found.detail, penalty=found.penalty)
                for found in judgement.findings
            ),
            change=Change.model_validate(change, from_attributes=True) if change else None,
        )
