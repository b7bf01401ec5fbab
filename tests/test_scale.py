from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from tiny_language_models import CAPTIONS, tiny_model, tiny_tokenizer

from semcal_utils.models import save_language_model, score_pair
from semcal_utils.rejection.scale import CaptionBatches, ScoreBatches, run_batches


def texts(count: int = 30) -> Dataset:
    words = [f"{CAPTIONS[i % len(CAPTIONS)]} {i}" for i in range(count)]
    return Dataset.from_dict(
        {
            "item_id": [f"item-{i:03d}" for i in range(count)],
            "part": ["general_test"] * count,
            "label": ["a"] * count,
            "fine_label": ["b"] * count,
            "reference_caption": words,
            "caption": words,
            "text": words,
        }
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, str]:
    folder, tokenizer = tmp_path_factory.mktemp("models"), tiny_tokenizer()
    for seed, name in enumerate(("general", "real")):
        model = tiny_model(tokenizer, context=128, seed=seed)
        save_language_model(model, tokenizer, folder / name)
    return {name: str(folder / name) for name in ("general", "real")}


@pytest.fixture(scope="module")
def expected(folders) -> pd.DataFrame:
    tokenizer = tiny_tokenizer()
    general, real = (tiny_model(tokenizer, context=128, seed=seed) for seed in (0, 1))
    return score_pair(general, real, tokenizer, list(texts()["caption"]), progress=False)


def assert_same_scores(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert found["item_id"].tolist() == list(texts()["item_id"])
    assert [list(row) for row in found["tokens"]] == expected["tokens"].tolist()
    for column in ("log_prob_general", "log_prob_real"):
        assert np.concatenate(found[column].tolist()) == pytest.approx(
            np.concatenate(expected[column].tolist()), abs=3e-5
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_scoring_under_datasets_equals_scoring_at_once(folders, expected, workers):
    """`expected` was scored in this process: forked workers would inherit torch's locks from it."""
    found = run_batches(
        texts(), ScoreBatches(folders), workers=workers, batch_size=8, progress=False
    )
    assert_same_scores(found, expected)


@pytest.mark.long
def test_two_ray_workers_give_the_same_table(folders, expected):
    pytest.importorskip("ray")
    found = run_batches(
        texts(), ScoreBatches(folders), engine="ray", workers=2, batch_size=8, progress=False
    )
    assert_same_scores(found, expected)
    captions = run_batches(
        texts(), CaptionBatches("text"), engine="ray", workers=2, batch_size=8, progress=False
    )
    assert captions["caption"].tolist() == list(texts()["text"])


def test_texts_pass_through_captioning_in_batches():
    found = run_batches(texts(), CaptionBatches("text"), batch_size=7, progress=False)
    assert list(found) == ["item_id", "caption", "reason"]
    assert found["caption"].tolist() == list(texts()["text"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": "spark"}, "choose datasets or ray"),
        ({"workers": 0}, "at least 1"),
        ({"work": ScoreBatches({}, text_column="story")}, "lack the column 'story'"),
    ],
)
def test_bad_input_is_one_sentence(options, sentence):
    settings = {"work": CaptionBatches("text"), **options}
    with pytest.raises(ValueError, match=sentence):
        run_batches(texts(), settings.pop("work"), **settings)


def test_a_repeated_item_is_refused():
    items = texts(2).to_dict()
    items["item_id"] = ["same", "same"]
    with pytest.raises(ValueError, match="occurs twice"):
        run_batches(Dataset.from_dict(items), CaptionBatches("text"))


def test_models_with_different_tokenizers_are_refused(folders, tmp_path: Path):
    other = tiny_tokenizer(290)
    save_language_model(tiny_model(other), other, tmp_path / "other")
    work = ScoreBatches({"general": folders["general"], "real": str(tmp_path / "other")})
    with pytest.raises(ValueError, match="tokenizers differ"):
        run_batches(texts(), work, progress=False)
