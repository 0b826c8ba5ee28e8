"""The web bridge: REST and WebSocket in front of the bus; it knows no actor and no model."""
