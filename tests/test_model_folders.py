from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_language_models import (
    CAPTIONS,
    TOKENIZER,
    tiny_model,
    tiny_tokenizer,
    tuned,
)
from transformers import GPT2Config, GPT2LMHeadModel

from semcal_utils.models import (
    load_language_model,
    save_language_model,
    score_texts,
)
from semcal_utils.models.model_cards import publish_language_model, write_model_card

# --- folders ----------------------------------------------------------------------------------


def test_a_folder_saved_by_one_process_scores_the_same_in_another(tmp_path):
    model = tiny_model(TOKENIZER).eval()
    save_language_model(model, TOKENIZER, tmp_path / "model")
    script = (
        "import json, sys\n"
        "from semcal_utils.models import load_language_model\n"
        "from semcal_utils.models import score_texts\n"
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


def test_the_published_activation_is_fused_on_loading_and_kept_in_the_folder(tmp_path):
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    size = {"vocab_size": len(tokenizer), "n_embd": 16, "n_layer": 1, "n_head": 2}
    published = GPT2LMHeadModel(GPT2Config(**size, activation_function="gelu_new")).eval()
    save_language_model(published, tokenizer, tmp_path / "published")
    loaded, _ = load_language_model(tmp_path / "published")
    assert any(isinstance(module, torch.nn.GELU) for module in loaded.modules())
    ids = torch.arange(20)[None]
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, published(ids).logits, atol=1e-5)
    save_language_model(loaded, tokenizer, tmp_path / "again")
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    assert config["activation_function"] == "gelu_new"
