"""Streams, consumers and buckets as data, made or checked for drift at start."""

from dataclasses import dataclass

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    PersistMode,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, BadRequestError, NotFoundError

from bus.bucket import Bucket, ObjectBucket
from bus.drift import check_consumer, drift
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import StreamLost
from contracts.prompt import Priority

GIB = 1 << 30
MIB = 1 << 20
DAY_S = 24 * 3600.0

PROMPTS = "PROMPTS"
TASKS = "TASKS"
RUNS = "RUNS"
TOKENS = "TOKENS"
SPANS = "SPANS"
DEAD = "DEAD"
ACTORS_BUCKET = "actors"
PLACEMENTS_BUCKET = "placements"
ATTEMPTS_BUCKET = "attempts"
KEYS_BUCKET = "keys"
PAYLOADS_BUCKET = "payloads"

# How long a silent coordinator keeps a run, and a silent actor a task, before another takes over.
LEASE_S = 10.0
# So long a step that is asked for again is told from a new one: as long as a run may take, unless
# its prompt says otherwise.
TASK_WINDOW_S = 900.0
# Deaths and faults are counted by us and end in a typed outcome. The server must not give up,
# because it would leave the message where it is: a bus without room may refuse results for hours.
MAX_DELIVER = 100_000
# Journals are kept so long, and what they hold by reference a little longer.
RUNS_AGE_S = 7 * DAY_S
PAYLOADS_AGE_S = RUNS_AGE_S + 2 * DAY_S
PRESENCE_TTL_S = 10.0

_NAME_IN_USE = 10058
_CONSUMER_EXISTS = (10148, 10105, 10013)


@dataclass(frozen=True, slots=True)
class Stream:
    """A declared stream; sizes in bytes, ages in seconds (0 = for ever).

    ``kept``: what it holds is nowhere else, so one that vanished is never made anew. ``probed``:
    a write to it tells whether it takes any.
    """

    name: str
    subjects: tuple[str, ...]
    retention: RetentionPolicy = RetentionPolicy.LIMITS
    storage: StorageType = StorageType.FILE
    max_age_s: float = 0.0
    max_bytes: int = -1
    discard: DiscardPolicy = DiscardPolicy.NEW
    republish_to: str | None = None
    synced: bool = True
    rollup: bool = False
    kept: bool = False
    probed: bool = False
    duplicate_window_s: float = 120

    def config(self, num_replicas: int) -> StreamConfig:
        """The stream as JetStream takes it."""
        republish = None
        if self.republish_to is not None:
            republish = RePublish(src=self.subjects[0], dest=self.republish_to)
        unsynced = num_replicas == 1 and not self.synced and self.storage is StorageType.FILE
        return StreamConfig(
            name=self.name,
            subjects=[*self.subjects, *([subjects.probe(self.name)] if self.probed else [])],
            retention=self.retention,
            storage=self.storage,
            max_age=self.max_age_s,
            max_bytes=self.max_bytes,
            discard=self.discard,
            num_replicas=num_replicas,
            allow_direct=True,
            allow_rollup_hdrs=self.rollup,
            republish=republish,
            duplicate_window=self.duplicate_window_s,
            allow_msg_ttl=self.probed,  # a probe is gone a moment later
            # Spans are a picture, not a promise: they must not cost a disk sync each.
            persist_mode=PersistMode.ASYNC if unsynced else None,
        )


@dataclass(frozen=True, slots=True)
class Consumer:
    """A declared durable pull consumer: one queue that any number of workers share."""

    stream: str
    name: str
    filter_subjects: tuple[str, ...]
    ack_wait_s: float
    max_ack_pending: int = 20_000
    max_deliver: int = MAX_DELIVER

    def config(self) -> ConsumerConfig:
        """The consumer as JetStream takes it."""
        only = self.filter_subjects[0] if len(self.filter_subjects) == 1 else None
        return ConsumerConfig(
            durable_name=self.name,
            filter_subject=only,
            filter_subjects=None if only else list(self.filter_subjects),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_s,
            max_deliver=self.max_deliver,
            max_ack_pending=self.max_ack_pending,
            max_waiting=4096,
        )


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that must exist on the server before an actor works."""

    streams: tuple[Stream, ...]
    consumers: tuple[Consumer, ...]
    buckets: tuple[Bucket | ObjectBucket, ...]
    num_replicas: int = 1


def prompt_consumer(priority: Priority, lease_s: float = LEASE_S) -> Consumer:
    """The queue of runs of one priority; its unacked messages are the leases."""
    filters = (subjects.prompts(priority), subjects.prompts_named(priority))
    return Consumer(PROMPTS, f"coordinator-{priority}", filters, lease_s)


def task_consumer(kind: ActorKind, ack_wait_s: float = LEASE_S) -> Consumer:
    """The queue of tasks of one kind of actor."""
    return Consumer(
        TASKS,
        str(kind),
        (subjects.tasks(kind),),
        ack_wait_s,
    )


def executor_consumer(model: str, priority: Priority, ack_wait_s: float = LEASE_S) -> Consumer:
    """The queue of generations with one model and of one priority."""
    return Consumer(
        TASKS,
        subjects.executor_consumer(model, priority),
        (subjects.executor_tasks(model, priority),),
        ack_wait_s,
    )


_PROMPT_SUBJECTS = tuple(
    subject
    for priority in Priority
    for subject in (subjects.prompts(priority), subjects.prompts_named(priority))
)
_TASK_ACTORS = tuple(
    kind for kind in ActorKind if kind not in {ActorKind.EXECUTOR, ActorKind.COORDINATOR}
)


def declare(*, num_replicas: int = 1, lease_s: float = LEASE_S) -> Topology:
    """The topology of promptbus.

    RUNS is the truth and keeps seven days; PROMPTS pays for the disk because its acknowledgement
    is the acceptance; TASKS are wake-ups and live in memory. Streams are made in this order, those
    that are kept first: whoever finds a later one knows that the earlier ones were there.
    """
    work, limits = RetentionPolicy.WORK_QUEUE, RetentionPolicy.LIMITS
    memory = StorageType.MEMORY
    old = DiscardPolicy.OLD
    return Topology(
        streams=(
            Stream(
                RUNS,
                (subjects.RUNS_ALL,),
                limits,
                max_age_s=RUNS_AGE_S,
                max_bytes=16 * GIB,
                republish_to=subjects.STORED_RUNS_ALL,
                kept=True,
                probed=True,
            ),
            Stream(PROMPTS, _PROMPT_SUBJECTS, work, max_bytes=4 * GIB, kept=True, probed=True),
            Stream(
                TASKS,
                (subjects.TASKS_ALL,),
                work,
                memory,
                DAY_S,
                512 * MIB,
                probed=True,
                duplicate_window_s=TASK_WINDOW_S,
            ),
            Stream(
                TOKENS,
                (subjects.TOKENS_ALL, subjects.WAITS_ALL),
                limits,
                memory,
                600,
                256 * MIB,
                old,
                rollup=True,  # only the last note of a run is kept
            ),
            Stream(
                SPANS,
                (subjects.SPANS_ALL,),
                limits,
                max_age_s=2 * DAY_S,
                max_bytes=2 * GIB,
                discard=old,
                synced=False,
            ),
            Stream(DEAD, (subjects.DEAD_ALL,), limits, max_age_s=30 * DAY_S, max_bytes=GIB),
        ),
        consumers=(
            *(prompt_consumer(priority, lease_s) for priority in Priority),
            *(task_consumer(kind, lease_s) for kind in _TASK_ACTORS),
        ),
        buckets=(
            Bucket(ACTORS_BUCKET, PRESENCE_TTL_S),
            Bucket(PLACEMENTS_BUCKET),
            Bucket(ATTEMPTS_BUCKET, DAY_S),
            Bucket(KEYS_BUCKET, storage=StorageType.FILE),
            ObjectBucket(PAYLOADS_BUCKET, PAYLOADS_AGE_S, 8 * GIB),
        ),
        num_replicas=num_replicas,
    )


async def ensure(jetstream: JetStreamContext, topology: Topology) -> None:
    """Make what is missing and check what is there.

    Making is idempotent on the server, so any number of processes may do it at once.

    Raises: TopologyDrift when something exists with another configuration, StreamLost when what
    cannot be made anew has vanished.
    """
    await _check_kept(jetstream, topology)
    for stream in topology.streams:
        await ensure_stream(jetstream, stream.config(topology.num_replicas))
    for bucket in topology.buckets:
        await ensure_stream(jetstream, bucket.config(topology.num_replicas))
    for consumer in topology.consumers:
        await ensure_consumer(jetstream, consumer)


async def _check_kept(jetstream: JetStreamContext, topology: Topology) -> None:
    """Look from the last stream on disk to the first, the other way than they are made."""
    witness: str | None = None
    for stream in reversed(topology.streams):
        if stream.storage is StorageType.MEMORY:
            continue
        try:
            await jetstream.stream_info(stream.name)
        except NotFoundError as exc:
            if stream.kept and witness is not None:
                raise StreamLost(stream=stream.name, witness=witness) from exc
        else:
            witness = stream.name


async def restore(jetstream: JetStreamContext, topology: Topology) -> None:
    """Make what a single server forgets when it restarts: memory streams and their consumers.

    What lies on disk is never made anew here: a journal that is gone must be noticed, not papered
    over.

    Raises: TopologyDrift, and what the JetStream API raises while the server is not ready.
    """
    for stream in topology.streams:
        if stream.storage is StorageType.MEMORY:
            await ensure_stream(jetstream, stream.config(topology.num_replicas))
    for bucket in topology.buckets:
        if bucket.storage is StorageType.MEMORY:
            await ensure_stream(jetstream, bucket.config(topology.num_replicas))
    for consumer in topology.consumers:
        await ensure_consumer(jetstream, consumer)


async def ensure_stream(jetstream: JetStreamContext, config: StreamConfig) -> None:
    """Make the stream, or check that the one there is the same.

    Raises: TopologyDrift.
    """
    try:
        await jetstream.add_stream(config)
    except BadRequestError as exc:
        if exc.err_code != _NAME_IN_USE or config.name is None:
            raise
        found = (await jetstream.stream_info(config.name)).config
        differs = drift(f"stream {config.name}", config.as_dict(), found.as_dict())
        if differs is not None:
            raise differs from exc


async def ensure_consumer(jetstream: JetStreamContext, consumer: Consumer) -> None:
    """Make the durable consumer, or check that the one there is the same.

    Raises: TopologyDrift.
    """
    what = f"consumer {consumer.stream}/{consumer.name}"
    expected = consumer.config()
    try:
        found = (await jetstream.consumer_info(consumer.stream, consumer.name)).config
    except NotFoundError:
        try:
            await jetstream.add_consumer(consumer.stream, expected)
        except APIError as exc:
            if exc.err_code not in _CONSUMER_EXISTS:
                raise
        return
    check_consumer(what, expected, found)
