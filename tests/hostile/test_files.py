"""Files from anywhere: fuzzed, cut, swollen. Each is read, or named with a reason."""

from __future__ import annotations

import io
import resource
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from tries import COUNTS, SENTENCES, SLOWEST, survive

from semcal_utils.media.own_texts import read_rows
from semcal_utils.media.readers import UnusableItem, read_picture, read_sound

PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
SOUNDS = (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"))
TABLES = ("csv", "jsonl", "parquet")
MOST_MEMORY = 2.5e9  # bytes


def picture(kind):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def sound(kind, subtype):
    file = io.BytesIO()
    wave = np.sin(np.arange(3000) / 10) * 0.5
    soundfile.write(file, wave, 16_000, format=kind, subtype=subtype)
    return file.getvalue()


def table(kind):
    rows = pd.DataFrame({"text": [f"line {i}, ünïcode" for i in range(30)], "label": ["a"] * 30})
    rows["number"] = range(30)
    file = io.BytesIO()
    if kind == "csv":
        rows.to_csv(file, index=False)
    elif kind == "jsonl":
        rows.to_json(file, orient="records", lines=True)
    else:
        rows.to_parquet(file)
    return file.getvalue()


def mutated(content, rng):
    """Return a file with bytes flipped, cut out, repeated, set to extremes, or spliced."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(found))) if rng.random() < 0.5 else int(rng.integers(64))
        place = min(place, len(found) - 1)
        match rng.integers(6):
            case 0:
                found[place] ^= 1 << int(rng.integers(8))
            case 1:
                found[place : place + 4] = struct.pack(">I", int(rng.integers(2**32)))
            case 2:
                found[place : place + int(rng.integers(1, 40))] = b""
            case 3:
                found[place:place] = found[place : place + int(rng.integers(1, 40))]
            case 4:
                found[place] = int(rng.choice([0, 255, 127, 128]))
            case 5:
                found = found[: place + 1]
        if not found:
            return b""
    return bytes(found)


def sizes(quick, long):
    return pytest.mark.parametrize("count", [quick, pytest.param(long, marks=pytest.mark.long)])


@pytest.mark.filterwarnings("ignore")
@sizes(100, 3_000)
@pytest.mark.parametrize("kind", PICTURES)
def test_a_fuzzed_picture_is_read_or_named_unusable(kind, count):
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    content = picture(kind)
    assert read_picture(content).size == (32, 24)
    for _ in range(count):
        fuzzed = mutated(content, rng)
        survive(f"pictures, {kind}", lambda file=fuzzed: read_picture(file), (UnusableItem,))


@sizes(100, 3_000)
@pytest.mark.parametrize(("kind", "subtype"), SOUNDS)
def test_a_fuzzed_sound_is_read_or_named_unusable(kind, subtype, count):
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    content = sound(kind, subtype)
    assert len(read_sound(content)) > 2000
    for _ in range(count):
        fuzzed = mutated(content, rng)
        survive(f"sounds, {kind}", lambda file=fuzzed: read_sound(file), (UnusableItem,))


@sizes(60, 3_000)
@pytest.mark.parametrize("kind", TABLES)
def test_a_fuzzed_table_is_read_or_refused_in_a_sentence(kind, count, tmp_path):
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    content = table(kind)
    path = tmp_path / f"mine.{kind}"
    for _ in range(count):
        path.write_bytes(mutated(content, rng))
        survive(f"tables, {kind}", lambda: read_rows(path), SENTENCES)


@pytest.mark.parametrize("side", [20_000, 65_000])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_picture_too_large_to_decode_is_refused_before_it_is_decoded(kind, side):
    file = io.BytesIO()
    if kind == "PNG":  # all zero: 400 million pixels in a file of a megabyte
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        body = zlib.compress(b"\0" * 1_000_000)
        chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            crc = struct.pack(">I", zlib.crc32(name + data))
            file.write(struct.pack(">I", len(data)) + name + data + crc)
    else:
        Image.new("L", (8, 8)).save(file, kind)
        content = bytearray(file.getvalue())
        place, form = (6, "<HH") if kind == "GIF" else (18, "<ii")
        content[place : place + struct.calcsize(form)] = struct.pack(form, side, side)
        file = io.BytesIO(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def read():
        read_picture(file.getvalue())

    assert not survive("decompression bombs", read, (UnusableItem,))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 300e6


@pytest.mark.parametrize("shape", [(20_000, 3), (3, 20_000), (20_000, 1_000)])
def test_a_picture_of_20000_pixels_is_shrunk(shape):
    file = io.BytesIO()
    Image.new("L", shape, 90).save(file, "PNG")

    def read():
        assert max(read_picture(file.getvalue()).size) == 1024

    assert survive("pictures of 20,000 px", read, ())


@pytest.mark.parametrize("frames", [2**31 - 1, 2**32 - 1])
def test_a_sound_that_claims_hours_does_not_take_memory_for_them(frames):
    content = bytearray(sound("WAV", "PCM_16"))
    content[40:44] = struct.pack("<I", frames)
    content[4:8] = struct.pack("<I", frames)
    flac = bytearray(sound("FLAC", "PCM_16"))
    flac[21:26] = bytes([flac[21] | 15]) + struct.pack(">I", frames)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for file in (bytes(content), bytes(flac)):
        survive("sounds that claim hours", lambda one=file: read_sound(one), (UnusableItem,))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300e6


def test_no_hostile_file_took_long_or_much_memory():
    assert COUNTS, "run with the tests above"
    assert max(SLOWEST.values()) < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MOST_MEMORY


@pytest.mark.parametrize("rate", [1, 99, 4_294_967_291])
def test_a_sound_with_a_rate_that_no_recording_has_is_refused_at_once(rate):
    content = bytearray(sound("WAV", "PCM_16"))
    content[24:28] = struct.pack("<I", rate)
    assert not survive("sounds at odd rates", lambda: read_sound(bytes(content)), (UnusableItem,))
