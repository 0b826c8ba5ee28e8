"""The chaos suite: load on a real system whose parts fall, and a checker of what became of it."""
