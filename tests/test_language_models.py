from __future__ import annotations

import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language_models import (
    CAPTIONS,
    letters_model,
    letters_tokenizer,
    tiny_llama,
    tiny_model,
    tiny_tokenizer,
)

from semcal_utils.language_models import (
    END_TOKEN,
    TrainingDiverged,
    fine_tune,
    hold_out,
    load_language_model,
    perplexity,
    sample_texts,
    save_language_model,
    small_language_model,
    train_tokenizer,
)
from semcal_utils.model_cards import publish_language_model, write_model_card
from semcal_utils.scoring import score_texts
from semcal_utils.token_batches import cut_windows, encode_texts
from semcal_utils.training import LengthGroupedBatches, WindowCollator

TOKENIZER = tiny_tokenizer()


def captions(count: int = 200) -> list[str]:
    rng = np.random.default_rng(0)
    things = rng.choice(["dog", "duck", "fire engine", "house"], count)
    places = rng.choice(["by the sea", "at night", "in the snow"], count)
    return [f"a {thing} {place}" for thing, place in zip(things, places, strict=True)]


def tuned(output_dir: Path, *, base=None, texts=None, **options):
    settings = {"learning_rate": 3e-3, "epochs": 2, "seed": 0, "device": "cpu"} | options
    model = small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=32, seed=0)
    return fine_tune(
        model if base is None else base,
        captions() if texts is None else texts,
        tokenizer=TOKENIZER,
        output_dir=output_dir,
        progress=False,
        **settings,
    )


def losses(history, split: str) -> list[float]:
    return history.loc[history["split"] == split, "loss"].tolist()


def mean_loss(model, texts) -> float:
    scored = score_texts(model, TOKENIZER, texts, progress=False)
    return -float(np.mean(np.concatenate([text.log_probs for text in scored])))


# --- tokenizer --------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_survives_the_tokenizer(text):
    ids = TOKENIZER(text, split_special_tokens=True)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_one_token_is_start_end_and_pad():
    assert TOKENIZER.bos_token == TOKENIZER.eos_token == TOKENIZER.pad_token == END_TOKEN
    assert len(TOKENIZER) <= 300


def test_frequent_words_become_one_token():
    assert TOKENIZER.tokenize("a picture by the sea")[-2:] == ["Ġthe", "Ġsea"]


def test_a_vocabulary_below_the_bytes_is_refused():
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer(CAPTIONS, vocabulary_size=100)
    with pytest.raises(ValueError, match="at least one text"):
        train_tokenizer([])


# --- batches ----------------------------------------------------------------------------------


def test_the_collator_teaches_the_end_and_hides_the_filling():
    windows = cut_windows(encode_texts(TOKENIZER, ["dogs", "three dogs in the snow"]), 32)
    batch = WindowCollator(pad_id=TOKENIZER.pad_token_id)(windows)
    for row, window in enumerate(windows):
        assert batch["targets"][row, : window.length].tolist() == window.ids[1:]
        assert window.ids[-1] == TOKENIZER.eos_token_id
        assert (batch["targets"][row, window.length :] == -100).all()
    assert batch["input_ids"].shape[1] == max(window.length for window in windows)


def test_an_epoch_visits_every_text_once_in_an_order_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(3, 30, 1000)
    batches = LengthGroupedBatches(lengths, 32, seed=1)
    first = list(batches)
    assert sorted(i for batch in first for i in batch) == list(range(1000))
    assert len(first) == len(batches)
    assert list(LengthGroupedBatches(lengths, 32, seed=1)) == first
    batches.set_epoch(1)
    assert list(batches) != first
    filled = sum(len(batch) * lengths[batch].max() for batch in first)
    assert filled < 1.15 * lengths.sum()


def test_packing_trains_on_the_same_loss(tmp_path):
    options = {"max_steps": 12, "epochs": None, "evaluations": 3}
    base = small_language_model(
        TOKENIZER, width=16, layers=1, heads=2, context=32, dropout=0.0, seed=0
    )
    apart = tuned(tmp_path / "apart", base=base, **options)
    packed = tuned(tmp_path / "packed", base=base, row_length=64, **options)
    assert packed.history["loss"].tolist() == pytest.approx(
        apart.history["loss"].tolist(), abs=1e-4
    )


# --- fine-tuning ------------------------------------------------------------------------------


def test_training_lowers_the_held_out_loss_and_keeps_the_lowest(tmp_path):
    result = tuned(tmp_path / "model", epochs=6)
    held_out = losses(result.history, "held_out")
    assert held_out[-1] < held_out[0] - 1
    best = result.history.query("split == 'held_out'").set_index("step")["loss"].idxmin()
    assert result.best_step == best
    assert not result.model.training
    assert list(result.history) == ["step", "split", "loss"]


def test_the_held_out_loss_is_what_scoring_finds(tmp_path):
    texts = captions()
    held_out = hold_out([str(i) for i in range(len(texts))], share=0.2, seed=3)
    result = tuned(tmp_path / "model", texts=texts, held_out=held_out)
    outside = [text for text, out in zip(texts, held_out, strict=True) if out]
    assert mean_loss(result.model, outside) == pytest.approx(
        min(losses(result.history, "held_out")), abs=1e-4
    )


def test_an_overfitted_run_keeps_an_earlier_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefgh"), 12)) for _ in range(60)]
    result = tuned(tmp_path / "model", texts=texts, learning_rate=3e-2, epochs=60)
    held_out = result.history.query("split == 'held_out'")
    assert result.best_step < held_out["step"].max()
    assert held_out["loss"].min() < held_out["loss"].iloc[-1]


def test_an_item_is_held_out_of_the_general_and_the_real_model_alike():
    items = [f"item-{i}" for i in range(5000)]
    general = hold_out(items, share=0.1, seed=0)
    real = hold_out(items[1000:2000], share=0.1, seed=0)
    assert (general[1000:2000] == real).all()
    assert general.mean() == pytest.approx(0.1, abs=0.02)
    assert (hold_out(items, share=0.1, seed=1) != general).any()


def test_the_base_model_and_the_global_random_state_stay_as_they_were(tmp_path):
    base = small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=32, seed=0)
    before = {name: weights.clone() for name, weights in base.state_dict().items()}
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    expected = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    tuned(tmp_path / "model", base=base, epochs=1)
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected  # noqa: NPY002
    for name, weights in base.state_dict().items():
        assert torch.equal(weights, before[name])


def test_one_seed_gives_one_model_and_another_seed_another(tmp_path):
    first, again, other = (
        tuned(tmp_path / name, epochs=1, seed=seed)
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert first.history.equals(again.history)
    for name, weights in first.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name])
    assert not first.history.equals(other.history)


def test_a_finished_folder_holds_a_model_and_nothing_of_its_making(tmp_path):
    tuned(tmp_path / "model", epochs=1)
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_real_model_starts_from_the_general_folder(tmp_path):
    tuned(tmp_path / "general", epochs=4)
    real_texts = [text for text in captions() if "sea" in text]
    result = fine_tune(
        tmp_path / "general",
        real_texts,
        output_dir=tmp_path / "real",
        learning_rate=3e-3,
        epochs=3,
        device="cpu",
        progress=False,
    )
    general, _ = load_language_model(tmp_path / "general")
    assert mean_loss(result.model, real_texts) < mean_loss(general, real_texts) - 0.1


def test_a_llama_folder_is_fine_tuned_like_any_other(tmp_path):
    save_language_model(tiny_llama(TOKENIZER), TOKENIZER, tmp_path / "llama")
    result = fine_tune(
        tmp_path / "llama",
        captions(),
        output_dir=tmp_path / "tuned",
        epochs=2,
        device="cpu",
        progress=False,
    )
    held_out = losses(result.history, "held_out")
    assert held_out[-1] < held_out[0]
    reloaded, _ = load_language_model(tmp_path / "tuned")
    assert type(reloaded).__name__ == "LlamaForCausalLM"


def test_bfloat16_and_float32_runs_follow_each_other_in_one_process(tmp_path):
    rough = tuned(tmp_path / "rough", epochs=1, precision="bfloat16")
    exact = tuned(tmp_path / "exact", epochs=1, precision="float32")
    assert next(rough.model.parameters()).dtype == torch.float32
    reloaded, _ = load_language_model(tmp_path / "rough")
    assert mean_loss(rough.model, CAPTIONS) == mean_loss(reloaded, CAPTIONS)
    assert losses(rough.history, "held_out") != losses(exact.history, "held_out")
    assert losses(rough.history, "held_out") == pytest.approx(
        losses(exact.history, "held_out"), rel=0.02
    )


def test_texts_past_the_context_are_learnt_in_windows(tmp_path):
    texts = [f"{text} " * 20 for text in captions(40)]
    result = tuned(tmp_path / "model", texts=texts)
    assert np.isfinite(result.history["loss"]).all()


def test_a_capped_warm_up_and_a_budget_in_steps_are_obeyed(tmp_path):
    result = tuned(tmp_path / "m", epochs=None, max_steps=7, warmup_steps=1000, evaluations=2)
    assert result.history.query("split == 'held_out'")["step"].tolist() == [4, 7]
    record = json.loads((tmp_path / "m" / "training.json").read_text())
    assert record["settings"]["warmup_steps"] == 7


# --- killed and resumed -----------------------------------------------------------------------

SCRIPT = """
import resource, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_language_models import long_run
limit = {limit}
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
long_run(Path({folder!r}))
"""


def long_run(folder: Path):
    return tuned(folder, epochs=None, max_steps=600, evaluations=10, batch_size=8)


def start(folder: Path, *, limit: int = 0) -> subprocess.Popen:
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(folder), limit=limit)
    return subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=folder.parent
    )


def finished_checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("checkpoint-*/trainer_state.json"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """A model folder whose training was killed after a checkpoint or two."""
    folder = tmp_path_factory.mktemp("killed") / "model"
    process = start(folder)
    while not finished_checkpoints(folder):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return folder


def test_a_killed_run_resumes_and_equals_an_uninterrupted_one(killed, tmp_path):
    with pytest.raises(FileNotFoundError, match="training has not finished"):
        load_language_model(killed)
    kept = {file.parent.name for file in finished_checkpoints(killed)}
    assert kept

    # A disk that is full stops the run and costs none of the checkpoints.
    process = start(killed, limit=20_000)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "OSError: Could not write to" in errors
    assert {file.parent.name for file in finished_checkpoints(killed)} == kept

    resumed = long_run(killed)
    whole = long_run(tmp_path / "whole")
    assert resumed.history["step"].tolist() == whole.history["step"].tolist()
    assert resumed.history["loss"].tolist() == pytest.approx(
        whole.history["loss"].tolist(), abs=1e-4
    )
    assert resumed.best_step == whole.best_step
    assert not (killed / "checkpoints").exists()


def test_checkpoints_of_another_run_are_not_resumed(tmp_path):
    checkpoint = tmp_path / "model" / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text("{}")
    (checkpoint.parent / "run.json").write_text('{"settings": "others"}')
    with pytest.warns(UserWarning, match="checkpoints of another run"):
        result = tuned(tmp_path / "model", epochs=1)
    assert result.history["step"].min() == 1


# --- folders ----------------------------------------------------------------------------------


def test_a_folder_saved_by_one_process_scores_the_same_in_another(tmp_path):
    model = tiny_model(TOKENIZER).eval()
    save_language_model(model, TOKENIZER, tmp_path / "model")
    script = (
        "import json, sys\n"
        "from semcal_utils.language_models import load_language_model\n"
        "from semcal_utils.scoring import score_texts\n"
        "model, tokenizer = load_language_model(sys.argv[1])\n"
        "texts = json.loads(sys.argv[2])\n"
        "scored = score_texts(model, tokenizer, texts, progress=False)\n"
        "print(json.dumps([text.log_probs for text in scored]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model"), json.dumps(CAPTIONS)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    here = [text.log_probs for text in score_texts(model, TOKENIZER, CAPTIONS, progress=False)]
    there = json.loads(answer.stdout)
    assert np.concatenate(there) == pytest.approx(np.concatenate(here), abs=1e-6)


def test_a_failed_save_leaves_the_older_model_intact(tmp_path):
    model = tiny_model(TOKENIZER).eval()
    folder = save_language_model(model, TOKENIZER, tmp_path / "model")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="Could not write to"):
            save_language_model(tiny_model(TOKENIZER, seed=1), TOKENIZER, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="train the model first"):
        load_language_model(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        load_language_model(tmp_path)


def test_damaged_weights_are_named(tmp_path):
    folder = save_language_model(tiny_model(TOKENIZER), TOKENIZER, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(FileNotFoundError, match="Cannot load the language model"):
        load_language_model(folder)


def test_a_model_of_another_kind_is_named(tmp_path):
    folder = save_language_model(tiny_model(TOKENIZER), TOKENIZER, tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "no_such_model"}')
    with pytest.raises(ValueError, match="not a causal language model"):
        load_language_model(folder)


def test_a_card_tells_how_the_model_was_made(tmp_path):
    tuned(tmp_path / "model", epochs=1)
    card = write_model_card(tmp_path / "model", title="City, severe", description="Of a city.")
    text = card.read_text()
    assert text.startswith("---\nlibrary_name: transformers")
    assert "# City, severe" in text
    assert "| learning_rate | 0.003 |" in text
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        write_model_card(tmp_path, title="t", description="d")


def test_a_name_the_hub_cannot_take_is_refused(tmp_path):
    tuned(tmp_path / "model", epochs=1)
    with pytest.raises(ValueError, match="no name for a model"):
        publish_language_model(tmp_path / "model", "a//b", title="t", description="d", token="x")


# --- samples and perplexity -------------------------------------------------------------------


def test_samples_follow_the_models_own_probabilities():
    tokenizer = letters_tokenizer("ab")
    model = letters_model(tokenizer)
    count = 4000
    drawn = Counter(sample_texts(model, tokenizer, count, seed=0, max_tokens=12, batch_size=1000))
    texts = ["", "a", "b", "ab", "ba", "aa"]
    for text, scored in zip(
        texts, score_texts(model, tokenizer, texts, progress=False), strict=True
    ):
        chance = math.exp(sum(scored.log_probs))
        tolerance = 4 * math.sqrt(chance * (1 - chance) / count) + 1 / count
        assert drawn[text] / count == pytest.approx(chance, abs=tolerance)


def test_samples_depend_on_the_seed_alone():
    model = tiny_model(TOKENIZER).train()
    torch.manual_seed(0)
    first = sample_texts(model, TOKENIZER, 5, seed=1, max_tokens=20)
    torch.manual_seed(9)
    assert sample_texts(model, TOKENIZER, 5, seed=1, max_tokens=20) == first
    assert sample_texts(model, TOKENIZER, 5, seed=2, max_tokens=20) != first
    assert model.training


def test_perplexity_is_the_exponential_of_the_mean_surprise():
    assert perplexity([[math.log(0.5)], [math.log(0.5), math.log(0.5)]]) == pytest.approx(2)
    assert perplexity([[math.log(0.25), 0.0]]) == pytest.approx(2)
    with pytest.raises(ValueError, match="at least one"):
        perplexity([])


def test_a_fresh_model_depends_on_its_seed_and_leaves_the_global_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    models = [
        small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=8, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.rand(1) == expected
    weights = [model.transformer.wte.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(ValueError, match="multiple of heads"):
        small_language_model(TOKENIZER, width=10, layers=1, heads=4, context=8, seed=0)


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"texts": ["a", "b", "c"]}, "at least 8 texts"),
        ({"texts": ["a dog"] * 50}, "All 50 texts are the same"),
        ({"max_steps": 5}, "either epochs or max_steps"),
        ({"epochs": None}, "either epochs or max_steps"),
        ({"epochs": 0}, "must be positive"),
        ({"held_out_share": 1.5}, "held_out_share must lie"),
        ({"held_out": [True]}, "must name all 200 texts"),
        ({"held_out": [False] * 200}, "on both sides"),
        ({"evaluations": 0}, "evaluations must be"),
        ({"base": letters_model(letters_tokenizer("ab"))}, "do not belong together"),
        ({"base": torch.nn.Linear(2, 2)}, "has no config"),
        ({"device": "abacus"}, "Unknown device"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        tuned(tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_a_text_that_is_none_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"texts\[3\] is NoneType"):
        tuned(tmp_path / "model", texts=["a", "b", "c", None])


def test_a_model_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match="pass tokenizer="):
        fine_tune(tiny_model(TOKENIZER), captions(), output_dir=tmp_path, epochs=1)


def test_a_tokenizer_without_a_pad_token_trains_all_the_same(tmp_path):
    bare = tiny_tokenizer()
    bare.pad_token = None
    options = {"epochs": 1, "device": "cpu", "progress": False}
    base = small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=32, seed=0)
    result = fine_tune(base, captions(), tokenizer=bare, output_dir=tmp_path / "a", **options)
    known = fine_tune(base, captions(), tokenizer=TOKENIZER, output_dir=tmp_path / "b", **options)
    assert result.history.equals(known.history)


def test_a_diverging_run_stops_with_the_step_and_the_texts(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"at step \d+ \(texts \d+") as stopped:
        tuned(tmp_path / "model", learning_rate=1e20)
    assert "lower the learning rate" in str(stopped.value)
    assert os.listdir(tmp_path) == ["model"]
