"""What can be run and how: declared in TOML, checked once, immutable afterwards."""
