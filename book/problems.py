"""The one error of this room: it names the notebook, the cell and what to do."""

from __future__ import annotations


class PublishingError(ValueError):
    """A notebook cannot be published, bound or handed out as it is."""

    def __init__(self, notebook: str, cell: str | None, problem: str, remedy: str) -> None:
        """Say what is wrong where, and what to do about it.

        Args:
            notebook: The notebook's name, such as `03_acceptance_probabilities`.
            cell: The id of the cell, or None when the whole notebook is meant.
            problem: What is wrong, as the second half of a sentence.
            remedy: What to do, as an imperative.
        """
        place = f"{notebook}, {cell}" if cell else notebook
        super().__init__(f"{place}: {problem}; {remedy}.")
        self.notebook, self.cell, self.problem, self.remedy = notebook, cell, problem, remedy
