"""Which models may answer in place of another, in which order; pure.

``fallbacks`` maps each key to the keys that its entry names.
"""

from collections import deque
from collections.abc import Mapping, Sequence


def expand_chain(key: str, fallbacks: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """``key`` and all that may answer in its place, in order, each once.

    First come the fallbacks of ``key`` itself, then theirs.
    """
    found: dict[str, None] = {}
    waiting = deque([key])
    while waiting:
        name = waiting.popleft()
        if name not in found:
            found[name] = None
            waiting.extend(fallbacks.get(name, ()))
    return tuple(found)


def find_cycle(fallbacks: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The keys of a circle, its first again at the end; empty where there is none."""
    harmless: set[str] = set()
    for start in fallbacks:
        path = {start: deque(fallbacks[start])}
        while path:
            key = next(reversed(path))
            if not path[key]:
                harmless.add(key)
                del path[key]
                continue
            name = path[key].popleft()
            if name in path:
                keys = list(path)
                return (*keys[keys.index(name) :], name)
            if name not in harmless:
                path[name] = deque(fallbacks.get(name, ()))
    return ()
