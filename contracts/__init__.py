"""What travels: the messages, subjects and errors that every part of promptbus shares.

This floor imports pydantic and nothing else, so that any process, however small, can speak the
protocol.
"""
