"""A publication: `figures/published/`, README's tables and the notebooks' outputs, in one step.

Everything is prepared before anything is written, so that a refusal leaves the last publication
whole.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from PIL import Image

from book.problems import PublishingError
from book.published import Published, prepare, write_notebooks
from book.reported import filled
from book.run_times import DATASETS, RUN_TIMES
from semcal_utils import runs
from semcal_utils.runs.places import PUBLISHED
from semcal_utils.runs.reproduction import RESULTS, results_of

MEASURED = ("benchmarks.json", "load.json", "confirmation.json")
"""What `make bench`, `make load` and `make confirm` leave in `figures/`."""
SHOWN = re.compile(rf"\({PUBLISHED.as_posix()}/([\w/]+\.(?:png|gif))\)")
COST = Path("all") / "cost_of_the_run.json"
LARGEST = 3_000_000
"""Bytes of a whole publication: every one of them stays in the history."""


def publish_all(root: Path) -> tuple[list[Published], int]:
    """Write the last run's numbers, showcase images, README tables and notebook outputs.

    Returns:
        The notebooks, and the bytes in `figures/published/`.

    Raises:
        PublishingError: The run is not finished, or README shows what it did not draw.
    """
    ready = prepare(root)
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    partial = root / PUBLISHED.with_name(".published.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        gather(root, text, partial)
        size = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
        if size > LARGEST:
            problem = f"it would hold {size / 1e6:.2f} MB of at most {LARGEST / 1e6:.0f}"
            raise PublishingError(PUBLISHED.as_posix(), None, problem, "show fewer in README")
        made = filled(text, partial)
        shutil.rmtree(root / PUBLISHED, ignore_errors=True)
        partial.rename(root / PUBLISHED)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    runs.write_atomically(
        readme, lambda place: place.write_text(made, encoding="utf-8", newline="\n")
    )
    return write_notebooks(ready), size


def gather(root: Path, readme: str, target: Path) -> None:
    """Copy into a fresh folder all that is published beside README and notebooks.

    Args:
        root: The project.
        readme: README's text, which names the showcase images.
        target: The folder.
    """
    figures = root / "figures"
    found = results_of(figures, DATASETS)
    if missing := [name for name in DATASETS if name not in found]:
        remedy = "run `make figures` from end to end"
        raise PublishingError(missing[0], None, "its results are missing", remedy)
    runs.write_json(target / RESULTS, found)
    copies = {RUN_TIMES: figures / COST, **{name: figures / name for name in MEASURED}}
    for name, source in copies.items():
        # What was not measured again stays as it was published.
        place = source if source.is_file() else root / PUBLISHED / name
        if place.is_file():
            shutil.copyfile(place, target / name)
    for name in dict.fromkeys(SHOWN.findall(readme)):
        source, shown = figures / name, target / name
        if not source.is_file():
            problem = f"README shows {name}, which the last run did not draw"
            raise PublishingError("README.md", None, problem, "run `make figures`")
        shown.parent.mkdir(exist_ok=True)
        copy_image(source, shown)


def copy_image(source: Path, target: Path) -> None:
    """Copy an image; a PNG in 256 colours, which a page shows alike in a third of the bytes."""
    if source.suffix == ".png":
        with Image.open(source) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    else:
        shutil.copyfile(source, target)
