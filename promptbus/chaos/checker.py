"""What became of every prompt: the clients' journal against RUNS; pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from contracts import subjects
from contracts.event import Outcome, RunAnswered, RunStarted
from contracts.journal_entry import JournalEntry
from promptbus.chaos.injector import Happened
from promptbus.chaos.load import Submission
from promptbus.chaos.plan import Part
from promptbus.chaos.work_log import Begun

# A run goes from step to step in well under a second; so long a silence was an interruption.
INTERRUPTED_S = 2.0
ANOTHER_COORDINATOR = "another coordinator asked"
BUS_FELL = "the bus fell"
# A fault of the bus shows in a step that far later.
_BUS_ECHO_S = 20.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checker found; run ids where something is wrong, times in seconds."""

    num_accepted: int = 0
    num_unknown: int = 0
    num_refused: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    double_outcomes: tuple[str, ...] = ()
    double_steps: tuple[str, ...] = ()
    double_runs: tuple[str, ...] = ()
    wrong_answers: tuple[str, ...] = ()
    repeated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    recoveries_s: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = ()

    @property
    def violations(self) -> tuple[str, ...]:
        """Every broken promise, in words."""
        by_coordinator = self.repeated.get("executor", {}).get(ANOTHER_COORDINATOR, 0)
        counted = (
            (len(self.lost), "accepted prompts without an outcome"),
            (len(self.double_outcomes), "runs with more than one outcome"),
            (len(self.double_steps), "steps written more than once"),
            (len(self.double_runs), "prompts that became more than one run"),
            (len(self.wrong_answers), "answers to something else"),
            (by_coordinator, "generations repeated because a coordinator died"),
        )
        return tuple(f"{count} {what}" for count, what in counted if count)


def check(
    journal: Collection[Submission],
    entries: Sequence[JournalEntry],
    begun: Iterable[Begun] = (),
    happened: Collection[Happened] = (),
    *,
    is_alone: bool = False,
) -> Findings:
    """Compare what clients were told with what stands in RUNS, in the order of its sequences.

    ``is_alone`` says that there was one server only.
    """
    by_run: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in entries:
        by_run[entry.subject.run_id].append(entry)
    accepted = [one for one in journal if one.verdict == "ok"]
    outcomes = {
        run_id: [entry.event for entry in found if isinstance(entry.event, Outcome)]
        for run_id, found in by_run.items()
    }
    verdicts = Counter(one.verdict for one in journal)
    return Findings(
        num_accepted=verdicts["ok"],
        num_unknown=verdicts["unknown"],
        num_refused=verdicts["fail"],
        outcomes=Counter(events[0].state for events in outcomes.values() if events),
        lost=tuple(str(one.run_id) for one in accepted if not outcomes.get(str(one.run_id))),
        double_outcomes=tuple(run_id for run_id, events in outcomes.items() if len(events) > 1),
        double_steps=_double_steps(by_run),
        double_runs=_double_runs(by_run),
        wrong_answers=_wrong_answers(journal, outcomes),
        repeated=_repeated(begun, happened, is_alone),
        recoveries_s=tuple(sorted(_recoveries(accepted, by_run))),
        durations_s=tuple(sorted(_durations(accepted, by_run))),
    )


def _double_steps(by_run: Mapping[str, Sequence[JournalEntry]]) -> tuple[str, ...]:
    return tuple(
        f"{run_id} {step}"
        for run_id, entries in by_run.items()
        for step, count in Counter(entry.subject.step for entry in entries).items()
        if count > 1 and step != subjects.OUTCOME
    )


def _double_runs(by_run: Mapping[str, Sequence[JournalEntry]]) -> tuple[str, ...]:
    """Prompts are all different, so two runs of one are a doubled submission."""
    prompts: dict[str, set[str]] = defaultdict(set)
    for run_id, entries in by_run.items():
        for entry in entries:
            if isinstance(entry.event, RunStarted):
                prompts[entry.event.submitted.text].add(run_id)
    return tuple(" ".join(sorted(runs)) for runs in prompts.values() if len(runs) > 1)


def _wrong_answers(
    journal: Iterable[Submission], outcomes: Mapping[str, Sequence[Outcome]]
) -> tuple[str, ...]:
    return tuple(
        str(one.run_id)
        for one in journal
        for event in outcomes.get(str(one.run_id), ())
        if isinstance(event, RunAnswered) and event.output != one.prompt
    )


def _times(one: Submission, by_run: Mapping[str, Sequence[JournalEntry]]) -> list[float]:
    """When the prompt was submitted and when each of its events was stored, to its outcome."""
    times = [one.submitted_at_s]
    for entry in by_run.get(str(one.run_id), ()):
        times.append(entry.stored_at.timestamp())
        if isinstance(entry.event, Outcome):
            break
    return times


def _recoveries(
    accepted: Iterable[Submission], by_run: Mapping[str, Sequence[JournalEntry]]
) -> Iterable[float]:
    """The longest silence of each interrupted run."""
    for one in accepted:
        times = _times(one, by_run)
        pauses = [later - earlier for earlier, later in pairwise(times)]
        longest_s = max(pauses, default=0.0)
        if longest_s > INTERRUPTED_S:
            yield round(longest_s, 3)


def _durations(
    accepted: Iterable[Submission], by_run: Mapping[str, Sequence[JournalEntry]]
) -> Iterable[float]:
    for one in accepted:
        times = _times(one, by_run)
        if len(times) > 1:
            yield round(times[-1] - times[0], 3)


def _repeated(
    begun: Iterable[Begun], happened: Collection[Happened], is_alone: bool
) -> dict[str, dict[str, int]]:
    """How often work was begun again, by actor and reason."""
    by_step: dict[tuple[str, str], list[Begun]] = defaultdict(list)
    for one in sorted(begun, key=lambda one: one.at_s):
        by_step[one.run_id, one.step].append(one)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (_, step), works in by_step.items():
        for before, again in pairwise(works):
            counts[step.partition("/")[0]][_reason(before, again, happened, is_alone)] += 1
    return {actor: dict(reasons) for actor, reasons in sorted(counts.items())}


def _reason(before: Begun, again: Begun, happened: Collection[Happened], is_alone: bool) -> str:
    between = [one for one in happened if one.to_s >= before.at_s and one.from_s <= again.at_s]
    bus_fell = any(
        one.part is Part.NATS and before.at_s - _BUS_ECHO_S <= one.to_s and one.from_s <= again.at_s
        for one in happened
    )
    if again.delivery == 1 and again.asker != before.asker:
        # Alone, a server that falls takes the tasks with it, and what they are told apart by.
        return BUS_FELL if bus_fell and is_alone else ANOTHER_COORDINATOR
    if any(one.target == before.member for one in between):
        return "who worked on it fell or froze"
    if bus_fell:
        return BUS_FELL
    return "asked again" if again.ask > before.ask else "delivered again"
