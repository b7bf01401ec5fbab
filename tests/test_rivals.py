"""Rivals recover a ratio that is known, and the league judges them alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds_of_words import DOUBTFUL, GENERAL, LABELS, REAL, make_bench, true_log_ratio

from semcal_utils import runs
from semcal_utils.detection import league
from semcal_utils.detection.benches import open_benches, rows_of
from semcal_utils.detection.caption_readers import CaptionReader, StackedReader, TokenRatios
from semcal_utils.detection.few_labels import CLASSIFIER, few_labels
from semcal_utils.detection.rivals import (
    HashedNgrams,
    PooledStates,
    TfidfLogistic,
    subsample_log_ratio,
)


@pytest.fixture(scope="module")
def bench():
    return make_bench()


def test_the_correction_for_a_part_of_the_stream_by_simulation():
    rng = np.random.default_rng(0)
    real, rest, share = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.2, 0.6]), 0.25
    member = rng.random(400_000) < share
    caption = np.where(member, rng.choice(3, 400_000, p=real), rng.choice(3, 400_000, p=rest))
    odds = np.bincount(caption[member], minlength=3) / np.bincount(caption[~member], minlength=3)
    rho = odds * (~member).mean() / member.mean()
    found = np.exp(subsample_log_ratio(np.log(rho), member.mean()))
    general = np.bincount(caption, minlength=3) / len(caption)
    assert np.allclose(found, np.bincount(caption[member], minlength=3) / member.sum() / general)
    assert np.allclose(found, real / (share * real + (1 - share) * rest), rtol=0.03)


def test_the_corrected_ratio_never_passes_the_exact_bound():
    assert np.isclose(np.exp(subsample_log_ratio(700.0, 0.2)), 5.0)
    assert subsample_log_ratio(0.0, 0.3) == pytest.approx(0.0)
    assert subsample_log_ratio(2.0, 1.0) == pytest.approx(0.0)  # R is all of G: every ratio is one
    with pytest.raises(ValueError, match="share of R in G"):
        subsample_log_ratio(0.0, 0.0)


def test_the_discriminator_recovers_the_true_ratio(bench):
    found = TfidfLogistic().fit(bench).log_ratios(bench.test)
    assert found.max() <= bench.log_bound + 1e-9
    assert np.corrcoef(np.exp(found), np.exp(true_log_ratio(bench.test["caption"])))[0, 1] > 0.95


@pytest.mark.parametrize("make", [HashedNgrams, CaptionReader, lambda: CaptionReader("em"),
                                  lambda: CaptionReader("bbse")])  # fmt: skip
def test_other_rivals_rank_captions_as_the_true_ratio_does(bench, make):
    rival = make().fit(bench)
    truth = pd.Series(true_log_ratio(bench.test["caption"]))
    assert truth.corr(pd.Series(rival.log_ratios(bench.test)), method="spearman") > 0.9


@pytest.mark.parametrize("way", ["em", "bbse"])
def test_label_shift_finds_the_worlds_frequencies_without_its_labels(bench, way):
    blind = bench.calibration.assign(
        label=np.where(bench.calibration["real"], "fire", bench.calibration["label"])
    )
    seen = bench.calibration if way == "bbse" else blind  # EM never reads these labels
    from dataclasses import replace

    found = CaptionReader(way).fit(replace(bench, calibration=seen)).believed_real
    assert np.abs(found - REAL).max() < 0.09


def test_an_unknown_world_is_refused():
    with pytest.raises(ValueError, match="Unknown world 'guess'"):
        CaptionReader("guess")


def test_pooled_states_learn_from_the_vectors_they_are_given(bench):
    everyone = pd.concat([bench.train, bench.calibration, bench.test])
    one_hot = np.eye(3)[[LABELS.index(name) for name in everyone["label"]]]
    states = pd.DataFrame(one_hot, index=everyone["item_id"])
    found = PooledStates(states).fit(bench).log_ratios(bench.test)
    means = pd.Series(found).groupby(bench.test["label"].to_numpy()).mean()[list(LABELS)]
    assert (np.argsort(means.to_numpy()) == np.argsort(REAL / GENERAL)).all()


def test_an_item_without_a_score_is_named(bench):
    with pytest.raises(ValueError, match=r"'test-0' has no score.*03_acceptance_probabilities"):
        rows_of(pd.Series([1.0], index=["other"]), bench.test)


def true_ratios(bench):
    everyone = pd.concat([bench.calibration, bench.test])
    return pd.Series(true_log_ratio(everyone["caption"]), index=everyone["item_id"])


def makers(bench):
    ratios = true_ratios(bench)
    return {
        "TF-IDF logistic": lambda b: TfidfLogistic(),
        "deconvolution": lambda b: CaptionReader(),
        "language models": lambda b: TokenRatios(ratios),
        "stacked LM + classifier": lambda b: StackedReader(CaptionReader(), TokenRatios(ratios)),
    }


def test_the_league_runs_every_method_in_both_forms_and_twice_alike(bench):
    first, cost, found = league.run_league(makers(bench), [bench], resamples=40)
    second, _, _ = league.run_league(makers(bench), [bench], resamples=40)
    pd.testing.assert_frame_equal(first, second)
    assert set(first["form"]) == {"item_calibrated", "label_matched", "oracle"}
    assert len(first) == 2 * 4 + 1
    assert len(cost) == 4
    stream = first[first["form"] == "label_matched"].set_index("method")["reduction"]
    assert (stream > 0.9).all()
    assert first.loc[first["method"] == league.ORACLE, "reduction"].item() > 0.99
    assert found["severe", "deconvolution", "label_matched"].accept.max() <= 1


def test_the_stream_form_beats_an_exact_ratio_where_captions_leave_doubt():
    bench = make_bench(calibration=1200, test=2000, words=DOUBTFUL)
    everyone = pd.concat([bench.calibration, bench.test])
    exact = true_log_ratio(everyone["caption"], DOUBTFUL)
    estimator = TokenRatios(pd.Series(exact, index=everyone["item_id"])).fit(bench)
    rows = [
        league.measure(judged, bench, resamples=10)
        for judged in league.judge_forms(estimator, bench)
    ]
    by = {row["form"]: row for row in rows}
    assert by["label_matched"]["reduction"] > by["item_calibrated"]["reduction"] + 0.05
    assert by["label_matched"]["auc"] == pytest.approx(
        by["item_calibrated"]["auc"]
    )  # the order is the same


def test_a_bench_without_labels_has_an_item_form_and_no_reduction(bench):
    from dataclasses import replace

    one = replace(
        bench,
        train=bench.train.assign(label="all"),
        calibration=bench.calibration.assign(label="all"),
        test=bench.test.assign(label="all"),
        categories=("all",),
        general=np.ones(1),
        real=np.ones(1),
    )
    table, _, _ = league.run_league({"TF-IDF logistic": lambda b: TfidfLogistic()}, [one])
    assert set(table["form"]) == {"item_calibrated", "oracle"}
    assert table["reduction"].isna().all()
    assert table["auc"].isna().all()
    assert table["reason"].str.len().gt(0).all()
    assert table["membership_auc"].max() > 0.7


def test_five_seeds_scatter_little_and_fixed_methods_keep_their_lessons(bench):
    table = league.refit_seeds(
        makers(bench), bench, [1, 2], fixed=["language models", "stacked LM + classifier"]
    )
    assert set(table["seed"]) == {1, 2}
    same = table[(table["method"] == "language models")].groupby("form")["auc"].nunique()
    assert (same == 1).all()


def test_few_labels_feed_a_ratio_but_not_a_classifier(bench):
    ratios = {"language models": TokenRatios(true_ratios(bench)).fit(bench)}
    table = few_labels(ratios, bench, [12, 120], repeats=3)
    mean = table.pivot_table(index="labels", columns="method", values="reduction")
    assert mean.loc[12, "language models"] > mean.loc[12, CLASSIFIER]
    assert mean.loc[120, CLASSIFIER] > mean.loc[12, CLASSIFIER]
    with pytest.raises(ValueError, match="5 labelled captions cannot be drawn"):
        few_labels(ratios, bench, [5])


def test_a_resplit_keeps_sizes_and_items_and_shares_none(bench):
    other = bench.resplit(3)
    assert len(other.train) == len(bench.train)
    assert not set(other.train["item_id"]) & set(other.calibration["item_id"])
    assert set(other.calibration["item_id"]) != set(bench.calibration["item_id"])


@pytest.fixture
def run(tmp_path, bench):
    run = runs.open_run("tiny", "words", root=tmp_path)
    parts = {"general_train": [bench.train, bench.calibration], "general_test": [bench.test]}
    captions = pd.concat(
        [table.assign(part=part) for part, tables in parts.items() for table in tables]
    )
    roles = pd.concat([bench.train.assign(role="train"),
                       bench.calibration.assign(role="calibration")])  # fmt: skip
    belongs = pd.concat(
        [roles.assign(world="general"), roles[roles["real"]].assign(world="severe")]
    )
    run.table("captions.parquet", lambda: captions.drop(columns="real").reset_index(drop=True))
    run.table("splits.parquet",
              lambda: belongs[["item_id", "world", "role"]].reset_index(drop=True))  # fmt: skip
    return run


def test_benches_are_read_from_captions_and_splits(run, bench):
    read = open_benches(run, ["severe"])["severe"]
    assert read.train["real"].sum() == bench.train["real"].sum()
    assert len(read.test) == len(bench.test)
    assert np.isclose(read.share, bench.share)


def test_a_world_that_was_not_run_is_named_with_those_that_were(run):
    with pytest.raises(ValueError, match=r"no world 'mild'; it has severe.*02_fine_tuning"):
        open_benches(run, ["mild"])


def test_missing_artefacts_name_their_notebook(tmp_path):
    empty = runs.open_run("tiny", "nothing", root=tmp_path)
    with pytest.raises(runs.MissingArtefact, match="01_captioning"):
        open_benches(empty, ["severe"])


def test_a_label_without_held_out_captions_does_not_stop_label_shift(bench):
    lacking = bench.calibration[bench.calibration["label"] != "fire"].reset_index(drop=True)
    reader = CaptionReader("bbse").fit(replace(bench, calibration=lacking))
    assert np.isclose(np.sum(reader.believed_real), 1)


def test_a_resplit_keeps_every_label_on_both_sides(bench):
    fires = bench.train[bench.train["label"] == "fire"].head(4)
    others = bench.train[bench.train["label"] != "fire"]
    rare = replace(
        bench,
        train=pd.concat([fires, others], ignore_index=True),
        calibration=bench.calibration[bench.calibration["label"] != "fire"],
    )
    for seed in range(6):
        divided = rare.resplit(seed)
        assert "fire" in set(divided.train["label"]) & set(divided.calibration["label"])


def test_a_label_that_only_general_test_holds_is_named(run, bench):
    captions = run.load_table("captions.parquet")
    captions.loc[captions["part"] == "general_test", "label"] = "quake"
    run.table("captions.parquet", lambda: captions, changed=True)
    with pytest.raises(ValueError, match=r"Label 'quake' of .* general_test only"):
        open_benches(run, ["severe"])
