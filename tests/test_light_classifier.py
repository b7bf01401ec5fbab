"""The light classifier reads labels back from captions, however few there are."""

from __future__ import annotations

import numpy as np
import pytest

from semcal_utils.acceptance.caption_classifier import light_classifier

SEA, TOWN = ["a wave and a boat", "two boats at sea"], ["a tram in the street", "the old tram"]


@pytest.mark.parametrize("copies", [1, 2, 10])
def test_it_learns_from_few_captions_and_from_many(copies):
    captions, labels = (SEA + TOWN) * copies, (["sea"] * 2 + ["town"] * 2) * copies
    fitted = light_classifier(labels).fit(captions, labels)
    assert fitted.predict(["a boat", "a tram"]).tolist() == ["sea", "town"]
    assert np.allclose(fitted.predict_proba(captions).sum(axis=1), 1)


def test_a_label_with_one_caption_is_no_obstacle():
    captions, labels = [*SEA, TOWN[0]], ["sea", "sea", "town"]
    fitted = light_classifier(labels).fit(captions, labels)
    assert fitted.predict(["the tram in the street"]).tolist() == ["town"]
