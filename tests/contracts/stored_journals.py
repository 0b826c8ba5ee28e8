"""Journals as earlier releases stored them."""

import json
from datetime import datetime
from pathlib import Path

from bus.direct_get import StoredMessage
from bus.journal import entry_of
from contracts.journal_entry import JournalEntry

FOLDER = Path(__file__).with_name("stored")
FILES = sorted(FOLDER.glob("*/*.jsonl"))
NAMES = [f"{file.parent.name}/{file.stem}" for file in FILES]


def stored_messages(name: str) -> list[StoredMessage]:
    """The messages of one journal, as a stream holds them."""
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    found = (json.loads(line) for line in lines)
    return [
        StoredMessage(
            subject=one["subject"],
            sequence=number,
            stored_at=datetime.fromisoformat(one["stored_at"]),
            headers=one["headers"],
            data=one["payload"].encode(),
        )
        for number, one in enumerate(found, start=1)
    ]


def stored_journal(name: str) -> list[JournalEntry]:
    """The journal in those messages; each must be readable."""
    return [entry_of(message) for message in stored_messages(name)]
