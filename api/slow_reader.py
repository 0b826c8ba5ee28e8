"""What is raised when a client leaves unread what it was sent."""


class SlowReader(Exception):
    """The client does not read what it is sent."""
