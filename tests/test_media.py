"""Facts about reading single pictures, sounds and texts, about parts, and about the door."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections import Counter

import numpy as np
import pytest
import soundfile
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from semcal_utils.media import EMBEDDED, load_lessons, load_stream, modality, undecoded
from semcal_utils.media.label_maps import label_map
from semcal_utils.media.parts import assign_parts, draw_stratified
from semcal_utils.media.readers import (
    LARGEST_SIDE,
    READERS,
    UnusableItem,
    read_picture,
    read_sound,
    read_text,
)
from semcal_utils.media.viewing import view


def file_bytes(picture: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=format, **options)
    return buffer.getvalue()


def sound_bytes(samples, rate: int = 16_000, format: str = "WAV", subtype=None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    return buffer.getvalue()


def tone(seconds: float, rate: int = 16_000, pitch: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_in_any_format_is_read_as_rgb(format):
    red = Image.new("RGB", (12, 8), (200, 0, 0))
    read = read_picture(file_bytes(red, format))
    assert (read.mode, read.size) == ("RGB", (12, 8))
    assert abs(np.asarray(read)[4, 6].astype(int) - (200, 0, 0)).max() < 20


def test_a_picture_is_read_alike_from_bytes_path_record_and_memory(tmp_path):
    picture = Image.effect_noise((9, 9), 80).convert("RGB")
    path = tmp_path / "p.png"
    path.write_bytes(file_bytes(picture))
    forms = [picture, path, str(path), path.read_bytes(), {"bytes": None, "path": str(path)}]
    forms.append({"bytes": path.read_bytes(), "path": None})
    assert len({read_picture(form).tobytes() for form in forms}) == 1


def test_a_picture_with_a_wrong_extension_is_read_by_its_content(tmp_path):
    path = tmp_path / "really_a_jpeg.png"
    path.write_bytes(file_bytes(Image.new("RGB", (4, 4), "blue"), "JPEG"))
    assert read_picture(path).size == (4, 4)


def test_a_cmyk_picture_keeps_its_colour():
    read = read_picture(file_bytes(Image.new("RGB", (8, 8), "red").convert("CMYK"), "JPEG"))
    red, green, blue = np.asarray(read)[4, 4]
    assert red > 200
    assert max(green, blue) < 60


def test_a_16_bit_picture_keeps_its_shades():
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    read = np.asarray(read_picture(file_bytes(Image.fromarray(levels))))[:, :, 0]
    assert len(np.unique(read)) == 64
    np.testing.assert_allclose(read, levels / 257, atol=1)


def test_transparency_becomes_white_in_rgba_and_palette_pictures():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    for picture in (clear, clear.convert("P"), clear.convert("LA")):
        assert (np.asarray(read_picture(file_bytes(picture))) == 255).all()


def test_a_palette_picture_shows_its_colours():
    green = Image.new("RGB", (4, 4), (0, 128, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert tuple(np.asarray(read_picture(file_bytes(green)))[0, 0]) == (0, 128, 0)


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue", "green")]
    data = file_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(np.asarray(read_picture(data))[3, 3]) == (255, 0, 0)


def test_a_single_pixel_is_a_picture():
    assert read_picture(file_bytes(Image.new("L", (1, 1), 7))).getpixel((0, 0)) == (7, 7, 7)


def test_a_photograph_held_sideways_is_read_upright():
    picture = Image.new("RGB", (8, 4))
    exif = picture.getexif()
    exif[0x0112] = 6
    assert read_picture(file_bytes(picture, "JPEG", exif=exif)).size == (4, 8)


def test_a_picture_20000_pixels_wide_is_shrunk_in_proportion():
    read = read_picture(file_bytes(Image.new("L", (20_000, 200))))
    assert read.size == (LARGEST_SIDE, 10)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int) -> bytes:
    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", shape) + png_chunk(b"IDAT", b"\0" * 8)


def test_a_picture_of_20000_by_20000_pixels_is_refused_unread():
    with pytest.raises(UnusableItem, match="pixels"):
        read_picture(png_header(20_000, 20_000))


def test_a_picture_just_over_the_limit_names_its_size():
    with pytest.raises(UnusableItem, match="12000 x 9000 pixels"):
        read_picture(png_header(12_000, 9_000))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not a picture"),
        (file_bytes(Image.effect_noise((64, 64), 90))[:900], "damaged"),
        (file_bytes(Image.effect_noise((64, 64), 90), "JPEG")[:700], "damaged"),
        ({"bytes": None, "path": None}, "neither"),
        ({"bytes": None, "path": "/nowhere/x.png"}, "does not exist"),
    ],
)
def test_an_unusable_picture_says_why(data, reason):
    with pytest.raises(UnusableItem, match=reason):
        read_picture(data)


def test_a_zero_byte_file_is_empty(tmp_path):
    path = tmp_path / "zero.png"
    path.touch()
    with pytest.raises(UnusableItem, match="0 bytes"):
        read_picture(path)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_sound_in_any_format_is_read_as_mono_at_16_khz(format):
    read = read_sound(sound_bytes(tone(0.5), format=format))
    assert read.dtype == np.float32
    assert len(read) == pytest.approx(8_000, abs=1_500)
    assert np.abs(read).max() == pytest.approx(0.5, abs=0.1)


def test_stereo_is_averaged():
    left = tone(0.1)
    read = read_sound(sound_bytes(np.stack([left, 0 * left], axis=1), subtype="FLOAT"))
    np.testing.assert_allclose(read, left / 2, atol=1e-6)


def test_8_khz_is_resampled_and_keeps_pitch_and_length():
    read = read_sound(sound_bytes(tone(1.0, rate=8_000), 8_000))
    assert len(read) == 16_000
    assert np.abs(np.fft.rfft(read)).argmax() == 440


def test_decoded_samples_are_taken_as_they_are():
    samples = tone(0.2).astype(np.float32)
    read = read_sound({"array": samples, "sampling_rate": 16_000})
    np.testing.assert_allclose(read, samples)


def test_what_can_be_read_can_be_viewed_and_the_rest_is_none():
    assert (
        view({"bytes": file_bytes(Image.new("RGB", (4, 4))), "path": None}, "image").mode == "RGB"
    )
    assert view({"bytes": b"broken", "path": None}, "image") is None
    assert view({"array": tone(0.5, 16_000), "sampling_rate": 16_000}, "audio").shape == (48, 32)
    assert view({"array": tone(0.01, 8_000), "sampling_rate": 8_000}, "audio").shape == (48, 1)
    assert view({"array": np.zeros(100), "sampling_rate": 8_000}, "audio") is None


def test_60_seconds_are_a_sound_and_an_hour_is_not():
    assert len(read_sound(sound_bytes(tone(60.0, 8_000), 8_000))) == 960_000
    with pytest.raises(UnusableItem, match="lasts 3600 s"):
        read_sound(sound_bytes(np.ones(360_000), 100))


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (sound_bytes(np.zeros(0)), "0 s"),
        (sound_bytes(np.zeros(1_600)), "silent"),
        (sound_bytes(np.full(1_600, np.nan), subtype="FLOAT"), "not finite"),
        (b"", "empty"),
        (b"RIFF but then no more", "cannot be read"),
        ({"array": np.ones(10)}, "no sampling rate"),
        ({"array": np.ones((2, 2, 2)), "sampling_rate": 8_000}, "shape"),
    ],
)
def test_an_unusable_sound_says_why(sound, reason):
    with pytest.raises(UnusableItem, match=reason):
        read_sound(sound)


@pytest.mark.parametrize("text", ["word " * 9_999 + "end", "日本語の文。", "Ελληνικά", "🙂 مرحبا"])
def test_a_text_is_kept_whole_whatever_its_length_and_script(text):
    assert read_text(f"  {text}\n") == text


@pytest.mark.parametrize("text", ["", " \n\t ", None, float("nan"), 3, "\ud800 half a pair"])
def test_what_is_no_text_says_so(text):
    with pytest.raises(UnusableItem):
        read_text(text)


def test_parts_of_a_small_stream_by_hand():
    parts = assign_parts(["a"] * 8 + ["b"] * 4, test_share=0.25, seed=0)
    assert parts[:8].count("general_test") == 2
    assert parts[8:].count("general_test") == 1


@given(
    labels=st.lists(st.sampled_from("abcde"), min_size=1, max_size=80),
    test_share=st.floats(0, 0.99),
    seed=st.integers(0, 9),
)
def test_parts_are_stratified_repeatable_and_leave_every_label_in_training(
    labels, test_share, seed
):
    parts = assign_parts(labels, test_share=test_share, seed=seed)
    assert parts == assign_parts(labels, test_share=test_share, seed=seed)
    tested = Counter(
        label for label, part in zip(labels, parts, strict=True) if part == "general_test"
    )
    for label, count in Counter(labels).items():
        assert tested[label] < count
        assert abs(tested[label] - count * test_share) < 1 or tested[label] == count - 1


def test_a_test_share_of_one_is_refused():
    with pytest.raises(ValueError, match="test_share"):
        assign_parts(["a"], test_share=1.0, seed=0)


@given(
    labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    count=st.integers(1, 80),
    seed=st.integers(0, 9),
)
def test_a_draw_has_the_count_asked_for_or_all(labels, count, seed):
    drawn = draw_stratified(labels, count=count, seed=seed)
    assert len(set(drawn)) == len(drawn) == min(count, len(labels))


def test_a_draw_is_in_proportion():
    labels = ["a"] * 80 + ["b"] * 20
    drawn = Counter(labels[position] for position in draw_stratified(labels, count=50, seed=1))
    assert drawn == {"a": 40, "b": 10}


def test_an_unknown_dataset_lists_the_known_ones():
    assert {"city_pictures", "city_sounds", "library_docs"} == set(EMBEDDED)
    for load in (load_stream, load_lessons):
        with pytest.raises(ValueError, match="city_pictures, city_sounds, library_docs"):
            load("city_smells", items=10, seed=0)


@pytest.mark.parametrize("dataset", EMBEDDED)
def test_every_embedded_stream_has_the_same_columns(dataset):
    items = load_stream(dataset, items=16, seed=0, progress=False)
    kind = modality(items)
    columns = {"item_id", "part", "label", "fine_label", "reference_caption", kind}
    assert set(items.column_names) == columns
    assert len(set(items["item_id"])) == 16
    for row in undecoded(items, kind):
        READERS[kind](row[kind])


@pytest.mark.parametrize("dataset", ["city_pictures", "city_sounds"])
def test_lessons_are_none_of_the_streams_items(dataset):
    lessons = load_lessons(dataset, items=12, seed=0, progress=False)
    stream = load_stream(dataset, items=12, seed=0, progress=False)
    assert set(lessons["part"]) == {"captioner_train"}
    kind = modality(lessons)
    media = [str(row[kind]) for table in (lessons, stream) for row in undecoded(table, kind)]
    assert len(set(media)) == 24
    assert set(lessons["item_id"]).isdisjoint(stream["item_id"])


def test_media_are_loaded_without_the_libraries_of_models():
    script = (
        "import sys; import semcal_utils.media.hub, semcal_utils.media.folder;"
        "from semcal_utils.media import load_stream;"
        "load_stream('library_docs', items=8, seed=0, progress=False);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_stream_of_no_items_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        load_stream("library_docs", items=0, seed=0)


def test_modality_is_the_one_media_column():
    assert modality(Dataset.from_dict({"item_id": ["1"], "text": ["x"]})) == "text"
    with pytest.raises(ValueError, match="exactly one"):
        modality(Dataset.from_dict({"item_id": ["1"]}))
    with pytest.raises(ValueError, match="exactly one"):
        modality(Dataset.from_dict({"text": ["1"], "audio": ["x"]}))


@pytest.mark.parametrize(
    ("name", "fine", "coarse"),
    [("cifar100", 100, 20), ("esc50", 50, 5), ("cifar10", 10, 2), ("vggsound", 309, 12)],
)
def test_a_label_map_covers_its_dataset(name, fine, coarse):
    pairs = label_map(name)
    assert (len(pairs), len(set(pairs.values()))) == (fine, coarse)


def test_groups_of_cifar100_and_esc50_are_of_equal_size():
    assert set(Counter(label_map("cifar100").values()).values()) == {5}
    assert set(Counter(label_map("esc50").values()).values()) == {10}


def test_an_unknown_label_map_lists_the_known_ones(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar10, cifar100, coco, esc50, vggsound"):
        label_map("imagenet")
    broken = tmp_path / "mine.json"
    broken.write_text('["a"]')
    with pytest.raises(ValueError, match="no object"):
        label_map(broken)
