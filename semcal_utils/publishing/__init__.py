"""Publishing: notebooks with their outputs, an HTML book, and notebooks for students.

    python -m semcal_utils.publishing notebooks      # outputs of the last run into notebooks/
    python -m semcal_utils.publishing book           # an HTML site in build/book/
    python -m semcal_utils.publishing assignments    # student and solution versions
    python -m semcal_utils.publishing readme         # README's minutes and results

Every refusal names the notebook, the cell and the remedy.
"""

from semcal_utils.publishing.problems import PublishingError
from semcal_utils.publishing.published import publish, state_of

__all__ = ["PublishingError", "publish", "state_of"]
