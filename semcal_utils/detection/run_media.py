"""A run's pictures, sounds or texts as arrays, and its captioners, for experiments on the media."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from semcal_utils.media import Modality, load_lessons, modality, undecoded
from semcal_utils.media.readers import SAMPLING_RATE, read_picture, read_sound
from semcal_utils.runs import Run

CAPTIONER = "models/captioner"
EARLY = "models/early_captioner"


class RunMedia:
    """Items of a run by item_id.

    Args:
        run: the run of one dataset.

    Attributes:
        kind: "image", "audio" or "text".

    Raises:
        MissingArtefact: the items do not exist; the message names the notebook.
    """

    def __init__(self, run: Run) -> None:
        import datasets

        self._run = run
        table = datasets.load_from_disk(str(run.load_folder("items")))
        self.kind: Modality = modality(table)
        self._column = self.kind if self.kind in table.column_names else "reference_caption"
        self._items = undecoded(table, self.kind) if self.kind != "text" else table
        self._rows = {item: row for row, item in enumerate(table["item_id"])}

    def arrays(self, item_ids: Sequence[str]) -> list[Any]:
        """Read items: (h, w, 3) bytes, (n,) float32 samples, or texts."""
        raw = [self._items[self._rows[item]][self._column] for item in item_ids]
        if self.kind == "image":
            return [np.asarray(read_picture(item)) for item in raw]
        return [read_sound(item) for item in raw] if self.kind == "audio" else raw

    def captions_of(self, items: Sequence[Any], captioner: Any) -> list[str]:
        """Put arrays into words; of texts, the words alone are read, whatever the gaps."""
        if self.kind == "image":
            items = [Image.fromarray(item) for item in items]
        elif self.kind == "audio":
            items = [{"array": item, "sampling_rate": SAMPLING_RATE} for item in items]
        else:
            return [" ".join(item.split()) for item in items]
        return list(captioner.caption(items, progress=False))

    def captioner(self) -> Callable[[Sequence[Any]], list[str]] | None:
        """Return the run's own captioner, or None where it is too large to run again here."""
        if self.kind == "text":
            return lambda items: self.captions_of(items, None)
        if not self._run.path(CAPTIONER).is_dir():
            return None
        from semcal_utils.captioning import load_captioner

        captioner = load_captioner(self._run.load_folder(CAPTIONER))
        return lambda items: self.captions_of(items, captioner)

    def early_captions(
        self, item_ids: Sequence[str], *, steps: int, lessons: int, seed: int
    ) -> list[str] | None:
        """Caption items by a captioner that was taught for a short while only.

        Args:
            item_ids: whose captions.
            steps: optimiser steps of the short lesson; 0 leaves the trial out.
            lessons: items that it learns from.
            seed: fixes lessons and weights.

        Returns:
            The captions, or None where the run has no embedded captioner.
        """
        if self.kind == "text" or steps == 0 or not self._run.path(CAPTIONER).is_dir():
            return None
        from semcal_utils.captioning import load_captioner
        from semcal_utils.captioning.training import train_captioner

        def teach(place: Path) -> None:
            items = load_lessons(self._run.dataset, items=lessons, seed=seed)
            taught, _ = train_captioner(items, steps=steps, seed=seed)
            taught.save_pretrained(place)

        place, _ = self._run.make_folder(EARLY, teach, steps=steps, lessons=lessons, seed=seed)
        return self.captions_of(self.arrays(item_ids), load_captioner(place))
