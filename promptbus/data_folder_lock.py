"""One promptbus per data folder: two servers on the same streams would destroy them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import NotReady

FILE_NAME = "lock"


@contextmanager
def lock_data_folder(data_dir: Path) -> Iterator[None]:
    """Hold ``data_dir`` for this process; the kernel lets go of it however the process ends.

    Makes the folder where it is missing, for its owner alone.

    Raises: NotReady when another process holds it, or when it cannot be written.
    """
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise NotReady(
            f"the data folder {data_dir} cannot be used: {exc.strerror}",
            cure="choose one that this user may write to: --data-dir",
        ) from exc
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise NotReady(
                f"promptbus is starting or ending on {data_dir} (process {file.read(20).strip()})",
                cure="try again in a moment, or choose another --data-dir",
            ) from exc
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
