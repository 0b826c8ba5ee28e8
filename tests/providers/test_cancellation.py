import threading

from providers.cancellation import Cancellation


def test_a_callback_runs_once() -> None:
    calls: list[int] = []
    cancel = Cancellation()
    cancel.on_cancel(lambda: calls.append(1))
    cancel.cancel()
    cancel.cancel()
    assert cancel.cancelled
    assert calls == [1]


def test_a_late_callback_runs_at_once() -> None:
    calls: list[int] = []
    cancel = Cancellation()
    cancel.cancel()
    cancel.on_cancel(lambda: calls.append(1))
    assert calls == [1]


def test_a_forgotten_callback_does_not_run() -> None:
    calls: list[int] = []
    cancel = Cancellation()
    forget = cancel.on_cancel(lambda: calls.append(1))
    forget()
    cancel.cancel()
    assert calls == []


def test_many_threads_cancel_but_callbacks_run_once() -> None:
    calls: list[int] = []
    cancel = Cancellation()
    for number in range(50):
        cancel.on_cancel(lambda number=number: calls.append(number))  # type: ignore[misc]
    threads = [threading.Thread(target=cancel.cancel) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == list(range(50))
