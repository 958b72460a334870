"""Answers that were given before, in one file of SQLite."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

FORMAT = 1
"""Raised when answers of an older onekcal must not be given any more."""
MOST = 50_000
"""Answers that are kept; the oldest go."""


class Cache:
    """Answers by what was asked.

    Parameters
    ----------
    path
        The file; it is made where it is absent.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        self.file.execute("PRAGMA journal_mode=WAL")
        self.file.execute("PRAGMA synchronous=NORMAL")
        self.file.execute(
            "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, content TEXT NOT NULL)"
        )

    def get(self, key: str) -> str | None:
        """Return the JSON of an answer; None where it was not given before.

        Parameters
        ----------
        key
            What `key_of` makes of the question.
        """
        found = self.file.execute("SELECT content FROM answers WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def put(self, key: str, content: str) -> None:
        """Keep an answer.

        Parameters
        ----------
        key
            What `key_of` makes of the question.
        content
            JSON.
        """
        self.file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, content))
        self.file.execute(
            "DELETE FROM answers WHERE rowid <= (SELECT max(rowid) FROM answers) - ?", (MOST,)
        )

    def clear(self) -> None:
        """Forget all answers, because a computation has made better ones possible."""
        self.file.execute("DELETE FROM answers")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def key_of(task: object, model: str) -> str:
    """Return the key of a question.

    Parameters
    ----------
    task
        What is asked, as JSON.
    model
        What tells the model and the version apart.
    """
    text = json.dumps([FORMAT, model, task], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
