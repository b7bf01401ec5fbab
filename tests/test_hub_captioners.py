"""Facts about the hub's captioners, on tiny random models of the same classes from disk."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_captioners
import torch
from datasets import Dataset, Features, Value
from datasets import Image as Picture
from PIL import Image
from safetensors.torch import load_file, save_file

from semcal_utils.captioning import Captioner, caption_table, load_captioner
from semcal_utils.captioning.embedded import EmbeddedCaptioner, word_tokenizer
from semcal_utils.captioning.hub_captioners import (
    CAPTIONERS,
    BlipCaptioner,
    Florence2Captioner,
    Qwen2AudioCaptioner,
)
from semcal_utils.captioning.network import CaptionerConfig, CaptionerNetwork
from semcal_utils.media.readers import UnusableItem
from semcal_utils.models.devices import choose_device, choose_dtype

MODELS = {
    Florence2Captioner: tiny_captioners.save_florence2,
    BlipCaptioner: tiny_captioners.save_blip,
    Qwen2AudioCaptioner: tiny_captioners.save_qwen2_audio,
}
PICTURE_MODELS = [Florence2Captioner, BlipCaptioner]
TOKENS = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("captioners")
    return {kind: save(root / kind.__name__) for kind, save in MODELS.items()}


@pytest.fixture(scope="module")
def loaded(folders):
    captioners = {kind: load_captioner(folder, device="cpu") for kind, folder in folders.items()}
    for captioner in captioners.values():
        captioner.max_new_tokens = TOKENS
    return captioners


def pictures(count: int = 5) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    shapes = [(64, 64), (40, 90), (1, 1), (300, 20), (33, 32)]
    return [
        Image.fromarray(rng.integers(0, 255, (*shapes[place % 5], 3), dtype=np.uint8))
        for place in range(count)
    ]


def sounds() -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {"array": 0.1 * rng.normal(size=samples).astype(np.float32), "sampling_rate": rate}
        for samples, rate in ((16_000, 16_000), (4_000, 8_000), (30_000, 16_000), (1_700, 16_000))
    ]


def items_for(kind) -> list:
    return sounds() if kind is Qwen2AudioCaptioner else pictures()


# Random weights never say the end token, so every caption here is cut, and says so.
cut_captions = pytest.mark.filterwarnings("ignore:.*stop short")


@pytest.mark.parametrize("kind", MODELS)
def test_the_class_is_found_from_the_models_own_configuration(loaded, kind):
    captioner = loaded[kind]
    assert type(captioner) is kind
    assert isinstance(captioner, Captioner)
    assert captioner.modality == ("audio" if kind is Qwen2AudioCaptioner else "image")
    assert set(CAPTIONERS.values()) == set(MODELS)


@cut_captions
@pytest.mark.parametrize("kind", MODELS)
def test_a_batch_says_what_single_items_say(loaded, kind):
    items = items_for(kind)
    together = loaded[kind].caption(items, batch_size=len(items), progress=False)
    in_pairs = loaded[kind].caption(items, batch_size=2, progress=False)
    alone = [loaded[kind].caption([item], progress=False)[0] for item in items]
    assert together == in_pairs == alone
    assert len(set(together)) > 1


@cut_captions
@pytest.mark.parametrize("kind", MODELS)
def test_captions_are_words_without_padding_special_tokens_or_the_prompt(loaded, kind):
    captions = loaded[kind].caption(items_for(kind), progress=False)
    special = loaded[kind].processor.tokenizer.all_special_tokens
    assert all(captions)
    assert not any(token in caption for token in special for caption in captions)
    for prompt in ("MORE_DETAILED", "Describe", "assistant", "<|"):
        assert not any(prompt in caption for caption in captions)


@cut_captions
@pytest.mark.parametrize("kind", PICTURE_MODELS)
def test_a_picture_of_any_mode_is_captioned_as_its_colours(loaded, kind):
    coloured = pictures(1)[0].convert("P", palette=Image.Palette.ADAPTIVE)
    same = coloured.convert("RGB")
    first, second = loaded[kind].caption([coloured, same], progress=False)
    assert first == second


@pytest.mark.parametrize("kind", MODELS)
def test_a_caption_that_ran_into_its_limit_is_counted_in_a_warning(loaded, kind):
    with pytest.warns(UserWarning, match=rf"fill all {TOKENS} tokens .* raise max_new_tokens"):
        loaded[kind].caption(items_for(kind)[:1], progress=False)


def test_a_caption_that_comes_to_an_end_is_not_counted(folders):
    captioner = load_captioner(folders[Qwen2AudioCaptioner], device="cpu")
    captioner.max_new_tokens = TOKENS
    with torch.no_grad():
        # A head that always prefers the end token says nothing and stops.
        captioner.model.lm_head.weight.zero_()
    captioner.model.generation_config.eos_token_id = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert captioner.caption(sounds()[:2], progress=False) == ["", ""]


def test_sounds_are_resampled_and_unusable_ones_refused_before_the_model_runs(loaded):
    captioner = loaded[Qwen2AudioCaptioner]
    rate, longest = captioner.sampling_rate, captioner.longest_seconds
    for seconds in (longest + 0.5, 0.01):
        with pytest.raises(UnusableItem, match=rf"lasts {seconds:.2f} s; the captioner hears"):
            captioner.caption(
                [{"array": np.ones(int(seconds * rate)), "sampling_rate": rate}], progress=False
            )
    with pytest.raises(UnusableItem, match="no sampling rate"):
        captioner.caption([{"array": np.ones(9_000)}], progress=False)
    with pytest.raises(UnusableItem, match="neither bytes nor a path"):
        captioner.caption([np.ones(9_000)], progress=False)


@cut_captions
def test_a_table_of_pictures_with_a_corrupt_one_is_resumed_alike(loaded, tmp_path):
    facts = ("item_id", "part", "label", "fine_label", "reference_caption")
    features = Features({**dict.fromkeys(facts, Value("string")), "image": Picture()})
    columns = {name: [f"{name} {row}" for row in range(5)] for name in facts}
    media = [Picture().encode_example(picture) for picture in pictures(5)]
    media[3] = {"bytes": b"broken", "path": None}
    items = Dataset.from_dict({**columns, "image": media}, features=features)
    options = {"batch_size": 2, "shard_size": 2, "progress": False, "shard_folder": tmp_path}
    with pytest.warns(UserWarning, match="1 of 5 items have no caption"):
        whole = caption_table(items, loaded[Florence2Captioner], **options)
    (tmp_path / "captions-00000002.parquet").unlink()
    (tmp_path / "captions-00000004.parquet").unlink()
    with pytest.warns(UserWarning, match="1 of 5 items have no caption"):
        resumed = caption_table(items, loaded[Florence2Captioner], **options)
    pd.testing.assert_frame_equal(resumed, whole)
    assert (whole["caption"] != "").tolist() == [True, True, True, False, True]


def test_the_embedded_captioner_is_loaded_through_the_same_door(tmp_path):
    tokenizer = word_tokenizer(["a dog by the sea", "two cats at night"])
    config = CaptionerConfig(height=16, width=16, hidden_size=16, vocab_size=len(tokenizer))
    EmbeddedCaptioner(CaptionerNetwork(config), tokenizer).save_pretrained(tmp_path)
    captioner = load_captioner(tmp_path, device="cpu")
    assert isinstance(captioner, EmbeddedCaptioner)
    assert isinstance(captioner, Captioner)
    assert len(captioner.caption(pictures(3), progress=False)) == 3
    with pytest.raises(ValueError, match="runs in float32"):
        load_captioner(tmp_path, device="cpu", dtype="bfloat16")


def test_precision_suits_the_device_and_can_be_set(folders, loaded):
    assert loaded[BlipCaptioner].model.dtype == torch.float32
    assert choose_dtype(None, "cpu") == torch.float32
    half = load_captioner(folders[BlipCaptioner], device="cpu", dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="choose one of float32, bfloat16, float16"):
        load_captioner(folders[BlipCaptioner], device="cpu", dtype="int3")


def test_devices_are_found_or_refused():
    assert choose_device("cpu").type == "cpu"
    assert choose_device().type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="Unknown device 'abacus'"):
        choose_device("abacus")
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ValueError, match=f"no {missing} device here"):
        choose_device(missing)


def lose_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "vision_model" in name and "fc1.weight" in name)
    del weights[lost]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_weights_off(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "Cannot load the captioner"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "Cannot load the captioner"),
        (cut_weights_off, "Cannot load the captioner"),
        (pickle_weights, "safetensors"),
        (lose_a_weight, r"lacks .*fc1\.weight \(1 in all\)"),
    ],
    ids=["no weights", "no tokenizer", "cut off", "pickled", "a weight lost"],
)
def test_a_damaged_model_is_refused_in_a_sentence(folders, tmp_path, damage, sentence):
    folder = shutil.copytree(folders[BlipCaptioner], tmp_path / "model")
    damage(folder)
    with pytest.raises(FileNotFoundError, match=sentence):
        load_captioner(folder, device="cpu")


def test_a_caption_is_no_longer_than_the_model_has_places_for(folders):
    captioner = load_captioner(folders[Florence2Captioner], device="cpu")
    places = captioner.model.config.get_text_config().max_position_embeddings
    assert captioner.max_new_tokens == min(Florence2Captioner.max_new_tokens, places - 1) < 512
    with pytest.warns(UserWarning, match=f"fill all {places - 1} tokens"):
        assert captioner.caption(pictures(1), progress=False)[0]


def test_a_batch_of_no_items_is_refused(loaded):
    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        loaded[BlipCaptioner].caption(pictures(1), batch_size=0)


def test_a_model_that_brings_its_own_code_runs_none_of_it(folders, tmp_path):
    folder = shutil.copytree(folders[BlipCaptioner], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('remote code ran')")
    assert isinstance(load_captioner(folder, device="cpu"), BlipCaptioner)
