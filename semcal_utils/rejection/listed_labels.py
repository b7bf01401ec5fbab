"""The labels that the world lists, and an account of those it does not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNSEEN = "(unseen)"
"""The pooled label of items whose label the world does not list."""

OTHERS = "(others)"
LISTED_UNSEEN = 1000
"""How many unseen labels are counted by name; a stream of ever new ones must not fill memory."""


class ListedLabels:
    """Numbers the world's labels and counts items that carry another label or none.

    Args:
        real_frequencies: R by label; rescaled to sum to one.
        unseen_probability: R of all labels not listed, pooled in one; None leaves them out.

    Raises:
        TypeError: if a label is not text.
        ValueError: if a frequency is not a positive number, or there are fewer than two labels.
    """

    def __init__(
        self,
        real_frequencies: Mapping[str, float] | pd.Series,
        unseen_probability: float | None = None,
    ) -> None:
        world = checked_world(real_frequencies)
        if unseen_probability is not None:
            if not 0 < unseen_probability < 1:
                raise ValueError(f"unseen_probability must be in (0, 1), got {unseen_probability}.")
            world = {label: share * (1 - unseen_probability) for label, share in world.items()}
            world[UNSEEN] = unseen_probability
        if len(world) < 2:
            raise ValueError(f"a world needs two labels or more, but this one has {len(world)}.")
        self.names = tuple(world)
        self.real: NDArray[np.float64] = np.array(list(world.values()))
        self.unseen: dict[str, int] = {}
        self.unlabelled = 0
        self._stranger = self.names.index(UNSEEN) if unseen_probability is not None else -1
        self._place: dict[Any, int] = {name: place for place, name in enumerate(self.names)}

    def place(self, label: Any) -> int:
        """Return a label's number, or −1 if it takes no part; a stranger is counted."""
        place = self._place.get(label)
        return self._place_of_stranger(label, 1) if place is None else place

    def places(self, labels: pd.Series) -> NDArray[np.intp]:
        """Return the number of each label, as `place` does.

        Args:
            labels: shape (items,).

        Returns:
            Integers of shape (items,), −1 where an item takes no part.
        """
        numbers, names = pd.factorize(labels)
        counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
        self.unlabelled += int((numbers < 0).sum())
        places = np.full(len(names) + 1, -1, dtype=np.intp)
        for number, name in enumerate(names):
            place = self._place.get(name)
            if place is None:
                place = self._place_of_stranger(name, int(counts[number]))
            places[number] = place
        return places[numbers]

    def to_state(self) -> dict[str, Any]:
        """Return the state in types that JSON knows."""
        return {
            "names": self.names,
            "real": self.real.tolist(),
            "pooled": self._stranger >= 0,
            "unseen": self.unseen,
            "unlabelled": self.unlabelled,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ListedLabels:
        """Resume from `to_state`."""
        resumed = cls(dict(zip(state["names"], state["real"], strict=True)))
        resumed.real = np.array(state["real"])
        resumed.unseen, resumed.unlabelled = dict(state["unseen"]), state["unlabelled"]
        resumed._stranger = resumed.names.index(UNSEEN) if state["pooled"] else -1
        return resumed

    def _place_of_stranger(self, label: Any, times: int) -> int:
        if label is None or label is pd.NA or label == "" or label != label:
            self.unlabelled += times
            return -1
        name = str(label)
        if name not in self.unseen and len(self.unseen) >= LISTED_UNSEEN:
            name = OTHERS
        self.unseen[name] = self.unseen.get(name, 0) + times
        return self._stranger


def checked_world(real_frequencies: Mapping[str, float] | pd.Series) -> dict[str, float]:
    """Return real frequencies by label, rescaled to sum to one.

    Args:
        real_frequencies: positive numbers by label.

    Returns:
        Shares by label, in the same order.

    Raises:
        TypeError: if a label is not text.
        ValueError: if a frequency is not a positive number.
    """
    world = dict(real_frequencies.items())
    for label, share in world.items():
        if not isinstance(label, str) or not label:
            raise TypeError(f"labels must be text, but the real frequencies have {label!r}.")
        if not (share > 0 and math.isfinite(share)):
            raise ValueError(
                f"label {label!r} has the real frequency {share}; give a positive number, or leave "
                "the label out: it then counts as unseen."
            )
    total = sum(world.values())
    return {label: float(share / total) for label, share in world.items()}
