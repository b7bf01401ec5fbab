"""`python -m benchmarks`: measure, print a table, write figures/benchmarks.json."""

from __future__ import annotations

import platform

import torch

from benchmarks import filtering, language_models, streaming
from semcal_utils.workspace import library_versions, project_root, write_json


def main() -> None:
    """Run every benchmark and keep its numbers."""
    found = {
        "language_models": language_models.main(),
        "filtering": filtering.run(),
        "streaming": streaming.run(),
    }
    print(language_models.table(found["language_models"]))
    for name in ("filtering", "streaming"):
        for key, value in found[name].items():
            print(f"{name}, {key}: {value}")
    path = project_root() / "figures" / "benchmarks.json"
    machine = {
        "processor": platform.processor() or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    write_json(path, {"machine": machine, "versions": library_versions(), **found})
    print(f"written to {path}")


if __name__ == "__main__":
    main()
