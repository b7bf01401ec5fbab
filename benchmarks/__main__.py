"""`python -m benchmarks`: measure, print a table, write figures/benchmarks.json."""

from __future__ import annotations

import platform
from typing import Any

import torch

from benchmarks import captioning, filtering, language_models, streaming
from benchmarks.subjects import SHAPES
from semcal_utils.runs import library_versions, project_root, write_json


def main() -> None:
    """Run every benchmark and keep its numbers."""
    found = {
        "language_models": language_models.main(),
        "captioning": captioning.run(),
        "filtering": filtering.run(),
        "streaming": streaming.run(),
    }
    print(table(found["language_models"]))
    for name in ("captioning", "filtering", "streaming"):
        for key, value in found[name].items():
            print(f"{name}, {key}: {value}")
    path = project_root() / "figures" / "benchmarks.json"
    machine = {
        "processor": platform.processor() or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    write_json(path, {"machine": machine, "versions": library_versions(), **found})
    print(f"written to {path}")


def table(found: dict[str, Any]) -> str:
    """Return the ratios as lines of text."""
    peak = found["gpt2_small"]["scoring"]["matrix_multiplication_gflops"]
    lines = [
        f"{found['threads']} threads, float32 matrix multiplication {peak:.0f} GFLOP/s",
        f"{'':26}{'GPT-2 small':>14}{'workbook':>14}",
    ]
    rows = {
        "scoring, times reference": ("scoring", "times_the_reference"),
        "  in bfloat16": ("scoring", "times_the_reference_bfloat16"),
        "  if all were at peak": ("scoring", "times_the_reference_at_peak"),
        "  share of peak": ("scoring", "share_of_matrix_multiplication_peak"),
        "  share of peak, reference": ("scoring", "share_of_peak_reference"),
        "  tokens/s": ("scoring", "tokens_per_second"),
        "fine-tuning, times ref.": ("fine_tuning", "times_the_reference"),
        "  tokens/s ": ("fine_tuning", "tokens_per_second"),
    }
    for name, (step, key) in rows.items():
        values = [found[shape][step][key] for shape in SHAPES]
        lines.append(f"{name:26}" + "".join(f"{value:14.2f}" for value in values))
    city = found["workbook"]["city_captions"]["times_the_reference"]
    lines.append(f"{'captions of the city':26}{'':14}{city:14.2f}")
    for recipe, memory in found["gpt2_small"]["scoring"]["memory"].items():
        lines.append(
            f"scoring memory, {recipe}: {memory['peak_mb']:.0f} MB "
            f"(weights {memory['weights_mb']:.0f} MB)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
