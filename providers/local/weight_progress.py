"""How many bytes of a checkpoint's weights are in memory already, while transformers loads them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from transformers.utils import logging as transformers_logging

# Bytes of weights in memory, of how many.
OnBytes = Callable[[int, int], None]


class WeightProgress:
    """While entered, hears of each tensor that transformers has put in its place.

    transformers offers one hook per process for its progress bars; it is borrowed for the time of
    one load, and listens to the loading thread only. One at a time per process.
    """

    def __init__(self, tensor_bytes: Mapping[str, int], on_bytes: OnBytes) -> None:
        self._tensor_bytes = tensor_bytes
        self._total = sum(tensor_bytes.values())
        self._on_bytes = on_bytes
        self._thread_id = threading.get_ident()
        self._previous: Any = None

    def __enter__(self) -> Self:
        self._on_bytes(0, self._total)
        self._previous = transformers_logging.set_tqdm_hook(self._watch)
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        transformers_logging.set_tqdm_hook(self._previous)
        if exc_type is None:
            self._on_bytes(self._total, self._total)

    def _watch(
        self, factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self._thread_id or not args:
            return factory(*args, **kwargs)
        return self._count(args[0])

    def _count(self, weights: Iterable[Any]) -> Iterator[Any]:
        num_done = 0
        for weight in weights:
            yield weight
            name = weight[0] if isinstance(weight, tuple) else None
            # A weight that is renamed or joined on its way stands under another name; the last
            # report is exact whatever it weighs.
            num_done += self._tensor_bytes.get(name, 0) if isinstance(name, str) else 0
            self._on_bytes(num_done, self._total)
