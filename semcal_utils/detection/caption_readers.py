"""Estimators that read labels, and the language models' own ratios, as entrants of the league."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from semcal_utils.acceptance.caption_classifier import light_classifier
from semcal_utils.acceptance.label_shift import bbse_frequencies, em_frequencies
from semcal_utils.acceptance.oracles import caption_confusion, caption_oracle_log_ratios
from semcal_utils.acceptance.stacking import StackedPosterior, stack_posteriors
from semcal_utils.detection.benches import Bench, rows_of


class TokenRatios:
    """The language models' own log ratios, computed beforehand.

    Args:
        ratios: log r in nats by item (the index: item_id).
        name: what tables call it.
    """

    reads_labels = False

    def __init__(self, ratios: pd.Series, name: str = "language models") -> None:
        self.name = name
        self.believed_real = np.zeros(0)
        self._ratios = ratios

    def fit(self, bench: Bench) -> TokenRatios:
        """Take note of R; the models were trained in notebook 02."""
        self.believed_real = bench.real
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log ratios; see `RatioEstimator`."""
        return rows_of(self._ratios, items)

    log_ratios = evidence


NAMES = {"known": "deconvolution", "em": "label shift, EM", "bbse": "label shift, BBSE"}


class CaptionReader:
    """A caption classifier whose label posterior, with the labels' weights, gives the ratio.

    With R known this is the caption oracle (item by item) and deconvolution (for the stream);
    with R estimated from unlabelled real captions it is label shift by EM or BBSE.

    Args:
        world: "known", "em" or "bbse".
    """

    reads_labels = True

    def __init__(self, world: str = "known") -> None:
        if world not in NAMES:
            raise ValueError(f"Unknown world {world!r}; choose one of {', '.join(NAMES)}.")
        self.name = NAMES[world]
        self.believed_real = np.zeros(0)
        self._world = world
        self._general = np.zeros(0)
        self._categories: tuple[str, ...] = ()
        self._reader: Pipeline | None = None

    def fit(self, bench: Bench) -> CaptionReader:
        """Learn to read labels; estimate R from real captions of the calibration part."""
        train, held_out = bench.train, bench.calibration
        self._general, self._categories = bench.general, bench.categories
        self._reader = light_classifier(train["label"]).fit(train["caption"], train["label"])
        self.believed_real = bench.real
        if self._world == "known":
            return self
        posterior = self.evidence(held_out)
        members = posterior[held_out["real"].to_numpy()]
        if self._world == "em":
            self.believed_real = em_frequencies(members, self._general)
        else:
            confusion = np.array(caption_confusion(held_out["label"], posterior, self._categories))
            # A label without a held-out caption is taken to be read rightly.
            unseen = np.isnan(confusion).any(axis=1)
            confusion[unseen] = np.eye(len(confusion))[unseen]
            self.believed_real = bbse_frequencies(members, confusion)
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return label posteriors (n, K); see `RatioEstimator`."""
        if self._reader is None:
            raise ValueError("Fit the caption reader before it is asked.")
        posterior = np.zeros((len(items), len(self._categories)))
        seen = [self._categories.index(name) for name in self._reader.classes_]
        posterior[:, seen] = self._reader.predict_proba(items["caption"])
        return posterior / posterior.sum(axis=1, keepdims=True)

    def log_ratios(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log Σ_k P_G(k|c)·w_k."""
        return caption_oracle_log_ratios(self.evidence(items), self._general, self.believed_real)


class StackedReader:
    """The classifier's posterior, corrected by what the language models' ratio says of a caption.

    Args:
        reader: a caption reader; it is fitted here.
        ratios: the language models' log ratios.
    """

    name = "stacked LM + classifier"
    reads_labels = True

    def __init__(self, reader: CaptionReader, ratios: TokenRatios) -> None:
        self.believed_real = np.zeros(0)
        self._reader, self._ratios = reader, ratios
        self._bench: Bench | None = None
        self._stack: StackedPosterior | None = None
        self._held_out = pd.DataFrame()

    def fit(self, bench: Bench) -> StackedReader:
        """Stack on the calibration part, each caption of it by a stack that did not see it."""
        self._bench, self.believed_real = bench, bench.real
        self._reader.fit(bench)
        held_out = bench.calibration
        self._stack = stack_posteriors(
            self._reader.evidence(held_out),
            self._ratios.evidence(held_out),
            held_out["label"],
            bench.categories,
        )
        self._held_out = pd.DataFrame(self._stack.held_out, index=held_out["item_id"])
        self._held_out = self._held_out[~self._held_out.index.duplicated()]
        return self

    def evidence(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return label posteriors (n, K); see `RatioEstimator`."""
        if self._stack is None:
            raise ValueError("Fit the stack before it is asked.")
        posterior = self._stack.posterior(
            self._reader.evidence(items), self._ratios.evidence(items)
        )
        known = items["item_id"].isin(self._held_out.index).to_numpy()
        posterior[known] = self._held_out.loc[items["item_id"][known]].to_numpy()
        return posterior

    def log_ratios(self, items: pd.DataFrame) -> NDArray[np.float64]:
        """Return log Σ_k P_G(k|c)·w_k."""
        if self._bench is None:
            raise ValueError("Fit the stack before it is asked.")
        return caption_oracle_log_ratios(
            self.evidence(items), self._bench.general, self.believed_real
        )
