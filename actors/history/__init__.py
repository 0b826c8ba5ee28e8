"""What happened before: earlier turns of a session, and the list of runs, from a projection.

The journals are the truth; the projection is a copy of them in SQL that can be made again.
"""

from actors.history.database import ProjectionFailed, sqlite_url
from actors.history.history import History
from actors.history.projection import Projection
from contracts.run_row import RunRow

__all__ = ["History", "Projection", "ProjectionFailed", "RunRow", "sqlite_url"]
