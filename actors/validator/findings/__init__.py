"""One small pure function per defect: `find(exchange) -> Finding | None`."""
