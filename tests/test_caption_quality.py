"""Facts about how captions are measured."""

from __future__ import annotations

import pandas as pd
import pytest

from semcal_utils.captioning.quality import caption_quality, names_label


def table(captions: list[str], labels: list[str], references: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"caption": captions, "label": labels, "reference_caption": references})


@pytest.mark.parametrize(
    ("caption", "label", "named"),
    [
        ("Two DOGS by the sea.", "dog", True),
        ("a dogma", "dog", False),
        ("a hot-dog stand", "dog", True),
        ("a fire truck", "fire_truck", True),
        ("three buses", "bus", True),
        ("C++ code", "c++", True),
        ("", "dog", False),
    ],
)
def test_a_label_is_named_by_its_word_in_singular_or_plural(caption, label, named):
    assert names_label(caption, label) is named


def test_quality_by_hand():
    found = caption_quality(
        table(
            ["a dog barks at us", "", "a cat"], ["dog", "dog", "cow"], ["a dog barks at us", "", ""]
        )
    )
    assert found == {"keyword_accuracy": pytest.approx(1 / 3), "bleu": pytest.approx(100)}


def test_without_references_there_is_no_bleu():
    assert set(caption_quality(table(["a"], ["a"], [" "]))) == {"keyword_accuracy"}


def test_a_grammar_may_say_what_a_caption_is_about():
    found = caption_quality(
        table(["woof", "miaow"], ["dog", "dog"], ["", ""]), {"woof": "dog", "miaow": "cat"}.get
    )
    assert found == {"keyword_accuracy": 0.5}
