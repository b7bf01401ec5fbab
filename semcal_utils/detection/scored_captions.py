"""The language models' ratio of captions not scored yet, behind the rivals' interface."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils.acceptance import log_ratios
from semcal_utils.detection.benches import Bench, rows_of
from semcal_utils.models.model_folders import load_language_model
from semcal_utils.models.scoring import score_models
from semcal_utils.runs import Run


class FreshTokenRatios:
    """The general and the real model of one world, ready to read any caption.

    Captions of notebook 03 are looked up, others are scored.

    Args:
        run: where the models and the scores of notebook 03 lie.
        world: whose real model.

    Raises:
        MissingArtefact: models or scores do not exist; the message names the notebook.
    """

    name = "language models"
    reads_labels = False

    def __init__(self, run: Run, world: str) -> None:
        self.believed_real = np.zeros(0)
        self._models = {}
        for name in ("general", f"real_{world}"):
            role = "general" if name == "general" else "real"
            self._models[role], self._tokenizer = load_language_model(
                run.load_folder(f"models/{name}")
            )
        known = run.load_table(f"token_log_probs/{world}.parquet")
        ratios = log_ratios(known["log_prob_real"], known["log_prob_general"])
        means = [float(np.mean(tokens)) for tokens in known["log_prob_general"]]
        index = pd.Index(known["item_id"])
        self._known = {
            "ratio": pd.Series(ratios, index), "familiarity": pd.Series(means, index)
        }  # fmt: skip
        self._last: tuple[list[str], dict[str, NDArray[np.float64]]] = ([], {})

    def fit(self, bench: Bench) -> FreshTokenRatios:
        """Take note of R; the models were trained in notebook 02."""
        self.believed_real = bench.real
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return (n,) log ratios in nats of items (item_id, caption)."""
        return self._of(items, "ratio")

    log_ratios = evidence

    def familiarity(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return (n,) mean log-probabilities per token under the general model, in nats.

        Low where the stream's model has never read anything of the kind.
        """
        return self._of(items, "familiarity")

    def seconds_per_thousand(self, captions: Sequence[str]) -> float:
        """Measure how long both models take to score 1,000 captions, in seconds."""
        began = time.perf_counter()
        score_models(self._models, self._tokenizer, list(captions), progress=False)
        return (time.perf_counter() - began) / max(1, len(captions)) * 1000

    def _of(self, items: pd.DataFrame, what: str) -> NDArray[np.float64]:
        if items["item_id"].isin(self._known[what].index).all():
            return rows_of(self._known[what], items)
        return self._scored(items["caption"].tolist())[what]

    def _scored(self, captions: list[str]) -> dict[str, NDArray[np.float64]]:
        # Several rules ask about the same captions in a row.
        if self._last[0] != captions:
            scored = score_models(self._models, self._tokenizer, captions, progress=False)
            ratio = log_ratios(scored["log_prob_real"], scored["log_prob_general"])
            means = np.array([float(np.mean(tokens)) for tokens in scored["log_prob_general"]])
            self._last = (captions, {"ratio": ratio, "familiarity": means})
        return self._last[1]


def as_items(captions: Sequence[str]) -> pd.DataFrame:
    """Give captions without an item a table of their own: item_id and caption."""
    ids = [f"\0caption-{place}" for place in range(len(captions))]  # no item has such an id
    return pd.DataFrame({"item_id": ids, "caption": list(captions)})
