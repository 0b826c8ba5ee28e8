"""How demanding a prompt is for a model."""

import re
from typing import Final, Literal

from actors.analyzer.excerpt import Excerpt
from actors.analyzer.wishes import Wishes
from contracts.prompt import TaskType

Difficulty = Literal["low", "medium", "high"]

# Points at which the label changes.
MEDIUM_POINTS: Final = 2.0
HIGH_POINTS: Final = 4.0

_BASE_POINTS: Final[dict[TaskType, float]] = {
    TaskType.CHAT: 0.0,
    TaskType.QUESTION: 0.75,
    TaskType.TRANSLATE: 0.75,
    TaskType.EXTRACT: 1.0,
    TaskType.SUMMARIZE: 1.0,
    TaskType.WRITE: 1.0,
    TaskType.MATH: 1.25,
    TaskType.CODE: 1.75,
}
_DEEP: Final = re.compile(
    r"\b(?:prov(?:e|ing)|proof|demuestr\w+|demostra\w+|deriv(?:e|ation)|step by step|paso a paso"
    r"|in (?:depth|detail)|detailed|detallad\w+|en profundidad|thorough\w*|comprehensive"
    r"|exhaustiv\w+"
    r"|architect\w*|arquitectura|design|disen\w+|optimi[sz]\w+|trade-?offs?|analy[sz]\w+|analiza\w*"
    r"|compar\w+|contrast\w*|evaluat\w+|evalua\w*|critici[sz]e|critica\w*|strateg\w+|estrategia\w*"
    r"|concurren\w+|distributed|distribuid\w+|thread\w*|async\w*|theorem|teorema|integral|matrix"
    r"|matriz|differential|diferencial|refactor\w*|implication\w*|implicaciones|research)\b"
)
_LIST_ITEM: Final = re.compile(r"^[ \t]{0,12}(?:[-*•]|\d{1,2}[.)])\s", re.MULTILINE)
_LONG: Final = ((150, 0.5), (600, 1.0), (2000, 1.0))


def rate_difficulty(
    excerpt: Excerpt, task_type: TaskType, num_tokens: int, wishes: Wishes
) -> Difficulty:
    """A coarse label from what the prompt asks, how much of it there is, and how it asks.

    Points are added for the task type, each word that announces depth (at most three), length,
    several questions or listed demands, and stated constraints; two points are medium, four high.
    """
    asked = f"{excerpt.folded_head} {excerpt.folded_tail} {excerpt.folded_body}"
    points = _BASE_POINTS[task_type]
    points += min(3, len(set(_DEEP.findall(asked))))
    points += sum(extra for limit, extra in _LONG if num_tokens > limit)
    points += 0.5 * min(3, max(0, asked.count("?") - 1))
    points += 0.5 * min(2, len(_LIST_ITEM.findall(excerpt.sample)) // 3)
    points += 0.25 * wishes.num_stated
    if points >= HIGH_POINTS:
        return "high"
    return "medium" if points >= MEDIUM_POINTS else "low"
