"""A caption classifier: the label posterior P_G(k|c) of general captions, honestly calibrated.

TF-IDF of words and of character runs with logistic regression. It says which label a caption speaks
of; the label weights of any world turn that into a ratio, and its confusion into a forecast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from tqdm.auto import tqdm

from semcal_utils.divergence.frequencies import label_codes

WORDS_AND_SIGNS = r"\w+|[^\w\s]"
"""What counts as a word of a caption (scikit-learn's `token_pattern`): punctuation, too."""


class CaptionClassifier:
    """TF-IDF logistic regression from captions to labels.

    Args:
        categories: (K,) distinct labels, in the order of the posterior's columns.
        regularisation: inverse strength of the penalty (scikit-learn's C).
    """

    def __init__(self, categories: Sequence[str], *, regularisation: float = 30.0) -> None:
        self.categories = tuple(categories)
        words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORDS_AND_SIGNS
        )
        runs = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), sublinear_tf=True)
        self._pipeline = Pipeline(
            [
                ("features", FeatureUnion([("words", words), ("runs", runs)])),
                ("regression", LogisticRegression(C=regularisation, max_iter=500)),
            ]
        )

    def fit(self, captions: Sequence[str], labels: Sequence[str]) -> CaptionClassifier:
        """Learn from labelled general captions.

        Args:
            captions: n texts; empty ones are allowed and say nothing.
            labels: (n,) labels.

        Returns:
            The classifier itself.

        Raises:
            ValueError: unknown labels, unequal lengths, fewer than two labels, or no text at all.
        """
        codes = label_codes(labels, self.categories)
        if len(captions) != len(codes):
            raise ValueError(f"There are {len(captions)} captions but {len(codes)} labels.")
        if len(np.unique(codes)) < 2:
            raise ValueError("A caption classifier needs captions of at least two labels.")
        if not any(caption.strip() for caption in captions):
            raise ValueError("Every caption is empty: there is nothing to learn from.")
        self._pipeline.fit(list(captions), codes)
        return self

    def posterior(self, captions: Sequence[str]) -> NDArray[np.float64]:
        """Return P_G(k|c) of captions.

        Args:
            captions: n texts.

        Returns:
            (n, K) probabilities; zero for a label that the classifier never saw.
        """
        found = self._pipeline.predict_proba(list(captions)) if len(captions) else None
        posterior = np.zeros((len(captions), len(self.categories)))
        if found is not None:
            posterior[:, self._pipeline.classes_] = found
        return posterior


def cross_fitted_posteriors(
    captions: Sequence[str],
    labels: Sequence[str],
    categories: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
    progress: bool = True,
) -> NDArray[np.float64]:
    """Posterior of each labelled caption by a classifier that has not seen it.

    Args:
        captions: n texts.
        labels: (n,) labels.
        categories: (K,) distinct labels.
        folds: parts that take turns to be left out.
        seed: fixes the parts.
        progress: show a bar over the folds.

    Returns:
        (n, K) probabilities.

    Raises:
        ValueError: as in `CaptionClassifier.fit`, or fewer captions than folds.
    """
    codes = label_codes(labels, categories)
    if len(codes) < folds:
        raise ValueError(f"{len(codes)} captions cannot be cross-fitted in {folds} folds.")
    texts, names = np.asarray(captions, dtype=object), np.asarray(labels, dtype=object)
    posterior = np.zeros((len(codes), len(categories)))
    smallest = int(np.bincount(codes)[np.unique(codes)].min())
    splitter = StratifiedKFold(min(folds, max(2, smallest)), shuffle=True, random_state=seed)
    parts = list(splitter.split(posterior, codes))
    for train, left_out in tqdm(parts, desc="classifier folds", disable=not progress):
        classifier = CaptionClassifier(categories).fit(list(texts[train]), list(names[train]))
        posterior[left_out] = classifier.posterior(list(texts[left_out]))
    return posterior


def light_classifier(labels: Sequence[str]) -> Pipeline:
    """Return an unfitted scikit-learn classifier that learns thousands of captions in a second.

    TF-IDF of words and word pairs with a linear support vector machine whose scores are calibrated
    by cross-validation; less accurate than `CaptionClassifier`, and twenty times as fast.

    Args:
        labels: (n,) labels of the captions it is going to learn; a label with a single caption
            cannot be cross-validated, and then naive Bayes takes the machine's place.
    """
    folds = min(5, *Counter(labels).values())
    learner = (
        CalibratedClassifierCV(LinearSVC(C=0.5, random_state=0), cv=folds)
        if folds > 1
        else ComplementNB()
    )
    return make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), learner)
