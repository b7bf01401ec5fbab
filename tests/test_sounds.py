"""Facts about the city's sounds, the words for them and their spectra."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semcal_utils.media import load_lessons, load_stream, modality
from semcal_utils.media.events import BACKGROUNDS, SYNTHESISERS
from semcal_utils.media.grammars import LESSONS
from semcal_utils.media.readers import read_sound
from semcal_utils.media.sounds import (
    RATE,
    SAMPLES,
    SoundMeaning,
    Soundscape,
    caption_meaning,
    caption_topic,
    grade_captions,
    make_sound,
    random_soundscape,
    same_meaning,
    soundscape_of,
    stream,
)
from semcal_utils.media.soundscapes import (
    BACKDROPS,
    COUNTED,
    TOPICS,
    soundscape_at,
)
from semcal_utils.media.spectra import FLOOR, log_mel
from semcal_utils.media.synthesis import band_noise, repeat

INDICES = st.integers(0, 100_000)
SEEDS = st.integers(0, 1000)


@pytest.fixture(scope="module")
def sounds():
    return load_stream("city_sounds", items=120, seed=5)


def a_soundscape(event: str, **changes) -> Soundscape:
    choices = {"count": 1, "distance": "near", "backdrop": "quiet", "sample_seed": 0} | changes
    return Soundscape(topic="", event=event, caption="", **choices)


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def sine(frequency: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(SAMPLES) / RATE)


def test_topics_are_uniform_in_both_parts(sounds):
    counts = Counter(zip(sounds["part"], sounds["label"], strict=True))
    assert set(counts.values()) == {9, 3}
    assert len(counts) == 2 * len(TOPICS)
    assert modality(sounds) == "audio"


def test_clips_are_wav_files_of_one_and_a_half_seconds(sounds):
    samples = read_sound(sounds[0]["audio"], sampling_rate=RATE)
    assert samples.shape == (SAMPLES,) == (24_000,)
    made = make_sound(soundscape_of(sounds["item_id"][0], 5))
    assert np.abs(samples - made).max() < 1e-4


def test_the_same_seed_makes_the_same_sounds_and_another_seed_does_not(sounds):
    again = stream(20, 5, progress=False)
    assert again["audio"][:] == sounds["audio"][:20]
    assert again["audio"][:] != stream(20, 6, progress=False)["audio"][:]


def test_no_lesson_is_an_item_of_the_stream():
    heard = {soundscape_at(index, 0).sample_seed for index in range(2000)}
    taught = {soundscape_at(index, 0, part=LESSONS).sample_seed for index in range(2000)}
    assert not heard & taught
    assert set(load_lessons("city_sounds", items=10, seed=0)["part"]) == {"captioner_train"}


@given(INDICES, SEEDS)
def test_every_caption_reads_back_to_its_soundscape(index, seed):
    sound = soundscape_at(index, seed)
    said = SoundMeaning(sound.event, sound.count, sound.distance, sound.backdrop)
    assert caption_meaning(sound.caption) == said
    assert caption_topic(sound.caption) == sound.topic
    assert same_meaning(sound.caption, sound)


@pytest.mark.parametrize(
    ("caption", "meaning"),
    [
        ("a large dog barking twice far away", SoundMeaning("big dog", 2, "far", "quiet")),
        ("In the wind, running footsteps", SoundMeaning("running", 1, "middle", "wind")),
        ("heavy rain very near by the sea", SoundMeaning("heavy rain", 1, "near", "waves")),
        ("an owl and a cuckoo", None),
        ("an owl far away close by", None),
        ("silence", None),
    ],
)
def test_captions_are_read_as_people_read_them(caption, meaning):
    assert caption_meaning(caption) == meaning


def test_grades_are_shares(sounds):
    table = sounds.remove_columns("audio").to_pandas().iloc[:4]
    captions = list(table["reference_caption"])
    assert grade_captions(captions, table) == {"topic_accuracy": 1.0, "meaning_accuracy": 1.0}
    captions[0] = "silence"
    assert grade_captions(captions, table) == {"topic_accuracy": 0.75, "meaning_accuracy": 0.75}


def test_every_event_and_backdrop_of_the_grammar_can_be_heard():
    assert set(SYNTHESISERS) == {event for events in TOPICS.values() for event in events}
    assert set(BACKGROUNDS) | {"quiet"} == set(BACKDROPS)
    for event in SYNTHESISERS:
        for seed in range(3):
            samples = make_sound(a_soundscape(event, sample_seed=seed))
            assert samples.dtype == np.float32
            assert 0.5 < np.abs(samples).max() <= 1
    for backdrop in BACKGROUNDS:
        with_it = make_sound(a_soundscape("owl", distance="far", backdrop=backdrop))
        without = make_sound(a_soundscape("owl", distance="far"))
        assert loudness(with_it - without) > 0.003


@pytest.mark.parametrize("event", ["church bell", "songbird", "heavy rain"])
def test_what_is_far_is_quieter(event):
    levels = [
        loudness(make_sound(a_soundscape(event, distance=distance)))
        for distance in ("far", "middle", "near")
    ]
    assert levels[0] < levels[1] / 1.5 < levels[2] / 2.25


@pytest.mark.parametrize("event", ["big dog", "small dog"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_dog_barks_as_often_as_the_caption_says(event, count):
    for seed in range(5):
        samples = make_sound(a_soundscape(event, count=count, sample_seed=seed))
        frames = np.abs(samples).reshape(-1, 480).max(1) > 0.15
        assert int((np.diff(frames.astype(int)) == 1).sum() + frames[0]) == count


def test_only_what_is_counted_has_a_count():
    for index in range(500):
        sound = soundscape_at(index, 1)
        assert sound.count == 1 or sound.event in COUNTED
        assert ("once" in sound.caption) <= (sound.event in COUNTED)


def test_topics_cannot_be_told_by_a_straight_line_through_raw_spectra():
    scapes = [soundscape_at(index, 2) for index in range(700)]
    clips = [make_sound(scape) for scape in scapes]
    spectra = np.array(
        [np.abs(np.fft.rfft(clip))[:12_000].reshape(120, -1).mean(1) for clip in clips]
    )
    labels = [scape.topic for scape in scapes]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(
        spectra[:500], labels[:500]
    )
    assert 0.3 < model.score(spectra[500:], labels[500:]) < 0.95


def test_a_full_scale_sine_is_loudest_in_its_own_band_at_about_zero_decibels():
    low, high = log_mel(sine(300.0)), log_mel(sine(3000.0))
    assert low.shape == (48, 96)
    assert low.mean(1).argmax() < high.mean(1).argmax()
    assert abs(low[:, 48].max()) < 4
    assert np.all(log_mel(np.zeros(SAMPLES)) == FLOOR)


def test_half_the_amplitude_is_six_decibels_less():
    noise = band_noise(np.random.default_rng(0), 300, 3000) * 0.1
    difference = (log_mel(noise) - log_mel(noise / 2))[10:30, 5:-5]
    assert np.allclose(difference, 20 * np.log10(2), atol=0.01)


def test_a_repeated_event_starts_at_its_times():
    kernel = np.array([1.0, 0.5])
    samples = repeat(kernel, [0.0, 0.1, -1.0, 2.0], np.array([1.0, 2.0, 9.0, 9.0]))
    assert np.allclose(samples[[0, 1, 1600, 1601]], [1, 0.5, 2, 1])
    assert np.isclose(samples.sum(), 4.5)


def test_bad_requests_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="'x' is no city sound"):
        soundscape_of("x", 0)
    with pytest.raises(ValueError, match="Unknown topic 'war'; choose one of rain"):
        random_soundscape("war", np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 250 samples"):
        log_mel(np.zeros(100))
    with pytest.raises(ValueError, match=r"shape \(2, 24000\)"):
        log_mel(np.zeros((2, SAMPLES)))
