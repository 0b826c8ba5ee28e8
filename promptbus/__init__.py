"""The composition root: settings, start-up, supervision, telemetry and the command line."""

__version__ = "0.1.0"
