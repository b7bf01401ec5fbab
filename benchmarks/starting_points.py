"""Should a real model start from the general one, or from the same fresh weights?

`python -m benchmarks.starting_points` trains both at every severity on an embedded dataset's
reference captions and writes figures/<dataset>/starting_points.json. It takes minutes, so that
`python -m benchmarks` leaves it out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils.acceptance import accept_probability, exact_log_bound, log_ratios
from semcal_utils.acceptance import paper_log_ratios as paper_ratios
from semcal_utils.divergence import deception_reduction
from semcal_utils.divergence.frequencies import expected_filtered_frequencies
from semcal_utils.language_models import (
    FineTuned,
    fine_tune,
    hold_out,
    small_language_model,
    train_tokenizer,
)
from semcal_utils.media import load_stream
from semcal_utils.scoring import score_pair
from semcal_utils.splits import RealSplit, draw_real_split, severity_kl
from semcal_utils.workspace import project_root, write_json

SEVERITIES = ("mild", "moderate", "severe")
GENERAL_EPOCHS = {"city_pictures": 8.0, "city_sounds": 8.0, "library_docs": 14.0}
REAL_LEARNING_RATE = {"city_pictures": 3e-4, "city_sounds": 3e-4, "library_docs": 1e-3}
FRESH = {"learning_rate": 1e-3, "epochs": 12.0}


def main() -> None:
    """Compare on the datasets named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", choices=sorted(GENERAL_EPOCHS))
    parser.add_argument("--items", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--severities", nargs="+", choices=SEVERITIES, default=SEVERITIES)
    options = parser.parse_args()
    for dataset in options.datasets:
        table = compare(
            dataset, items=options.items, seed=options.seed, severities=options.severities
        )
        print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"), flush=True)
        path = project_root() / "figures" / dataset / "starting_points.json"
        write_json(path, {"items": options.items, "seed": options.seed, "rows": table})


def compare(
    dataset: str, *, items: int, seed: int, severities: Sequence[str] = SEVERITIES
) -> pd.DataFrame:
    """Train general and real models and measure what each pair does to general_test.

    Args:
        dataset: An embedded dataset; its reference captions are the texts.
        items: Items of the stream.
        seed: Decides items, splits, weights and order.
        severities: Which splits to draw.

    Returns:
        One row per severity and start: seconds of the real model's training, held-out losses (nats
        per token), pass rates, and deception reductions of the published clipping and of the full
        log ratio at the exact bound.
    """
    stream = load_stream(dataset, items=items, seed=seed)
    columns = ["item_id", "part", "label", "reference_caption"]
    table = stream.select_columns(columns).to_pandas()
    train, test = (table[table["part"] == part] for part in ("general_train", "general_test"))
    texts = train["reference_caption"].tolist()
    outside = hold_out(train["item_id"].tolist(), seed=seed)
    tokenizer = train_tokenizer(texts, vocabulary_size=2048)
    fresh = small_language_model(tokenizer, width=128, layers=2, heads=4, context=128, seed=seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder:

        def tuned(name: str, base: Any, chosen: NDArray[np.bool_], **budget: float) -> FineTuned:
            return fine_tune(
                base,
                [text for text, taken in zip(texts, chosen, strict=True) if taken],
                tokenizer=tokenizer,
                output_dir=Path(folder) / name,
                held_out=outside[chosen],
                seed=seed,
                progress=False,
                **budget,  # type: ignore[arg-type]
            )

        everything = np.ones(len(texts), dtype=bool)
        general = tuned(
            "general", fresh, everything, learning_rate=1e-3, epochs=GENERAL_EPOCHS[dataset]
        )
        starts = {
            "general": (
                general.model,
                {"learning_rate": REAL_LEARNING_RATE[dataset], "epochs": 4.0},
            ),
            "fresh": (fresh, FRESH),
        }
        for severity in severities:
            split = draw_real_split(
                train["label"].tolist(), target_kl=severity_kl(severity), seed=seed
            )
            for start, (base, budget) in starts.items():
                begun = time.perf_counter()
                real = tuned(f"{severity}_{start}", base, split.members, **budget)
                duration = time.perf_counter() - begun
                rows.append(
                    {
                        "severity": severity,
                        "start": start,
                        "real_texts": int(split.members.sum()),
                        "seconds": duration,
                        "held_out_loss": real.history.query("split == 'held_out'")["loss"].min(),
                        **filtered(general, real, split, test),
                    }
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def filtered(
    general: FineTuned, real: FineTuned, split: RealSplit, test: pd.DataFrame
) -> dict[str, float]:
    """Return pass rate and deception reduction on general_test, by the recipe's name."""
    scored = score_pair(
        general.model,
        real.model,
        general.tokenizer,
        test["reference_caption"].tolist(),
        progress=False,
    )
    columns = ("log_prob_real", "log_prob_general")
    # The published rule scores neither the first token nor the end.
    inner = [[values[1:-1] for values in scored[column]] for column in columns]
    log_bound = exact_log_bound(len(split.members), int(split.members.sum()))
    labels, categories = test["label"].tolist(), split.frequencies.index.tolist()
    frequencies = split.frequencies
    stream = test["label"].value_counts(normalize=True).loc[categories].to_numpy()
    found = {}
    for name, ratios in {
        "paper": paper_ratios(*inner),
        "full": log_ratios(*(scored[column] for column in columns)),
    }.items():
        accept = accept_probability(ratios, log_bound)
        kept = expected_filtered_frequencies(labels, accept, categories)
        reduction = deception_reduction(stream, kept, frequencies["real"].to_numpy())
        found[f"pass_rate_{name}"] = float(accept.mean())
        found[f"deception_reduction_{name}"] = float(reduction.value)
    return found


if __name__ == "__main__":
    main()
