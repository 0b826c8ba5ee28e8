"""How often the validator's verdict is right, what its mistakes are, and how long it takes.

Run ``python -m benchmarks.validator_quality [--json] [--fold tune]``. The labelled outputs are in
``benchmarks/data/validator.jsonl``; the fold ``held_out`` is not used for any choice.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from actors.validator.decision import ACCEPT_SCORE, Judgement, judge

DATA = Path(__file__).parent / "data" / "validator.jsonl"
FOLDS = ("tune", "held_out")
NUM_TIMED_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class LabelledOutput:
    """An output and what a person says about it; `finding` is None where it is good."""

    prompt: str
    output: str
    finish_reason: str | None
    response_format: dict[str, Any] | None
    verdict: Literal["accept", "retry"]
    finding: str | None
    fold: Literal["tune", "held_out"]

    def judge(self) -> Judgement:
        """The validator's own judgement."""
        return judge(
            prompt=self.prompt,
            output=self.output,
            finish_reason=self.finish_reason,
            response_format=self.response_format,
        )


@dataclass(frozen=True, slots=True)
class Confusion:
    """One output that was judged wrong, or whose defect was given another name."""

    kind: Literal["false_retry", "false_accept", "other_finding"]
    prompt: str
    output: str
    expected: str | None
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one fold; all rates are fractions.

    `false_retry_rate` is of the good outputs, `false_accept_rate` and `finding_recall` of the bad
    ones; a defect is recalled where its name is among the findings.
    """

    fold: str
    num_outputs: int
    verdict_accuracy: float
    false_retry_rate: float
    false_accept_rate: float
    finding_recall: float
    recall_by_finding: dict[str, float]
    confusions: tuple[Confusion, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one ``judge`` call."""

    median_ms: float
    p99_ms: float
    num_calls: int


def load_outputs(path: Path = DATA) -> tuple[LabelledOutput, ...]:
    """All labelled outputs, in file order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(LabelledOutput(**json.loads(line)) for line in lines if line)


def measure_quality(outputs: Iterable[LabelledOutput], fold: str) -> Quality:
    """Judge every output of one fold."""
    right: list[bool] = []
    false_retries: list[bool] = []
    false_accepts: list[bool] = []
    recalled: dict[str, list[bool]] = {}
    confusions: list[Confusion] = []
    for item in outputs:
        if item.fold != fold:
            continue
        judgement = item.judge()
        found = tuple(str(finding.name) for finding in judgement.findings)
        is_right = judgement.verdict == item.verdict
        right.append(is_right)
        if item.finding is None:
            false_retries.append(not is_right)
        else:
            false_accepts.append(not is_right)
            recalled.setdefault(item.finding, []).append(item.finding in found)
        kind = _kind_of(item, is_right=is_right, found=found)
        if kind:
            confusions.append(Confusion(kind, item.prompt, item.output, item.finding, found))
    return Quality(
        fold=fold,
        num_outputs=len(right),
        verdict_accuracy=_mean(right),
        false_retry_rate=_mean(false_retries),
        false_accept_rate=_mean(false_accepts),
        finding_recall=_mean(flag for flags in recalled.values() for flag in flags),
        recall_by_finding={name: _mean(flags) for name, flags in sorted(recalled.items())},
        confusions=tuple(confusions),
    )


def measure_time(outputs: Sequence[LabelledOutput]) -> Timing:
    """Time ``judge`` on every labelled output."""
    outputs[0].judge()
    times_ms = []
    for _ in range(NUM_TIMED_ROUNDS):
        for item in outputs:
            started_s = time.perf_counter()
            item.judge()
            times_ms.append((time.perf_counter() - started_s) * 1000)
    times_ms.sort()
    return Timing(
        median_ms=statistics.median(times_ms),
        p99_ms=times_ms[int(len(times_ms) * 0.99)],
        num_calls=len(times_ms),
    )


def _kind_of(
    item: LabelledOutput, *, is_right: bool, found: tuple[str, ...]
) -> Literal["false_retry", "false_accept", "other_finding"] | None:
    if not is_right:
        return "false_retry" if item.finding is None else "false_accept"
    return "other_finding" if item.finding and item.finding not in found else None


def _mean(flags: Iterable[bool]) -> float:
    listed = list(flags)
    return sum(listed) / len(listed) if listed else 0.0


def _report(quality: Quality) -> str:
    lines = [
        f"{quality.fold}: {quality.num_outputs} outputs, verdict {quality.verdict_accuracy:.3f},"
        f" false retries {quality.false_retry_rate:.3f},"
        f" false accepts {quality.false_accept_rate:.3f}, findings {quality.finding_recall:.3f}"
    ]
    lines += [f"  {name:20} {value:.2f}" for name, value in quality.recall_by_finding.items()]
    lines += [
        f"  {item.kind}: expected {item.expected}, found {', '.join(item.found) or 'nothing'}:"
        f" {item.prompt[:60]!r} -> {item.output[:60]!r}"
        for item in quality.confusions
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the figures as text, or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--fold", choices=FOLDS, action="append", help="only this fold")
    arguments = parser.parse_args()
    outputs = load_outputs()
    qualities = [measure_quality(outputs, fold) for fold in arguments.fold or FOLDS]
    timing = measure_time(outputs)
    if arguments.json:
        figures = {
            "accept_score": ACCEPT_SCORE,
            "quality": [asdict(item) for item in qualities],
            "time": asdict(timing),
        }
        print(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    for quality in qualities:
        print(_report(quality))
    print(
        f"one output: median {timing.median_ms:.3f} ms, p99 {timing.p99_ms:.3f} ms"
        f" ({timing.num_calls} calls)"
    )


if __name__ == "__main__":
    main()
