"""What lies on the bus and who is there, as Prometheus takes it; pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from bus.bus_report import QueueReport, StreamReport
from contracts.presence import HostReport, Presence


@dataclass(frozen=True, slots=True)
class BusState:
    """What was found when somebody asked; ``dead_letters`` counts those that are kept, by actor."""

    version: str
    queues: tuple[QueueReport, ...] = ()
    streams: tuple[StreamReport, ...] = ()
    hosts: tuple[HostReport, ...] = ()
    actors: tuple[Presence, ...] = ()
    dead_letters: Mapping[str, int] | None = None


class BusMetrics:
    """A collector of one state."""

    def __init__(self, state: BusState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """The state's metrics."""
        yield InfoMetricFamily("promptbus_build", "This API.", {"version": self._state.version})
        yield from _queue_metrics(self._state.queues)
        yield from _stream_metrics(self._state.streams)
        yield from _host_metrics(self._state.hosts)
        yield _actor_metric(self._state.actors)
        letters = _gauge("promptbus_dead_letters", "Dead letters that are kept.", "actor")
        for actor, num in sorted((self._state.dead_letters or {}).items()):
            letters.add_metric([actor], num)
        yield letters


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _queue_metrics(queues: Iterable[QueueReport]) -> Iterator[Metric]:
    waiting = _gauge("promptbus_queue_waiting", "Messages nobody has taken.", "stream", "queue")
    taken = _gauge("promptbus_queue_taken", "Messages being worked on.", "stream", "queue")
    for queue in queues:
        waiting.add_metric([queue.stream, queue.name], queue.num_waiting)
        taken.add_metric([queue.stream, queue.name], queue.num_taken)
    yield from (waiting, taken)


def _stream_metrics(streams: Iterable[StreamReport]) -> Iterator[Metric]:
    messages = _gauge("promptbus_stream_messages", "Messages in a stream.", "stream")
    size = _gauge("promptbus_stream_size_bytes", "What a stream takes.", "stream")
    limit = _gauge("promptbus_stream_limit_bytes", "What a stream may take.", "stream")
    for stream in streams:
        messages.add_metric([stream.name], stream.num_messages)
        size.add_metric([stream.name], stream.size_bytes)
        if stream.max_bytes > 0:
            limit.add_metric([stream.name], stream.max_bytes)
    yield from (messages, size, limit)


def _host_metrics(hosts: Iterable[HostReport]) -> Iterator[Metric]:
    total = _gauge("promptbus_device_memory_bytes", "What models may use.", "host", "device")
    free = _gauge("promptbus_device_free_bytes", "What no model holds.", "host", "device")
    cpu = _gauge("promptbus_host_cpu_ratio", "Use of a host's processors.", "host")
    resident = _gauge("promptbus_model_resident", "1 for a model in memory.", "host", "model")
    size = _gauge("promptbus_model_size_bytes", "What a model takes.", "host", "model")
    running = _gauge("promptbus_model_running", "Generations under way.", "host", "model")
    waiting = _gauge("promptbus_model_waiting", "Generations taken, waiting.", "host", "model")
    for host in hosts:
        cpu.add_metric([host.host], host.cpu_percent / 100)
        for device in host.devices:
            total.add_metric([host.host, device.name], device.total_bytes)
            free.add_metric([host.host, device.name], device.free_bytes)
        for model in host.models:
            labels = [host.host, model.model]
            resident.add_metric(labels, float(model.resident))
            if model.size_bytes is not None:
                size.add_metric(labels, model.size_bytes)
            running.add_metric(labels, model.num_running)
            waiting.add_metric(labels, model.num_waiting)
    yield from (total, free, cpu, resident, size, running, waiting)


def _actor_metric(actors: Iterable[Presence]) -> Metric:
    present = _gauge("promptbus_actors", "Actor processes that are there.", "kind")
    for kind, num in sorted(Counter(str(one.kind) for one in actors).items()):
        present.add_metric([kind], num)
    return present
