"""How often the analyzer tells the task type and the language right, and how long it takes.

Run ``python -m benchmarks.analyzer_quality [--json] [--fold tune]``. The labelled prompts are in
``benchmarks/data/analyzer.jsonl``; the fold ``held_out`` is not used for any choice.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from actors.analyzer.decision import analyze

DATA = Path(__file__).parent / "data" / "analyzer.jsonl"
FOLDS = ("tune", "held_out")
NUM_TIMED_ROUNDS = 5
TIMED_CHARS = 1024


@dataclass(frozen=True, slots=True)
class LabelledPrompt:
    """A prompt and what a person says about it."""

    prompt: str
    task_type: str
    language: str
    fold: Literal["tune", "held_out"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """One prompt that was told wrong."""

    prompt: str
    aspect: Literal["task_type", "language"]
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one fold; accuracies are fractions."""

    fold: str
    num_prompts: int
    task_type_accuracy: float
    language_accuracy: float
    accuracy_by_task_type: dict[str, float]
    accuracy_by_language: dict[str, float]
    confusions: tuple[Confusion, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one ``analyze`` call on a text of about 1 KB."""

    median_ms: float
    p99_ms: float
    num_calls: int


def load_prompts(path: Path = DATA) -> tuple[LabelledPrompt, ...]:
    """All labelled prompts, in file order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(LabelledPrompt(**json.loads(line)) for line in lines if line)


def measure_quality(prompts: Iterable[LabelledPrompt], fold: str) -> Quality:
    """Accuracies of ``analyze`` on the prompts of one fold."""
    chosen = [prompt for prompt in prompts if prompt.fold == fold]
    confusions: list[Confusion] = []
    by_type: dict[str, list[bool]] = {}
    by_language: dict[str, list[bool]] = {}
    for item in chosen:
        analysis = analyze(item.prompt)
        type_right = analysis.task_type == item.task_type
        language_right = analysis.language == item.language
        by_type.setdefault(f"{item.task_type}/{item.language}", []).append(type_right)
        by_language.setdefault(item.language, []).append(language_right)
        if not type_right:
            confusions.append(
                Confusion(item.prompt, "task_type", item.task_type, str(analysis.task_type))
            )
        if not language_right:
            confusions.append(Confusion(item.prompt, "language", item.language, analysis.language))
    return Quality(
        fold=fold,
        num_prompts=len(chosen),
        task_type_accuracy=_mean(flag for flags in by_type.values() for flag in flags),
        language_accuracy=_mean(flag for flags in by_language.values() for flag in flags),
        accuracy_by_task_type={key: _mean(flags) for key, flags in sorted(by_type.items())},
        accuracy_by_language={key: _mean(flags) for key, flags in sorted(by_language.items())},
        confusions=tuple(confusions),
    )


def measure_time(prompts: Sequence[LabelledPrompt]) -> Timing:
    """Time ``analyze`` on every labelled prompt, grown to 1 KB by repeating the texts after it."""
    texts = []
    for index, item in enumerate(prompts):
        text, follower = item.prompt, index
        while len(text) < TIMED_CHARS:
            follower = (follower + 1) % len(prompts)
            text += " " + prompts[follower].prompt
        texts.append(text[:TIMED_CHARS])
    analyze(texts[0])
    times_ms = []
    for _ in range(NUM_TIMED_ROUNDS):
        for text in texts:
            started_s = time.perf_counter()
            analyze(text)
            times_ms.append((time.perf_counter() - started_s) * 1000)
    times_ms.sort()
    return Timing(
        median_ms=statistics.median(times_ms),
        p99_ms=times_ms[int(len(times_ms) * 0.99)],
        num_calls=len(times_ms),
    )


def _mean(flags: Iterable[bool]) -> float:
    listed = list(flags)
    return sum(listed) / len(listed) if listed else 0.0


def _report(quality: Quality) -> str:
    lines = [
        f"{quality.fold}: {quality.num_prompts} prompts, task type"
        f" {quality.task_type_accuracy:.3f}, language {quality.language_accuracy:.3f}"
    ]
    lines += [f"  {key:14} {value:.2f}" for key, value in quality.accuracy_by_task_type.items()]
    lines += [
        f"  {item.aspect}: {item.expected} told as {item.actual}: {item.prompt[:90]!r}"
        for item in quality.confusions
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the figures as text, or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--fold", choices=FOLDS, action="append", help="only this fold")
    arguments = parser.parse_args()
    prompts = load_prompts()
    qualities = [measure_quality(prompts, fold) for fold in arguments.fold or FOLDS]
    timing = measure_time(prompts)
    if arguments.json:
        figures = {"quality": [asdict(item) for item in qualities], "time": asdict(timing)}
        print(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    for quality in qualities:
        print(_report(quality))
    print(
        f"1 KB: median {timing.median_ms:.3f} ms, p99 {timing.p99_ms:.3f} ms"
        f" ({timing.num_calls} calls)"
    )


if __name__ == "__main__":
    main()
