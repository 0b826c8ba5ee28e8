"""Buckets as data: keys and values, and objects, in the layouts that every NATS client expects."""

from dataclasses import dataclass

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bucket:
    """A declared key-value bucket (ADR-8); a full one takes no new values."""

    name: str
    ttl_s: float = 0.0
    storage: StorageType = StorageType.MEMORY
    max_bytes: int = 64 * MIB

    @property
    def stream(self) -> str:
        """The stream in which it lies."""
        return f"KV_{self.name}"

    def config(self, num_replicas: int) -> StreamConfig:
        """The bucket as JetStream takes it."""
        return StreamConfig(
            name=self.stream,
            subjects=[f"$KV.{self.name}.>"],
            retention=RetentionPolicy.LIMITS,
            storage=self.storage,
            max_msgs_per_subject=1,
            max_age=self.ttl_s,
            max_bytes=self.max_bytes,
            discard=DiscardPolicy.NEW,
            num_replicas=num_replicas,
            allow_direct=True,
            allow_rollup_hdrs=True,
            deny_delete=True,
            duplicate_window=min(120.0, self.ttl_s) or 120.0,
        )


@dataclass(frozen=True, slots=True)
class ObjectBucket:
    """A declared bucket of objects (ADR-20): what is too large for one message, by its digest."""

    name: str
    ttl_s: float
    max_bytes: int
    storage: StorageType = StorageType.FILE

    @property
    def stream(self) -> str:
        """The stream in which it lies."""
        return f"OBJ_{self.name}"

    def config(self, num_replicas: int) -> StreamConfig:
        """The bucket as JetStream takes it."""
        return StreamConfig(
            name=self.stream,
            subjects=[f"$O.{self.name}.C.>", f"$O.{self.name}.M.>"],
            retention=RetentionPolicy.LIMITS,
            storage=self.storage,
            max_age=self.ttl_s,
            max_bytes=self.max_bytes,
            discard=DiscardPolicy.NEW,
            num_replicas=num_replicas,
            allow_direct=True,
            allow_rollup_hdrs=True,
        )
