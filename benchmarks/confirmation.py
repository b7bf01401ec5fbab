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

from semcal_utils import runs, worlds
from semcal_utils.acceptance import log_ratios, paper_log_ratios
from semcal_utils.acceptance.hindsight import hindsight
from semcal_utils.acceptance.label_matched import gather_evidence
from semcal_utils.acceptance.oracles import label_oracle_pass_rate
from semcal_utils.acceptance.recipes import load_recipes
from semcal_utils.divergence.intervals import FilterMeasures, measure_filter

MARKS = {"library_docs": 0.93, "city_pictures": 0.98, "city_sounds": 0.98}
"""Least deception reduction of the label_matched recipe above baseline."""


def measure_run(run: runs.Run) -> pd.DataFrame:
    """Measure one dataset of one profile at every world.

    Args:
        run: a run that notebook 03 has finished.

    Returns:
        One row per world: reductions of the three recipes with label_matched's interval, its
        pass rate and its share of the label oracle's, what the chosen power of the log
        ratio and the whole recipe lost against hindsight, what estimated frequencies cost, and
        KL(kept‖R) with its noise band.
    """
    split = worlds.open(run)
    recipes = load_recipes(run)
    unlabelled = run.load_table("without_labels.parquet")
    rows = []
    for world in split.names:
        here = recipes[recipes["world"] == world]
        by_recipe = here.pivot(index="item_id", columns="recipe", values="accept_probability")
        both = unlabelled[unlabelled["world"] == world].merge(
            by_recipe, left_on="item_id", right_index=True, validate="one_to_one"
        )
        row = _reached(both[both["part"] == "general_test"], split, world)
        lost = _hindsight(run, both, split, world)
        rows.append({"profile": run.profile, "dataset": run.dataset, "world": world} | row | lost)
    return pd.DataFrame(rows)


def _reached(test: pd.DataFrame, split: worlds.Worlds, world: str) -> dict[str, object]:
    def measure(column: str) -> FilterMeasures:
        return measure_filter(test["label"], test[column], split.real[world], split.labels)

    matched, estimated = measure("label_matched"), measure("accept_probability")
    reduction = matched.deception_reduction
    return {
        "paper": measure("paper").deception_reduction.value,
        "item_calibrated": measure("item_calibrated").deception_reduction.value,
        "label_matched": reduction.value,
        "low": reduction.low,
        "high": reduction.high,
        "pass rate": matched.pass_rate.value,
        "of oracle's": matched.pass_rate.value
        / label_oracle_pass_rate(split.general, split.real[world]),
        "kl": matched.filtered_kl.value,
        "noise band": matched.filtered_noise_band,
        "em lost": reduction.value - estimated.deception_reduction.value,
        "em kl": estimated.filtered_kl.value,
        "em band": estimated.filtered_noise_band,
    }


def _hindsight(
    run: runs.Run, both: pd.DataFrame, split: worlds.Worlds, world: str
) -> dict[str, object]:
    scored = run.load_table(f"token_log_probs/{world}.parquet").set_index("item_id")
    scored = scored.loc[both["item_id"]]
    pair = scored["log_prob_real"], scored["log_prob_general"]
    ratios = {"log ratio": log_ratios(*pair), "clipped log ratio": paper_log_ratios(*pair)}
    evidence = gather_evidence(
        ratios, np.stack(both["posterior"]), split.general, split.real[world]
    )
    own = (both["part"] == "general_train").to_numpy()
    table = hindsight(
        evidence, both["label"], split.real[world], split.labels, own, general=split.general
    )
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
        One row per profile, dataset and mark: the worst value over worlds, the mark, and met.
    """
    rows = []
    for (profile, dataset), table in results.groupby(["profile", "dataset"], sort=False):
        above = table[table["label_matched"].notna()]
        honest = table[table["label_matched"].isna()]
        recipe_lost = (above["best of all"] - above["label_matched"]).max()
        checks = {
            "label_matched reduction": (
                above["label_matched"].min(),
                MARKS.get(str(dataset), 0.93),
                True,
            ),
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
            if run.path("without_labels.parquet").exists():
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
