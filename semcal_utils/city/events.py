"""The sounds of a city: rain, thunder, sirens, birds, engines, clocks, steps, bells, crowds, dogs.

`SYNTHESISERS` and `BACKGROUNDS` make one clip of 1.5 s each time they are called, of any loudness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import irfft, rfft

from semcal_utils.city.synthesis import (
    FREQUENCIES,
    RATE,
    SAMPLES,
    SECONDS,
    TIME,
    Samples,
    band_noise,
    band_passed,
    burst,
    ping,
    repeat,
    shower,
    tone,
)

BELL_PARTIALS = (
    (0.5, 0.5, 1.5),
    (1.0, 1.0, 1.2),
    (1.19, 0.6, 0.8),
    (1.5, 0.4, 0.7),
    (2.0, 0.7, 0.6),
    (2.51, 0.3, 0.35),
    (3.01, 0.3, 0.3),
    (4.1, 0.2, 0.2),
)
"""Ratio to the strike note, gain and decay in seconds: hum, prime, third, fifth, nominal..."""


def _rain(rng: np.random.Generator, *, density: float, hiss: float) -> Samples:
    """Make rain: drops a second over a hiss."""
    drops = np.zeros(SAMPLES)
    for _ in range(3):
        drop = ping(rng.uniform(2000, 6000), rng.uniform(0.0015, 0.004), 0.03)
        drops += shower(drop, density / 3, rng)
    return drops + hiss * band_noise(rng, rng.uniform(900, 1500), 7000)


def _rain_on_metal(rng: np.random.Generator) -> Samples:
    """Make rain that drums on a metal roof, which rings a little."""
    roof = rng.uniform(900, 1600)
    drops = np.zeros(SAMPLES)
    for overtone in (1.0, 1.56, 2.3):
        drop = ping(roof * overtone * rng.uniform(0.97, 1.03), rng.uniform(0.008, 0.016), 0.1)
        drops += shower(drop, rng.uniform(14, 30), rng)
    return drops + 0.06 * band_noise(rng, 1200, 7000)


def _rolling_thunder(rng: np.random.Generator) -> Samples:
    """Make thunder that rolls: a low rumble in several swells."""
    rumble = band_noise(rng, 35, rng.uniform(90, 160)) + 0.15 * band_noise(rng, 100, 400)
    return rumble * _swells(rng, count=int(rng.integers(3, 6)), decay=(0.2, 0.5))


def _thunderclap(rng: np.random.Generator) -> Samples:
    """Make a crack of thunder: a sharp burst, then the rumble."""
    start = rng.uniform(0.05, 0.4)
    after = np.maximum(TIME - start, 0)
    crack = band_noise(rng, 150, 3500) * np.exp(-after / rng.uniform(0.05, 0.12))
    rumble = band_noise(rng, 40, 220) * np.exp(-after / rng.uniform(0.4, 0.8))
    return (crack + rumble) * (start < TIME)


def _sweeping_siren(rng: np.random.Generator, *, sweeps: tuple[float, float]) -> Samples:
    """Make a siren that sweeps up and down, `sweeps` times a second."""
    middle, reach = rng.uniform(700, 950), rng.uniform(230, 380)
    rate, phase = rng.uniform(*sweeps), rng.uniform(0, 2 * np.pi)
    return _horn(middle + reach * np.sin(2 * np.pi * rate * TIME + phase))


def _two_note_siren(rng: np.random.Generator) -> Samples:
    """Make a siren that alternates between two notes."""
    low, interval = rng.uniform(420, 680), rng.uniform(1.2, 1.4)
    turns = np.floor(TIME * rng.uniform(2.2, 3.6) + rng.uniform(0, 2)) % 2
    return _horn(np.where(turns == 0, low, low * interval))


def _songbird(rng: np.random.Generator, *, birds: int = 1) -> Samples:
    """Make the song of one or several birds: short whistles that glide."""
    song = np.zeros(SAMPLES)
    for _ in range(birds):
        pitch, at = rng.uniform(2300, 5000), rng.uniform(0, 0.25)
        loudness = rng.uniform(0.5, 1.0)
        while at < SECONDS - 0.15:
            length = rng.uniform(0.05, 0.14)
            glide = np.linspace(0, 1, int(length * RATE))
            bend = rng.uniform(-0.25, 0.35) * glide
            warble = 0.06 * np.sin(2 * np.pi * rng.uniform(2, 6) * glide)
            whistle = tone(pitch * (1 + bend + warble)) * np.hanning(len(glide))
            start = int(at * RATE)
            song[start : start + len(whistle)] += loudness * whistle
            at += length + rng.uniform(0.03, 0.2)
    return song


def _owl(rng: np.random.Generator) -> Samples:
    """Make an owl's low hoots."""
    pitch, first = rng.uniform(320, 460), rng.uniform(0.05, 0.3)
    lengths = [rng.uniform(0.12, 0.2), rng.uniform(0.3, 0.45)]
    return _notes(pitch * np.array([1.0, 0.95]), lengths, first, gap=rng.uniform(0.1, 0.25))


def _cuckoo(rng: np.random.Generator) -> Samples:
    """Make a cuckoo's two notes, a third apart, once or twice."""
    pitch, first = rng.uniform(600, 760), rng.uniform(0.02, 0.2)
    notes = np.tile([1.0, 0.81], int(rng.integers(1, 3)))
    return _notes(pitch * notes, [0.17] * len(notes), first, gap=rng.uniform(0.1, 0.16))


def _engine(rng: np.random.Generator, *, firing: tuple[float, float], brightness: float) -> Samples:
    """Make an engine: harmonics of its firing rate in Hz, and the noise it makes."""
    rate = rng.uniform(*firing) * (1 + rng.uniform(-0.15, 0.35) * TIME / SECONDS)
    cycle = np.cumsum(rate) / RATE
    # A limping pulse once a cycle, sharper the brighter the engine.
    pulse = np.exp(brightness * (np.cos(2 * np.pi * cycle) - 1))
    limp = 1 + rng.uniform(0.1, 0.4) * np.cos(np.pi * cycle + rng.uniform(0, 6))
    rough = 1 + 0.25 * band_noise(rng, 20, 2000)
    return band_passed(pulse * limp * rough - np.mean(pulse), 30, 1800) + 0.02 * band_noise(
        rng, 80, 900
    )


def _clock(rng: np.random.Generator, *, period: tuple[float, float]) -> Samples:
    """Make a clock whose ticks and tocks follow each other by `period` seconds."""
    beat, first = rng.uniform(*period), rng.uniform(0.02, 0.2)
    times = np.arange(first, SECONDS, beat)
    case = rng.uniform(0.85, 1.15)
    ticks = repeat(_click((2200 * case, 4300 * case, 6100 * case)), times[::2])
    return ticks + repeat(_click((2700 * case, 4300 * case, 5800 * case)), times[1::2], 0.8)


def _footsteps(
    rng: np.random.Generator, *, period: tuple[float, float], hardness: float
) -> Samples:
    """Make footsteps `period` seconds apart; hard soles click, soft ones thud."""
    beat, first = rng.uniform(*period), rng.uniform(0.02, 0.25)
    times = np.arange(first, SECONDS, beat)
    times = times + rng.normal(0, 0.012, len(times))
    gains = rng.uniform(0.7, 1.0, len(times))
    thud = burst(rng, 60, rng.uniform(250, 450), 0.03)
    scrape = burst(rng, 1200, 5000, 0.02)
    click = ping(rng.uniform(1500, 2600), 0.004, 0.04)
    steps = repeat((1 - 0.7 * hardness) * thud + 0.25 * scrape, times, gains)
    return (
        steps + hardness * repeat(click, times, gains) + 0.3 * repeat(scrape, times + 0.09, gains)
    )


def _bell(
    rng: np.random.Generator, *, pitch: tuple[float, float], decay: float, count: int
) -> Samples:
    """Make a bell struck `count` times; its partials are those of a cast bell."""
    strike = rng.uniform(*pitch)
    ringing = np.zeros(SAMPLES)
    for ratio, gain, length in BELL_PARTIALS:
        if strike * ratio < 0.45 * RATE:
            fading = np.exp(-TIME / (length * decay))
            ringing += gain * np.sin(2 * np.pi * strike * ratio * TIME) * fading
    strikes = [int(time * RATE) for time in _event_times(count, rng)]
    return np.sum([np.pad(ringing, (start, 0))[:SAMPLES] for start in strikes], axis=0)


def _crowd(rng: np.random.Generator) -> Samples:
    """Make a murmuring crowd: syllables of many voices through a few pairs of formants."""
    talk = 0.08 * band_noise(rng, 250, 2500)
    for _ in range(4):
        pulses = np.zeros(SAMPLES)
        for _ in range(8):
            voice, length = rng.uniform(95, 240), rng.uniform(0.12, 0.4)
            start = rng.uniform(0, SECONDS - length)
            times = start + np.arange(0, length, 1 / voice)
            loudness = np.sin(np.pi * (times - start) / length) * rng.uniform(0.3, 1)
            pulses += np.bincount((times * RATE).astype(int), loudness, minlength=SAMPLES)[:SAMPLES]
        formants = [rng.uniform(350, 850), rng.uniform(900, 2200)]
        response = sum(1 / (1 + ((FREQUENCIES - formant) / 90) ** 2) for formant in formants)
        talk += 3 * irfft(rfft(pulses) * response, SAMPLES)
    return talk


def _applause(rng: np.random.Generator) -> Samples:
    """Make applause: a shower of claps, each hand pair with its own pitch."""
    claps = np.zeros(SAMPLES)
    for _ in range(5):
        hands = burst(
            rng, rng.uniform(500, 900), rng.uniform(1800, 3200), rng.uniform(0.006, 0.012)
        )
        claps += shower(hands, rng.uniform(8, 30), rng)
    return claps


def _dog(rng: np.random.Generator, *, pitch: tuple[float, float], count: int) -> Samples:
    """Make a dog that barks `count` times."""
    length, base = rng.uniform(0.13, 0.2), rng.uniform(*pitch)
    course = np.linspace(0, 1, int(length * RATE))
    phase = np.cumsum(base * (1 + 0.5 * np.sin(np.pi * course))) * 2 * np.pi / RATE
    voice = sum(np.sin(harmonic * phase) / harmonic**0.6 for harmonic in range(1, 7))
    rough = np.tanh(voice + 0.9 * rng.standard_normal(len(course)))
    bark = rough * np.sqrt(np.sin(np.pi * course)) * np.exp(-2 * course)
    return band_passed(repeat(bark, _event_times(count, rng)), 1.1 * base, 2800)


def _wind(rng: np.random.Generator) -> Samples:
    """Make wind: low noise that comes and goes."""
    gusts = 1 + 0.7 * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * TIME + rng.uniform(0, 6))
    return band_noise(rng, 200, rng.uniform(500, 800)) * gusts


def _traffic(rng: np.random.Generator) -> Samples:
    """Make the even rumble of many cars far away."""
    return band_noise(rng, 60, rng.uniform(150, 230)) + 0.12 * band_noise(rng, 500, 1500)


def _waves(rng: np.random.Generator) -> Samples:
    """Make a wave that breaks: bright noise that swells and runs out."""
    breaks = rng.uniform(0.2, 1.2)
    before, after = np.minimum(TIME - breaks, 0), np.maximum(TIME - breaks, 0)
    swell = 0.25 + np.exp(before / 0.25) * np.exp(-after / 0.5)
    return band_noise(rng, 400, 5000) * swell


SYNTHESISERS: dict[str, Callable[[np.random.Generator, int], Samples]] = {
    "light rain": lambda rng, _: _rain(rng, density=rng.uniform(40, 90), hiss=0.06),
    "heavy rain": lambda rng, _: _rain(rng, density=rng.uniform(300, 600), hiss=0.5),
    "rain on a metal roof": lambda rng, _: _rain_on_metal(rng),
    "rolling thunder": lambda rng, _: _rolling_thunder(rng),
    "thunderclap": lambda rng, _: _thunderclap(rng),
    "wailing siren": lambda rng, _: _sweeping_siren(rng, sweeps=(0.35, 0.8)),
    "yelping siren": lambda rng, _: _sweeping_siren(rng, sweeps=(2.5, 4.5)),
    "two note siren": lambda rng, _: _two_note_siren(rng),
    "songbird": lambda rng, _: _songbird(rng),
    "several songbirds": lambda rng, _: _songbird(rng, birds=int(rng.integers(3, 5))),
    "owl": lambda rng, _: _owl(rng),
    "cuckoo": lambda rng, _: _cuckoo(rng),
    "car engine": lambda rng, _: _engine(rng, firing=(34, 52), brightness=6),
    "motorbike": lambda rng, _: _engine(rng, firing=(75, 120), brightness=12),
    "truck": lambda rng, _: _engine(rng, firing=(15, 24), brightness=10),
    "slow clock": lambda rng, _: _clock(rng, period=(0.42, 0.6)),
    "fast clock": lambda rng, _: _clock(rng, period=(0.15, 0.24)),
    "walking": lambda rng, _: _footsteps(rng, period=(0.42, 0.58), hardness=0.1),
    "running": lambda rng, _: _footsteps(rng, period=(0.22, 0.31), hardness=0.1),
    "high heels": lambda rng, _: _footsteps(rng, period=(0.38, 0.54), hardness=1.0),
    "church bell": lambda rng, count: _bell(rng, pitch=(220, 420), decay=1.0, count=count),
    "hand bell": lambda rng, count: _bell(rng, pitch=(900, 1700), decay=0.35, count=count),
    "murmuring crowd": lambda rng, _: _crowd(rng),
    "applause": lambda rng, _: _applause(rng),
    "big dog": lambda rng, count: _dog(rng, pitch=(240, 380), count=count),
    "small dog": lambda rng, count: _dog(rng, pitch=(560, 900), count=count),
}
"""Fine label -> clip, given a source of randomness and how often the event happens."""

BACKGROUNDS: dict[str, Callable[[np.random.Generator], Samples]] = {
    "wind": _wind,
    "traffic": _traffic,
    "waves": _waves,
}


def _horn(frequency: Samples) -> Samples:
    return band_passed(np.tanh(2 * tone(frequency)) + 0.3 * tone(2 * frequency), 200, 3000)


def _notes(pitches: Samples, lengths: Sequence[float], first: float, gap: float) -> Samples:
    song, at = np.zeros(SAMPLES), first
    for pitch, length in zip(pitches, lengths, strict=True):
        start = int(at * RATE)
        course = np.arange(min(int(length * RATE), SAMPLES - start)) / RATE
        note = np.sin(2 * np.pi * pitch * course) + 0.15 * np.sin(4 * np.pi * pitch * course)
        song[start : start + len(course)] += note * np.sin(np.pi * course / length) ** 0.7
        at += length + gap
    return song


def _click(frequencies: Sequence[float]) -> Samples:
    return np.sum([ping(frequency, 0.008, 0.06) for frequency in frequencies], axis=0)


def _swells(rng: np.random.Generator, *, count: int, decay: tuple[float, float]) -> Samples:
    loudness = np.zeros(SAMPLES)
    for _ in range(count):
        start, fall = rng.uniform(0, 0.6 * SECONDS), rng.uniform(*decay)
        after = np.maximum(TIME - start, 0)
        loudness += rng.uniform(0.4, 1) * np.minimum(after / 0.08, 1) * np.exp(-after / fall)
    return loudness


def _event_times(count: int, rng: np.random.Generator) -> Samples:
    first, gap = rng.uniform(0.03, 0.2), rng.uniform(0.36, 0.5)
    return first + gap * np.arange(count) + rng.uniform(-0.02, 0.02, count)
