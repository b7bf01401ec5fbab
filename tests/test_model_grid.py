from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_language_models import tiny_llama, tiny_tokenizer

from semcal_utils.models import load_language_model, save_language_model
from semcal_utils.models.__main__ import main, settings_of
from semcal_utils.models.cost import Assumptions, training_seconds
from semcal_utils.models.grid import ModelSettings, draw_worlds, train_model
from semcal_utils.models.starting_points import filtered_by
from semcal_utils.runs import open_run, project_root

TINY = ModelSettings(
    worlds={"moderate": 0.4},
    vocabulary=300,
    width=16,
    layers=1,
    epochs=1.0,
    real_epochs=1.0,
    fresh_epochs=2.0,
    batch_size=16,
)


def captions(count: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    labels = rng.choice(["dog", "duck", "fire", "house"], count)
    places = rng.choice(["by the sea", "at night", "in the snow"], count)
    return pd.DataFrame(
        {
            "item_id": [f"item-{i:03d}" for i in range(count)],
            "part": np.where(np.arange(count) % 4, "general_train", "general_test"),
            "label": labels,
            "caption": [f"a {label} {place}" for label, place in zip(labels, places, strict=True)],
        }
    )


def captioned_run(root: Path, profile: str = "tiny"):
    run = open_run(profile, "toy", root=root)
    run.table("captions.parquet", captions, of="a toy")
    return run


def test_the_models_of_a_dataset_are_trained_once_and_reused_while_their_settings_hold(tmp_path):
    run = captioned_run(tmp_path)
    data = draw_worlds(run, TINY)
    folders = [train_model(run, data, TINY, split) for split in ("general", "moderate")]
    written = [(folder / "model.safetensors").stat().st_mtime_ns for folder in folders]
    again = [train_model(run, data, TINY, split) for split in ("general", "moderate")]
    assert [(folder / "model.safetensors").stat().st_mtime_ns for folder in again] == written
    assert (folders[1] / "history.csv").is_file()

    other = train_model(run, data, TINY, "moderate", start="scratch", name="models/other")
    steps = [pd.read_csv(folder / "history.csv")["step"].max() for folder in (folders[1], other)]
    assert steps[1] == 2 * steps[0]  # twice the epochs
    assert (folders[1] / "model.safetensors").stat().st_mtime_ns == written[1]


def test_no_model_sees_the_calibration_part_or_another_world(tmp_path):
    data = draw_worlds(captioned_run(tmp_path), TINY)
    hidden, learnt = (set(data.ids("general", role=r)) for r in ("calibration", "train"))
    assert hidden
    assert not hidden & learnt
    assert set(data.ids("moderate", role="train")) < learnt
    assert len(data.texts("moderate")) == len(data.ids("moderate", role="train"))


def test_any_base_is_fine_tuned_with_its_own_tokenizer(tmp_path):
    tokenizer = tiny_tokenizer()
    save_language_model(tiny_llama(tokenizer), tokenizer, tmp_path / "base")
    run = captioned_run(tmp_path)
    settings = ModelSettings(
        worlds={"moderate": 0.4}, base=str(tmp_path / "base"), epochs=1.0, warmup_steps=1000
    )
    folder = train_model(run, draw_worlds(run, settings), settings, "general")
    model, own = load_language_model(folder)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert own.get_vocab() == tokenizer.get_vocab()


def test_the_paper_profile_asks_for_forty_gpt2_models():
    chosen = settings_of("paper", project_root())
    assert len(chosen) == 8
    assert sum(1 + len(settings.worlds) for settings in chosen.values()) == 40
    for settings in chosen.values():
        assert (settings.base, settings.batch_size, settings.epochs) == ("gpt2", 8, 5.0)
        assert (settings.learning_rate, settings.warmup_steps) == (2e-5, 1000)
        assert settings.real_starts_from == "scratch"


def test_a_profiles_values_reach_the_settings_and_the_notebooks_defaults_fill_the_rest():
    chosen = settings_of("workbook", project_root())
    assert chosen["city_pictures"].real_epochs == 6.0
    assert chosen["library_docs"].epochs == 14.0
    assert chosen["city_sounds"].vocabulary == 2048


def test_costs_grow_with_texts_until_a_step_is_long_enough_to_count():
    given = Assumptions(parameters=1e8, tokens=100, operations_per_second=1e14, utilisation=0.5)
    short = training_seconds(1000, 5, 8, given)
    assert short == pytest.approx(625 * given.seconds_per_step)
    # 6 operations x 1e8 weights x 51,200 tokens at 5e13 a second: 0.6144 s a step.
    assert training_seconds(1024, 1, 512, given) == pytest.approx(2 * 0.6144)


def test_the_command_computes_the_cost_and_names_what_is_missing(capsys, tmp_path, monkeypatch):
    assert main(["--profile", "paper", "--cost"]) == 0
    assert "computed, not measured: 40 models" in capsys.readouterr().out
    assert main(["--profile", "nowhere"]) == 1
    assert "There is no profile 'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"WORLDS": {"mild": "far"}}, "the value 'far'; give"),
        ({"WORLDS": {"a/b": 0.1}}, "names the world 'a/b'"),
        ({"WORLDS": {}}, "names no world"),
        ({"REAL_STARTS_FROM": "nothing"}, "choose general or scratch"),
    ],
)
def test_unknown_settings_are_one_sentence(parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        ModelSettings.from_parameters(parameters)


def test_a_pair_that_knows_the_ratio_removes_all_deception():
    labels = ["a"] * 500 + ["b"] * 500
    real = np.array([0.8, 0.2])
    tokens = {"a": np.log(0.5), "b": np.log(0.5)}
    scored = pd.DataFrame(
        {
            "log_prob_general": [[tokens[label]] for label in labels],
            "log_prob_real": [[np.log(real["ab".index(label)])] for label in labels],
        }
    )
    found = filtered_by(scored, labels, real, ["a", "b"], log_bound=np.log(1.6))
    assert found["reduction"].tolist() == pytest.approx([1.0, 1.0])
    assert found["pass_rate"].tolist() == pytest.approx([1000 / 1600] * 2)


PROFILE = """
notebooks:
  02_fine_tuning:
    WORLDS: {moderate: 0.4}
    VOCABULARY: 300
    WIDTH: 16
    LAYERS: 1
    EPOCHS: 1.0
    REAL_EPOCHS: 1.0
datasets:
  toy: {}
"""


@pytest.mark.long
def test_two_processes_train_the_grid_together(tmp_path):
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    shutil.copy(project_root() / "notebooks" / "02_fine_tuning.ipynb", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "profiles" / "tiny.yaml").write_text(PROFILE)
    captioned_run(tmp_path)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "semcal_utils.models", "--profile", "tiny"]
    environment = {**os.environ, "SEMCAL_ROOT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=project_root(), timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is in data/runs/tiny/toy/models/") == 2
    models = tmp_path / "data" / "runs" / "tiny" / "toy" / "models"
    assert sorted(folder.name for folder in models.iterdir()) == ["general", "real_moderate"]
    steps = pd.read_csv(models / "general" / "history.csv")["step"].max()
    alone = -(
        -len(draw_worlds(open_run("tiny", "toy", root=tmp_path), TINY).texts("general")) // 32
    )
    assert steps < alone  # each step takes a batch per process
