"""``promptbus run``: what was asked can be found, shown and ended."""

from contracts.run_id import new_run_id
from tests.promptbus.commands import promptbus_each
from tests.promptbus.conftest import System


def test_a_run_is_shown_with_its_way_on_stdout(system: System) -> None:
    asked, shown, as_json = system.each(
        "ask 'show me' -m echo --json", "run show", "run show last --json"
    )
    run_id = asked.json()["run_id"]
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[:2] == ["> show me", "show me"]
    assert any(line.startswith("✓ executor") for line in lines)
    assert lines[-1].endswith(run_id)
    assert as_json.json() == asked.json() == system.run("run", "show", run_id, "--json").json()


def test_runs_are_listed_the_newest_first_and_found_by_their_words(system: System) -> None:
    *_, newest, found, one, none, told = system.each(
        "ask 'list aardvark' -m echo",
        "ask 'list zebra' -m echo",
        "run list --json",
        "run list -q aardvark --state answered --json",
        "run list --limit 1 --json",
        "run list -q nowhere --json",
        "run list -q nowhere",
    )
    assert [row["prompt"] for row in newest.json()[:2]] == ["list zebra", "list aardvark"]
    assert [row["prompt"] for row in found.json()] == ["list aardvark"]
    assert len(one.json()) == 1
    assert none.json() == []
    assert (told.code, told.out, told.err) == (0, "", "no such runs\n")


def test_lists_fit_any_terminal_and_never_cut_the_run(system: System) -> None:
    run_id = system.run("ask", "long words " * 20, "-m", "echo", "--json").json()["run_id"]
    for columns in (80, 45):
        listed, models, shown = system.each(
            "run list --limit 3", "models", "run show", COLUMNS=str(columns)
        )
        assert run_id in shown.out.splitlines()[-1]
        lines = listed.out.splitlines()
        assert run_id in lines[1]
        assert "answered" in lines[1]
        assert max(map(len, [*lines, *models.out.splitlines()])) <= columns


def test_a_run_that_is_over_cannot_be_cancelled(system: System) -> None:
    asked, cancelled = system.each("ask 'too late' -m echo --json", "run cancel last")
    reason = f"error run {asked.json()['run_id']} is already answered\n"
    assert (cancelled.code, cancelled.err) == (1, reason)


def test_unknown_malformed_and_absent_are_told_apart(system: System) -> None:
    unknown = new_run_id()
    malformed = ("zzz", "../../etc", "*", ">", "a b")
    commands = [["run", "show", unknown]]
    commands += [["run", command, run_id] for run_id in malformed for command in ("show", "cancel")]
    commands += [["run", "list", "--data-dir", "/nowhere/at/all"]]
    first, *others, last = promptbus_each(commands, env=system.env)
    assert (first.code, first.err.splitlines()[0]) == (1, f"error no run {unknown}")
    for done in others:
        assert done.code == 2
        assert done.err.startswith("error run_id: ")
    assert last.code == 1
    assert last.err.splitlines() == [
        "error no promptbus runs on /nowhere/at/all",
        " help start one: promptbus up; or name a NATS server with --nats-url",
    ]
