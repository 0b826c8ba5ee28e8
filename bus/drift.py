"""What differs between a stream or consumer as it is declared and as it is found; pure."""

from typing import Any

from nats.js.api import ConsumerConfig

from contracts.errors import TopologyDrift

# Limits that are not declared, but that somebody may have set by hand.
_LIMITS = ("max_msgs", "max_msgs_per_subject", "max_msg_size", "max_consumers", "sealed")
_UNLIMITED = (None, 0, -1, False)
# How much room a stream has is for whoever runs the server to say; that it is bounded is ours.
_ADJUSTABLE = ("max_bytes",)

_CHECKED = (
    "filter_subject",
    "filter_subjects",
    "ack_wait",
    "ack_policy",
    "max_deliver",
    "max_ack_pending",
)


def drift(what: str, expected: dict[str, Any], found: dict[str, Any]) -> TopologyDrift | None:
    """The error that names the first field of ``what`` that differs.

    None where only a limit differs that may be set by hand.
    """
    differing: tuple[str, ...] = (
        *(name for name, value in expected.items() if value and found.get(name) != value),
        *(name for name in _LIMITS if found.get(name) not in _UNLIMITED and not expected.get(name)),
    )
    serious = [
        name for name in differing if name not in _ADJUSTABLE or found.get(name) in _UNLIMITED
    ]
    if differing and not serious:
        return None
    name = next(iter(serious), "configuration")
    return TopologyDrift(what=what, field=name, expected=expected.get(name), found=found.get(name))


def check_consumer(what: str, expected: ConsumerConfig, found: ConsumerConfig) -> None:
    """Compare what matters of two consumers.

    Raises: TopologyDrift.
    """
    for name in _CHECKED:
        wanted, there = getattr(expected, name), getattr(found, name)
        if there != wanted:
            raise TopologyDrift(what=what, field=name, expected=wanted, found=there)
