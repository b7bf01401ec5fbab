from __future__ import annotations

import json
import os
import random

import numpy as np
import pytest
import torch
from tiny_language_models import (
    CAPTIONS,
    TOKENIZER,
    captions,
    letters_model,
    letters_tokenizer,
    losses,
    mean_loss,
    tiny_llama,
    tiny_model,
    tiny_tokenizer,
    tuned,
)

from semcal_utils.models import (
    FineTuning,
    TrainingDiverged,
    fine_tune,
    hold_out,
    load_language_model,
    save_language_model,
    small_language_model,
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
        FineTuning(learning_rate=3e-3, epochs=3),
        output_dir=tmp_path / "real",
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
        FineTuning(epochs=2),
        output_dir=tmp_path / "tuned",
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
    # Weights lie elsewhere in memory, which moves the last digits of a product.
    assert mean_loss(rough.model, CAPTIONS) == pytest.approx(
        mean_loss(reloaded, CAPTIONS), abs=1e-6
    )
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
        fine_tune(tiny_model(TOKENIZER), captions(), FineTuning(epochs=1), output_dir=tmp_path)


def test_a_tokenizer_without_a_pad_token_trains_all_the_same(tmp_path):
    bare = tiny_tokenizer()
    bare.pad_token = None
    options = {"settings": FineTuning(epochs=1), "device": "cpu", "progress": False}
    base = small_language_model(TOKENIZER, width=16, layers=1, heads=2, context=32, seed=0)
    result = fine_tune(base, captions(), tokenizer=bare, output_dir=tmp_path / "a", **options)
    known = fine_tune(base, captions(), tokenizer=TOKENIZER, output_dir=tmp_path / "b", **options)
    assert result.history.equals(known.history)


def test_a_diverging_run_stops_with_the_step_and_the_texts(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"at step \d+ \(texts \d+") as stopped:
        tuned(tmp_path / "model", learning_rate=1e20)
    assert "lower the learning rate" in str(stopped.value)
    assert os.listdir(tmp_path) == ["model"]
