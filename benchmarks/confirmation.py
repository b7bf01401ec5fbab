"""The marks that the acceptance rules are held to, on the default run and on runs with other seeds.

    python -m semcal_utils.regenerate --profile confirmation_1    # once per seed
    python -m benchmarks.confirmation workbook confirmation_1 confirmation_2

Settings were chosen with sight of the default run's general_test. The confirmation profiles differ
from it in the seed alone: other items, parts, worlds and models; nothing is chosen on them.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from semcal_utils import runs
from semcal_utils.acceptance import log_ratios, paper_log_ratios
from semcal_utils.acceptance.hindsight import hindsight
from semcal_utils.acceptance.oracles import label_oracle_pass_rate
from semcal_utils.acceptance.stream_recipe import stream_evidence
from semcal_utils.divergence.frequencies import label_frequencies
from semcal_utils.divergence.intervals import FilterMeasures, measure_filter

MARKS = {"library_docs": 0.93, "city_pictures": 0.98, "city_sounds": 0.98}
"""Least deception reduction of the stream recipe above baseline."""


def measure_run(run: runs.Run) -> pd.DataFrame:
    """Measure one dataset of one profile at every severity.

    Args:
        run: a run that notebook 03 has finished.

    Returns:
        One row per severity: reductions of the three recipes with the stream's interval, the
        stream's pass rate and its share of the label oracle's, what the chosen power of the log
        ratio and the whole recipe lost against hindsight, what estimated frequencies cost, and
        KL(kept‖R) with its noise band.
    """
    captions = run.load_table("captions.parquet").set_index("item_id")["label"]
    belongs = run.load_table("splits.parquet")
    recipes = run.load_table("acceptance/all_recipes.parquet")
    unlabelled = run.load_table("acceptance/without_labels.parquet")
    categories = sorted(captions.unique())
    general_ids = belongs.loc[belongs["severity"] == "general", "item_id"]
    general = label_frequencies(captions[general_ids], categories)
    rows = []
    for severity in dict.fromkeys(recipes["severity"]):
        members = belongs.loc[belongs["severity"] == severity, "item_id"]
        real = label_frequencies(captions[members], categories)
        both = recipes[recipes["severity"] == severity].merge(
            unlabelled.loc[
                unlabelled["severity"] == severity, ["item_id", "accept_probability", "posterior"]
            ],
            on="item_id",
            validate="one_to_one",
        )
        row = _reached(both[both["part"] == "general_test"], real, general, categories)
        lost = _hindsight(run, severity, both, real, general, categories)
        rows.append({"profile": run.profile, "dataset": run.dataset, "severity": severity} | row)
        rows[-1] |= lost
    return pd.DataFrame(rows)


def _reached(
    test: pd.DataFrame, real: np.ndarray, general: np.ndarray, categories: list[str]
) -> dict[str, object]:
    def measure(column: str) -> FilterMeasures:
        return measure_filter(test["label"], test[column], real, categories)

    stream, estimated = measure("accept_stream"), measure("accept_probability")
    reduction = stream.deception_reduction
    return {
        "paper": measure("accept_paper").deception_reduction.value,
        "item": measure("accept_item").deception_reduction.value,
        "stream": reduction.value,
        "low": reduction.low,
        "high": reduction.high,
        "pass rate": stream.pass_rate.value,
        "of oracle's": stream.pass_rate.value / label_oracle_pass_rate(general, real),
        "kl": stream.filtered_kl.value,
        "noise band": stream.filtered_noise_band,
        "em lost": reduction.value - estimated.deception_reduction.value,
        "em kl": estimated.filtered_kl.value,
        "em band": estimated.filtered_noise_band,
    }


def _hindsight(
    run: runs.Run,
    severity: str,
    both: pd.DataFrame,
    real: np.ndarray,
    general: np.ndarray,
    categories: list[str],
) -> dict[str, object]:
    scored = run.load_table(f"token_log_probs/{severity}.parquet").set_index("item_id")
    scored = scored.loc[both["item_id"]]
    pair = scored["log_prob_real"], scored["log_prob_general"]
    ratios = {"log ratio": log_ratios(*pair), "clipped log ratio": paper_log_ratios(*pair)}
    evidence = stream_evidence(ratios, np.stack(both["posterior"]), general, real)
    own = (both["part"] == "general_train").to_numpy()
    table = hindsight(evidence, both["label"], real, categories, own, general=general)
    by_kind = table.set_index("estimator")
    return {
        "ratio alone": by_kind.loc["log ratio", "deception_reduction"],
        "ratio's s": by_kind.loc["log ratio", "power"],
        "s lost": by_kind.loc["log ratio", "lost"],
        "best of all": table["best_reduction"].max(),
    }


def verdicts(results: pd.DataFrame) -> pd.DataFrame:
    """Hold the results to the marks.

    Args:
        results: rows of `measure_run`.

    Returns:
        One row per profile, dataset and mark: the worst value over severities, the mark, and met.
    """
    rows = []
    for (profile, dataset), table in results.groupby(["profile", "dataset"], sort=False):
        above = table[table["stream"].notna()]
        honest = table[table["stream"].isna()]
        recipe_lost = (above["best of all"] - above["stream"]).max()
        checks = {
            "stream reduction": (above["stream"].min(), MARKS.get(str(dataset), 0.93), True),
            "pass rate of oracle's": (above["of oracle's"].min(), 0.4, True),
            "chosen s lost": (above["s lost"].max(), 0.02, False),
            "recipe lost to hindsight": (recipe_lost, 0.02, False),
            "em lost": (above["em lost"].max(), 0.06, False),
            "baseline KL of noise band": ((honest["kl"] / honest["noise band"]).max(), 1, False),
            "same with em": ((honest["em kl"] / honest["em band"]).max(), 1, False),
        }
        for name, (worst, mark, at_least) in checks.items():
            met = worst >= mark if at_least else worst <= mark
            rows.append((profile, dataset, name, worst, mark, met if np.isfinite(worst) else None))
    return pd.DataFrame(rows, columns=["profile", "dataset", "mark", "worst", "needed", "met"])


def main() -> None:
    """Print both tables and save them as `figures/confirmation.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("profiles", nargs="+", help="finished profiles, such as workbook")
    parser.add_argument("--datasets", nargs="+", default=list(MARKS))
    asked = parser.parse_args()
    parts = []
    for profile in asked.profiles:
        for dataset in asked.datasets:
            run = runs.open_run(profile, dataset)
            if run.path("acceptance/without_labels.parquet").exists():
                parts.append(measure_run(run))
            else:
                print(f"{profile}/{dataset} is not finished: notebook 03 has not run. Left out.")
    if not parts:
        raise SystemExit("None of these runs is finished; run notebooks 01 to 03 first.")
    results = pd.concat(parts, ignore_index=True)
    marks = verdicts(results)
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(results.round(4).to_string(index=False))
        print(marks.round(4).to_string(index=False))
    saved = {"results": results.to_dict("records"), "marks": marks.to_dict("records")}
    path = runs.project_root() / "figures" / "confirmation.json"
    runs.write_json(path, saved)
    print(f"Saved {path}.")


if __name__ == "__main__":
    main()
