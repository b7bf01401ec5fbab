"""Publishing: notebooks with their outputs, an HTML book, and notebooks for students.

    python -m book publish        # the last run into figures/published/, README and notebooks/
    python -m book book           # an HTML site in build/book/
    python -m book assignments    # student and solution versions

Every refusal names the notebook, the cell and the remedy.
"""

from book.problems import PublishingError
from book.published import publish, state_of

__all__ = ["PublishingError", "publish", "state_of"]
