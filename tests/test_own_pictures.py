"""A folder of your own pictures, good and bad, through notebook 01."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_captioners
from PIL import Image

PROJECT = Path(__file__).parents[1]


@pytest.mark.workbook
def test_pictures_of_your_own_are_captioned_by_a_model_of_your_own(tmp_path):
    shutil.copytree(PROJECT / "notebooks", tmp_path / "notebooks")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    tiny_captioners.save_blip(tmp_path / "blip")
    rng = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        for number in range(8):
            path = tmp_path / "pets" / label / "album" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).save(path)
    (tmp_path / "pets" / "dogs" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notebooks" / "profiles" / "mine.yaml").write_text(
        "datasets:\n  pets: {SOURCE: pets, ITEMS: 0, CAPTIONER: ./blip, OTHER_CAPTIONERS: [blip]}\n"
    )
    command = ["-m", "semcal_utils.regenerate", "--profile", "mine", "--only", "01"]
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "SEMCAL_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    run = tmp_path / "data" / "runs" / "mine" / "pets"
    captions = pd.read_parquet(run / "captions.parquet").set_index("item_id")
    assert len(captions) == 17
    assert captions.loc["dogs/broken.jpg", "reason"].startswith("The file is not a picture")
    assert (captions["caption"] == "").sum() == 1
    assert captions.loc["cats/album/3.png", "fine_label"] == "cats/album"
    drawn = {path.stem for path in (run / "figures").glob("*.png")}
    assert drawn >= {"01_examples", "01_captions", "01_lengths", "01_voices", "01_forecast"}
    confusion = json.loads((run / "figures" / "01_confusion.json").read_text())["confusion"]
    assert set(confusion) == {"cats", "dogs"}
