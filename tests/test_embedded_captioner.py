"""Facts about the captioner that is trained here: what it reads, how it learns, what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from PIL import Image

from semcal_utils.captioning import Captioner, load_captioner
from semcal_utils.captioning.embedded import EmbeddedCaptioner, caption_tokens, word_tokenizer
from semcal_utils.captioning.network import CaptionerConfig, CaptionerNetwork
from semcal_utils.captioning.training import caption_loss, train_captioner
from semcal_utils.city import PICTURES
from semcal_utils.media import load_lessons, load_stream
from semcal_utils.media.readers import UnusableItem, read_sound

CAPTIONS = ["by day, a dog", "two dogs at night", "a picture of a cat, at dusk"]


@pytest.fixture(scope="module")
def picture_lessons() -> Dataset:
    return load_lessons("city_pictures", items=120, seed=0)


@pytest.fixture(scope="module")
def sound_lessons() -> Dataset:
    return load_lessons("city_sounds", items=60, seed=0)


@pytest.fixture(scope="module")
def trained(picture_lessons):
    return train_captioner(picture_lessons, steps=20, seed=0, grade=PICTURES.grade, progress=False)


@pytest.fixture(scope="module")
def listener(sound_lessons):
    return train_captioner(sound_lessons, steps=4, seed=0, progress=False)[0]


@pytest.fixture
def untrained() -> EmbeddedCaptioner:
    """A random network says something else about every picture."""
    tokenizer = word_tokenizer(CAPTIONS)
    torch.manual_seed(3)
    config = CaptionerConfig(vocab_size=len(tokenizer), caption_tokens=12)
    network = CaptionerNetwork(config)
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(3.0)
    return EmbeddedCaptioner(network, tokenizer)


def noise_pictures(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return [Image.fromarray(block).resize((64, 64)) for block in blocks]


def test_a_badly_trained_captioner_still_says_something(trained, picture_lessons):
    captions = trained[0].caption(picture_lessons["image"], progress=False)
    assert len(captions) == 120
    assert all(caption.strip() for caption in captions)


def test_learning_lowers_the_loss_and_is_recorded(trained):
    history = trained[1]
    measured = history.dropna()
    assert list(history["step"]) == list(range(1, 21))
    assert len(measured) == 8
    assert measured["held_out_loss"].iloc[-1] < 0.9 * measured["held_out_loss"].iloc[0]
    assert history["train_loss"].iloc[-1] < 0.9 * history["train_loss"].iloc[0]
    assert {"topic_accuracy", "meaning_accuracy", "minutes"} <= set(history)


def test_two_kinds_of_picture_are_told_apart_after_a_few_steps():
    rng = np.random.default_rng(0)
    words = {"red": (220, 40, 30), "blue": (30, 60, 220)}
    rows = []
    for place in range(80):
        word = ("red", "blue")[place % 2]
        pixels = np.clip(np.array(words[word]) + rng.normal(0, 25, (64, 64, 3)), 0, 255)
        image = Image.fromarray(pixels.astype(np.uint8))
        rows.append({"image": image, "reference_caption": f"the {word} one"})
    captioner, _ = train_captioner(
        Dataset.from_list(rows), steps=60, batch_size=16, seed=0, progress=False
    )
    squares = [Image.new("RGB", (64, 64), colour) for colour in words.values()]
    assert captioner.caption(squares, progress=False) == ["the red one", "the blue one"]


def test_the_same_seed_trains_the_same_captioner_and_leaves_global_randomness_alone(
    trained, picture_lessons
):
    before = torch.get_rng_state()
    again, history = train_captioner(
        picture_lessons, steps=20, seed=0, grade=PICTURES.grade, progress=False
    )
    assert torch.equal(before, torch.get_rng_state())
    for one, two in zip(
        trained[0].network.state_dict().values(), again.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two)
    assert history.drop(columns="minutes").equals(trained[1].drop(columns="minutes"))
    other, _ = train_captioner(picture_lessons, steps=1, seed=1, progress=False)
    assert not torch.equal(other.network.position, trained[0].network.position)


def test_a_saved_captioner_says_the_same(trained, picture_lessons, tmp_path):
    trained[0].save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    loaded = load_captioner(tmp_path)
    assert isinstance(loaded, Captioner)
    assert loaded.modality == "image"
    images = picture_lessons[:20]["image"]
    assert loaded.caption(images, progress=False) == trained[0].caption(images, progress=False)


def test_a_batch_says_what_single_items_say(untrained):
    images = noise_pictures(24)
    together = untrained.caption(images, progress=False)
    assert len(set(together)) > 3
    assert untrained.caption(images, batch_size=1, progress=False) == together
    assert untrained.caption(images, batch_size=7, progress=False) == together
    assert untrained.caption([], progress=False) == []


def test_cached_writing_equals_writing_from_the_start_each_time(untrained):
    network = untrained.network
    pixels = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    written = network.greedy_captions(pixels)
    tokens = torch.full((6, 1), 1)
    with torch.inference_mode():
        for place in range(written.shape[1]):
            logits = network(pixels, tokens)[:, -1]
            logits[:, [0, 1, 3]] = -torch.inf
            if place == 0:
                logits[:, 2] = -torch.inf
            ended = (tokens[:, 1:] == 2).any(1)
            tokens = torch.cat([tokens, logits.argmax(-1).masked_fill(ended, 0)[:, None]], 1)
    assert torch.equal(tokens[:, 1:], written)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16", "F", "YCbCr"])
def test_pictures_of_any_mode_and_size_are_captioned(trained, mode):
    pixels = Image.new("L", (31, 90), 128)
    picture = Image.new("I;16", (31, 90), 30_000) if mode == "I;16" else pixels.convert(mode)
    assert trained[0].caption([picture, Image.new("RGB", (1, 1))], progress=False)[0]


def test_one_sound_in_any_form_gets_one_caption(listener):
    row = load_stream("city_sounds", items=1, seed=3, progress=False)[0]["audio"]
    samples = read_sound(row)
    forms = [row, samples, {"array": np.stack([samples, samples], 1), "sampling_rate": 16_000}]
    assert len(set(listener.caption(forms, progress=False))) == 1
    assert listener.modality == "audio"
    short, long = samples[:4000], np.concatenate([samples, samples])
    with pytest.warns(UserWarning, match=r"longer than 1\.5 s"):
        heard = listener.caption([long], progress=False)
    assert heard == listener.caption([samples], progress=False)
    assert listener.caption([short], progress=False)[0]


def test_captions_are_read_in_lower_case_and_written_with_tidy_punctuation():
    tokenizer = word_tokenizer(CAPTIONS)
    assert tokenizer("By DAY, a dog").input_ids == tokenizer("by day , a dog").input_ids
    assert tokenizer("a zebra").input_ids[-1] == 3
    assert caption_tokens(tokenizer, CAPTIONS[1:2]).tolist()[0][0] == 1
    tokens = caption_tokens(tokenizer, CAPTIONS)
    assert tokens.shape == (3, 10)
    assert (tokens == 2).sum(1).tolist() == [1, 1, 1]
    assert 2 not in tokenizer("<end> of the day").input_ids


def test_padding_does_not_change_the_loss(untrained):
    tokens = caption_tokens(untrained.tokenizer, CAPTIONS)
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(tokens, (0, 2))
    with torch.inference_mode():
        together = caption_loss(untrained.network, pixels, padded, reduction="sum")
        one_by_one = sum(
            caption_loss(untrained.network, pixels[i : i + 1], tokens[i : i + 1], reduction="sum")
            for i in range(3)
        )
    assert float(together) == pytest.approx(float(one_by_one), abs=1e-3)


def test_items_that_cannot_be_read_are_named(trained, listener):
    with pytest.raises(UnusableItem, match="Item 2: The file is empty"):
        trained[0].caption([*noise_pictures(2), {"bytes": b""}], batch_size=1, progress=False)
    with pytest.raises(UnusableItem, match=r"Item 0: .*not finite"):
        listener.caption([np.full(24_000, np.nan)], progress=False)


def test_bad_lessons_are_refused_before_any_work(picture_lessons):
    lessons = picture_lessons.select(range(4))
    with pytest.raises(ValueError, match="either steps or epochs"):
        train_captioner(lessons, seed=0)
    with pytest.raises(ValueError, match="either steps or epochs"):
        train_captioner(lessons, steps=1, epochs=1, seed=0)
    with pytest.raises(ValueError, match="0 steps teach nothing"):
        train_captioner(lessons, steps=0, seed=0)
    with pytest.raises(ValueError, match="no column reference_caption"):
        train_captioner(lessons.remove_columns("reference_caption"), steps=1, seed=0)
    with pytest.raises(ValueError, match=r"Of 1 lessons 1 are left"):
        train_captioner(lessons.select(range(1)), steps=1, seed=0)
    texts = Dataset.from_dict({"text": ["a"] * 4, "reference_caption": ["a"] * 4})
    with pytest.raises(ValueError, match="A text is its own caption"):
        train_captioner(texts, steps=1, seed=0)
    wordless = lessons.remove_columns("reference_caption").add_column(
        "reference_caption", ["a dog", " ", "a cat", "a cow"]
    )
    with pytest.raises(ValueError, match="Lesson 1 has no reference_caption"):
        train_captioner(wordless, steps=1, seed=0)
    endless = lessons.remove_columns("reference_caption").add_column(
        "reference_caption", ["a dog", "very " * 200, "a cat", "a cow"]
    )
    with pytest.raises(ValueError, match="has 200 words"):
        train_captioner(endless, steps=1, seed=0)


def test_a_loss_that_is_no_number_stops_training_at_its_step(picture_lessons):
    with pytest.raises(RuntimeError, match="at step 2; lower the learning rate"):
        train_captioner(
            picture_lessons.select(range(20)),
            steps=5,
            learning_rate=float("inf"),
            seed=0,
            progress=False,
        )


def test_a_folder_without_a_captioner_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        EmbeddedCaptioner.from_pretrained(tmp_path)


def test_a_batch_size_below_one_is_refused(trained):
    with pytest.raises(ValueError, match="batch_size is 0"):
        trained[0].caption(noise_pictures(1), batch_size=0)
