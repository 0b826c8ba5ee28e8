"""The report of a chaos run, for programs and for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from promptbus.chaos.suite import ChaosResult

_SHOWN = 5
_LABEL_CELLS = 14


def as_document(result: ChaosResult) -> dict[str, Any]:
    """Everything of the report, as JSON takes it; times in seconds."""
    plan, findings = result.plan, result.findings
    return {
        "ok": not result.violations,
        "violations": list(result.violations),
        "seed": plan.seed,
        "num_runs": plan.num_runs,
        "num_faults": len(result.happened),
        "num_nodes": plan.num_nodes,
        "control": plan.control,
        "took_s": result.took_s,
        "accepted": findings.num_accepted,
        "refused": findings.num_refused,
        "unknown": findings.num_unknown,
        "outcomes": dict(findings.outcomes),
        "lost": list(findings.lost),
        "double_outcomes": list(findings.double_outcomes),
        "double_steps": list(findings.double_steps),
        "double_runs": list(findings.double_runs),
        "wrong_answers": list(findings.wrong_answers),
        "left_over": result.num_left_over,
        "repeated": {actor: dict(reasons) for actor, reasons in findings.repeated.items()},
        "recovery_s": _spread(findings.recoveries_s),
        "run_s": _spread(findings.durations_s),
        "faults": _faults(result),
        "fell_by_themselves": list(result.falls),
    }


def as_lines(result: ChaosResult) -> Iterator[Text]:
    """The same for a terminal."""
    plan, findings = result.plan, result.findings
    servers = "1 NATS server" if plan.num_nodes == 1 else f"{plan.num_nodes} NATS servers"
    yield _line("ran", f"{plan.num_runs} runs on {servers} in {result.took_s:g} s")
    yield _line("faults", _counted(_faults(result)))
    told = f"{findings.num_accepted} accepted, {findings.num_refused} refused"
    yield _line("clients", f"{told}, {findings.num_unknown} unknown")
    yield _line("outcomes", _counted(findings.outcomes) or "none")
    for actor, reasons in findings.repeated.items():
        yield _line(f"{actor} again", _counted(reasons))
    yield _line("interrupted", _spread_line(findings.recoveries_s, "runs; silent for"))
    yield _line("all runs", _spread_line(findings.durations_s, "runs; they took"))
    if result.falls:
        yield _line("fell", "; ".join(result.falls[:_SHOWN]))
    if not result.violations:
        yield _line("verdict", "0 lost, 0 double outcomes: every promise was kept", "bold green")
        return
    for violation in result.violations:
        yield _line("broken", violation, "bold red")
    for name in ("lost", "double_outcomes", "double_steps", "double_runs", "wrong_answers"):
        for where in getattr(findings, name)[:_SHOWN]:
            yield _line("", f"{name.replace('_', ' ')}: {where}")


def _faults(result: ChaosResult) -> dict[str, int]:
    return dict(sorted(Counter(f"{one.part} {one.action}" for one in result.happened).items()))


def _counted(counts: Any) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _spread(values_s: Sequence[float]) -> dict[str, float | int | None]:
    """Count, median, 99th percentile and maximum of sorted values."""
    if not values_s:
        return {"count": 0, "p50": None, "p99": None, "max": None}
    last = len(values_s) - 1
    return {
        "count": len(values_s),
        "p50": values_s[last // 2],
        "p99": values_s[round(last * 0.99)],
        "max": values_s[-1],
    }


def _spread_line(values_s: Sequence[float], what: str) -> str:
    spread = _spread(values_s)
    if not spread["count"]:
        return "none"
    times = f"p50 {spread['p50']:.2f} s, p99 {spread['p99']:.2f} s, max {spread['max']:.2f} s"
    return f"{spread['count']} {what} {times}"


def _line(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<{_LABEL_CELLS}}", "dim"), (text, style))
