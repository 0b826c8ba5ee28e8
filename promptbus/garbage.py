"""The garbage collector of a process that serves for long."""

import gc

# A run makes some thousands of objects and few cycles; at the default of 700 the collector ran
# many times a run and took a third of a coordinator's processor time.
_YOUNG_OBJECTS = 50_000
_YOUNG_PER_MIDDLE = 20
_MIDDLE_PER_OLD = 100


def settle() -> None:
    """Leave what is loaded out of all later collections, and collect less often.

    For when a process has started up: what lives by then, lives until its end.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_PER_MIDDLE, _MIDDLE_PER_OLD)
