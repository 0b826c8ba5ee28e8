"""``python -m promptbus``: the same as the script ``promptbus``."""

from promptbus.cli import main

if __name__ == "__main__":
    main()
