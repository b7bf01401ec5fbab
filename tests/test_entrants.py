"""What notebook 06 reads from a run: recipes, hidden states, fresh scores, the media themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_language_models import CAPTIONS, tiny_model, tiny_tokenizer
from worlds_of_words import make_bench

from semcal_utils import runs
from semcal_utils.acceptance import log_ratios
from semcal_utils.acceptance.recipes import RECIPES, load_recipes
from semcal_utils.detection.entrants import gather_entrants, recipe_forms
from semcal_utils.detection.pooled_states import pooled_states
from semcal_utils.detection.run_media import RunMedia
from semcal_utils.detection.scored_captions import FreshTokenRatios, as_items
from semcal_utils.models import save_language_model, score_pair


@pytest.fixture(scope="module")
def bench():
    return make_bench(train=120, calibration=60, test=60)


@pytest.fixture(scope="module")
def models():
    tokenizer = tiny_tokenizer()
    return tokenizer, tiny_model(tokenizer, seed=0), tiny_model(tokenizer, seed=1)


@pytest.fixture
def run(tmp_path, bench, models):
    run = runs.open_run("tiny", "words", root=tmp_path)
    tokenizer, general, real = models
    for name, model in (("general", general), ("real_severe", real)):
        run.make_folder(
            f"models/{name}",
            lambda place, model=model: save_language_model(model, tokenizer, place),
        )
    known = pd.concat([bench.calibration, bench.test])
    scores = score_pair(general, real, tokenizer, known["caption"].tolist(), progress=False)
    scores["item_id"] = known["item_id"].to_numpy()
    run.table("token_log_probs/severe.parquet", lambda: scores)
    return run


def test_states_do_not_depend_on_the_batch_a_text_falls_in(models):
    tokenizer, model, _ = models
    ids = [f"t{place}" for place in range(len(CAPTIONS))]
    together = pooled_states(model, tokenizer, ids, CAPTIONS)
    alone = pooled_states(model, tokenizer, ids, CAPTIONS, token_budget=1)
    assert list(together.index) == ids
    assert np.allclose(together, alone, atol=1e-4)


def test_a_state_is_the_mean_over_the_tokens_after_the_start(models):
    tokenizer, model, _ = models
    end = tokenizer.eos_token_id
    ids = torch.tensor([[end, *tokenizer("dogs")["input_ids"], end]])
    with torch.no_grad():
        hidden = model.eval().transformer(ids).last_hidden_state[0, 1:].mean(dim=0)
    found = pooled_states(model, tokenizer, ["d"], ["dogs"])
    assert np.allclose(found.loc["d"], hidden.numpy(), atol=1e-5)


def test_known_captions_are_looked_up_and_new_ones_scored_alike(run, bench, models):
    fresh = FreshTokenRatios(run, "severe").fit(bench)
    looked_up = fresh.log_ratios(bench.test)
    scored = fresh.log_ratios(as_items(bench.test["caption"].tolist()))
    assert np.allclose(looked_up, scored, atol=1e-4)
    tokenizer, general, real = models
    by_hand = score_pair(general, real, tokenizer, ["dogs"], progress=False)
    expected = log_ratios(by_hand["log_prob_real"], by_hand["log_prob_general"])
    assert np.allclose(fresh.log_ratios(as_items(["dogs"])), expected, atol=1e-5)
    mean = np.mean(by_hand["log_prob_general"][0])
    assert np.allclose(fresh.familiarity(as_items(["dogs"])), mean, atol=1e-5)


def test_every_entrant_fits_and_ranks(run, bench):
    entered = gather_entrants(run, {"severe": bench})
    assert len(entered.makers) == 8
    assert set(entered.fixed) <= set(entered.makers)
    assert all(entered.megabytes[name] > 0 for name in entered.fixed)
    for name, make in entered.makers.items():
        estimator = make(bench).fit(bench)
        assert estimator.name == name
        assert np.isfinite(estimator.log_ratios(bench.test)).all(), name


def recipes(bench) -> pd.DataFrame:
    """What notebook 03 leaves of the test items."""
    ids = bench.test["item_id"]
    tables = [
        pd.DataFrame({"item_id": ids, "world": "severe", "recipe": recipe, "log_ratio": 0.5})
        for recipe in RECIPES
    ]
    table = pd.concat(tables, ignore_index=True).assign(log_bound=0.7)
    return table.assign(accept_probability=np.linspace(0, 1, len(table)))


@pytest.fixture
def captioned(run, bench):
    run.table("captions.parquet", lambda: bench.test.assign(part="general_test"))
    return run


def test_recipes_come_in_the_benches_order(captioned, bench):
    table = recipes(bench)
    captioned.table("acceptance.parquet", lambda: table.sample(frac=1, random_state=0))
    forms = recipe_forms(captioned, bench)
    assert [form.form for form in forms] == ["paper", "item_calibrated", "label_matched"]
    expected = table.loc[table["recipe"] == "item_calibrated", "accept_probability"]
    assert np.allclose(forms[1].accept, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(world="mild"), r"in the world 'severe'.*again"),
        (lambda t: t.drop(columns="log_ratio"), r"lacks log_ratio.*again"),
        (lambda t: t.iloc[1:], r"nothing of item 'test-0' .*again"),
    ],
)
def test_a_recipes_table_that_does_not_fit_names_what_is_missing(captioned, bench, change, message):
    captioned.table("acceptance.parquet", lambda: change(recipes(bench)))
    with pytest.raises(ValueError, match=message):
        recipe_forms(captioned, bench)


@pytest.mark.parametrize(
    ("name", "message"),
    [("stream", "now called 'label_matched'"), ("item", "now called"), ("best", "choose from")],
)
def test_a_recipe_that_is_not_gives_the_name_that_is(captioned, bench, name, message):
    captioned.table("acceptance.parquet", lambda: recipes(bench))
    with pytest.raises(ValueError, match=message):
        load_recipes(captioned, recipe=name)


def test_missing_tables_and_models_name_their_notebooks(tmp_path, bench):
    empty = runs.open_run("tiny", "nothing", root=tmp_path)
    with pytest.raises(runs.MissingArtefact, match="03_acceptance_probabilities"):
        recipe_forms(empty, bench)
    with pytest.raises(runs.MissingArtefact, match="02_fine_tuning"):
        gather_entrants(empty, {"severe": bench})
    with pytest.raises(runs.MissingArtefact, match="01_captioning"):
        RunMedia(empty)


def test_a_runs_texts_are_read_and_their_words_alone_are_captions(run, bench):
    import datasets

    table = pd.DataFrame({"item_id": ["a", "b"], "text": ["one  two", "three"]})
    items = datasets.Dataset.from_pandas(table)
    run.make_folder("items", lambda place: items.save_to_disk(str(place)))
    media = RunMedia(run)
    assert media.kind == "text"
    assert media.arrays(["b", "a"]) == ["three", "one  two"]
    assert media.captioner()(["one  two"]) == ["one two"]
    assert media.early_captions(["a"], steps=10, lessons=5, seed=0) is None
