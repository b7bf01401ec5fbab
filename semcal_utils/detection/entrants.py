"""Who enters the league for one run: rivals, the language models, and notebook 03's own recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from semcal_utils.acceptance import log_ratios
from semcal_utils.acceptance.recipes import RECIPES, load_recipes
from semcal_utils.detection.benches import Bench
from semcal_utils.detection.caption_readers import CaptionReader, StackedReader, TokenRatios
from semcal_utils.detection.league import Judged, Maker
from semcal_utils.detection.pooled_states import pooled_states
from semcal_utils.detection.rivals import HashedNgrams, PooledStates, TfidfLogistic
from semcal_utils.models.model_folders import load_language_model
from semcal_utils.runs import Run

LANGUAGE_MODELS, POOLED, STACKED = (
    "language models",
    "pooled LM states",
    "stacked LM + classifier",
)
CHOSEN = "notebook 03's choice"


@dataclass(frozen=True)
class Entrants:
    """The league's methods.

    Attributes:
        makers: by name, what makes an unfitted estimator for a bench.
        megabytes: size of the language models that a method of this name needs.
        fixed: methods that rest on models trained in notebook 02, which are not trained again.
    """

    makers: dict[str, Maker]
    megabytes: dict[str, float]
    fixed: tuple[str, ...]


def gather_entrants(run: Run, benches: Mapping[str, Bench]) -> Entrants:
    """Make every method that a run's artefacts allow; without labels, those that read none.

    Args:
        run: the run of one dataset.
        benches: by world.

    Returns:
        The methods.

    Raises:
        MissingArtefact: models or scores do not exist; the message names the notebook.
    """
    model, tokenizer = load_language_model(run.load_folder("models/general"))
    any_bench = next(iter(benches.values()))
    parts = (any_bench.train, any_bench.calibration, any_bench.test)
    captions = pd.concat(parts, ignore_index=True)
    states = pooled_states(
        model, tokenizer, captions["item_id"].tolist(), captions["caption"].tolist()
    )
    ratios = {world: _token_ratios(run, world) for world in benches}
    makers: dict[str, Maker] = {
        "TF-IDF logistic": lambda bench: TfidfLogistic(),
        "hashed n-grams": lambda bench: HashedNgrams(),
        POOLED: lambda bench: PooledStates(states),
        LANGUAGE_MODELS: lambda bench: TokenRatios(ratios[bench.world]),
    }
    if any_bench.labelled:
        makers |= {
            "label shift, EM": lambda bench: CaptionReader("em"),
            "label shift, BBSE": lambda bench: CaptionReader("bbse"),
            "deconvolution": lambda bench: CaptionReader(),
            STACKED: lambda bench: StackedReader(CaptionReader(), TokenRatios(ratios[bench.world])),
        }
    one = (
        sum(file.stat().st_size for file in run.path("models/general").glob("*.safetensors")) / 1e6
    )
    sizes = {POOLED: one, LANGUAGE_MODELS: 2 * one, STACKED: 2 * one}
    return Entrants(makers, sizes, (POOLED, LANGUAGE_MODELS, STACKED))


def recipe_forms(run: Run, bench: Bench, recipes: Iterable[str] = RECIPES) -> list[Judged]:
    """Read what notebook 03 made of the test items, recipe by recipe.

    Args:
        run: the run of one dataset.
        bench: one world.
        recipes: names of recipes.

    Returns:
        One form per recipe, in the order of the bench's test items.

    Raises:
        MissingArtefact: the recipes' table does not exist; the message names the notebook.
        ValueError: the table lacks a recipe, the world, or an item.
    """
    table = load_recipes(run, part="general_test")
    table = table[table["world"] == bench.world]
    again = "run 03_acceptance_probabilities again"
    forms = []
    for recipe in recipes:
        rows = table[table["recipe"] == recipe].set_index("item_id")
        missing = bench.test.loc[~bench.test["item_id"].isin(rows.index), "item_id"]
        if len(missing):
            raise ValueError(
                f"acceptance.parquet of {run.dataset} says nothing of item {missing.iloc[0]!r} in "
                f"the world {bench.world!r} by the recipe {recipe!r}: {again}."
            )
        judged = rows.loc[bench.test["item_id"]]
        ratio, accept = (judged[name].to_numpy() for name in ("log_ratio", "accept_probability"))
        name = CHOSEN if recipe == "label_matched" else LANGUAGE_MODELS
        forms.append(Judged(name, recipe, ratio, accept))
    return forms


def _token_ratios(run: Run, world: str) -> pd.Series:
    scores = run.load_table(f"token_log_probs/{world}.parquet")
    ratios = log_ratios(
        scores["log_prob_real"], scores["log_prob_general"], item_ids=scores["item_id"].tolist()
    )
    return pd.Series(np.asarray(ratios), index=pd.Index(scores["item_id"], name="item_id"))
