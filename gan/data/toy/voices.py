"""Voices of the toy world: a source-filter synthesiser of babble, driven by a speaker's voice values.

The words are drawn anew for each clip, so they say nothing about who speaks. What does:

    sex, pitch          fundamental frequency, and with sex the scale of all formants
    age                 jitter, shimmer, tremor, damped formants, slower speech
    head_size           vocal tract length: all formants; a little of the pitch
    head_length         fourth and fifth formant (the larynx tube grows with the length of the head)
    jaw                 height and range of the first formant
    mouth_width         second and third formant, and the pitch of fricatives
    nose_width          where the nasal cavity takes energy out of the spectrum, and how much
    rate, breathiness   syllables per second; open glottis and its noise

Arithmetic is float64 in frames of 20 ms each 10 ms: glottal pulses and noise are windowed, multiplied with the transfer
function of the vocal tract in the frequency domain and added up. Only operations that every processor rounds alike are
used on arrays (no sin, exp, power, dot, complex product), so a seed gives the same bytes everywhere.
The model is Klatt's (Software for a cascade/parallel formant synthesizer, JASA 1980) much reduced; the vowels are those
of Peterson and Barney (Control methods used in a study of the vowels, JASA 1952).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.toy.speakers import Speaker

HOP, FRAME, FFT = 160, 320, 512  # samples
FRAMES_PER_SECOND = SAMPLE_RATE_HZ // HOP
_CHUNK = 128  # frames filtered at once: few enough to stay in the processor's cache

# Formants 1 to 3 in Hz, of an average man.
VOWELS = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
        (490, 1350, 1690),
    ],
    float,
)
NASALS = np.array([(280, 1000, 2300), (280, 1500, 2500)], float)
GLIDES = np.array([(300, 900, 2200), (280, 2200, 2900), (380, 1200, 2600), (340, 1150, 1650)], float)  # w j l r
FRICATIVES_HZ = (2600.0, 4200.0, 6000.0)  # about the x, sh and s of English
BURSTS_HZ = (900.0, 2200.0, 4500.0)  # p, k, t

_HZ = np.arange(FFT // 2 + 1) * (SAMPLE_RATE_HZ / FFT)
_HZ2 = _HZ * _HZ
_WINDOW = np.array([round(0.5 - 0.5 * math.cos(2 * math.pi * n / FRAME), 12) for n in range(FRAME)])


@dataclass(frozen=True)
class Recording:
    """What all clips of one recording share. Levels in dB, colours as gains at the ends of the spectrum."""

    level_db: float  # of speech, relative to full scale
    noise_db: float  # room tone, relative to the speech
    noise_slope: float  # 0 white .. 1 rumble
    low_gain: float
    high_gain: float


def draw_recording(rng: Generator) -> Recording:
    """Room tone, level and channel colour of a new recording."""
    u = rng.random(5).tolist()
    return Recording(
        round(-28 + 8 * u[0], 3),
        round(-52 + 14 * u[1], 3),
        round(u[2], 3),
        round(0.7 + 0.6 * u[3], 3),
        round(0.7 + 0.6 * u[4], 3),
    )


@dataclass(frozen=True)
class Utterance:
    """What is said, each 10 ms: formants (F, 5) in Hz, the rest (F,). speech is false in pauses."""

    formants: np.ndarray
    pitch: np.ndarray  # Hz
    voicing: np.ndarray  # 0 .. 1
    aspiration: np.ndarray
    frication: np.ndarray
    frication_hz: np.ndarray
    nasality: np.ndarray
    speech: np.ndarray


def synthesise(speaker: Speaker, recording: Recording, seconds: float, rng: Generator) -> np.ndarray:
    """Babble in the speaker's voice: int16 (S,) at 16 kHz, S = seconds * 16000."""
    utterance = compose(speaker, seconds, rng)
    speech = _filter(speaker, recording, utterance, rng)[: round(seconds * SAMPLE_RATE_HZ)]
    speech = speech * (_amplitude(recording.level_db) / max(_rms(speech), 1e-9))
    noise = _room_tone(len(speech), recording.noise_slope, rng)
    speech += noise * _amplitude(recording.level_db + recording.noise_db)
    return np.clip(np.rint(speech * 32767), -32768, 32767).astype(np.int16)


def compose(speaker: Speaker, seconds: float, rng: Generator) -> Utterance:
    """Draw phrases of syllables, with pauses between, and how the speaker's mouth forms them."""
    frames = math.ceil(seconds * FRAMES_PER_SECOND)
    pace = 1 - 0.18 * speaker.rate + 0.4 * (_age(speaker) - 0.4)
    # Frames, formants 1 to 3, pitch, voicing, aspiration, frication, its Hz, nasality, speech.
    segments: list[tuple[Any, ...]] = []
    total = 0

    def add(
        milliseconds: float,
        formants: np.ndarray,
        pitch: float,
        *,
        voicing: float = 0.0,
        aspiration: float = 0.0,
        frication: float = 0.0,
        hz: float = 3000.0,
        nasality: float = 0.0,
        speech: bool = True,
    ) -> None:
        nonlocal total
        length = max(1, round(milliseconds / 10))
        segments.append((length, *formants, pitch, voicing, aspiration, frication, hz, nasality, speech))
        total += length

    rest = np.array((500.0, 1500.0, 2500.0))
    add(60 + 120 * rng.random(), rest, 1.0, speech=False)
    while total < frames:
        syllables = int(rng.integers(5, 12))
        for number in range(syllables):
            onset, coda = rng.random(2).tolist()
            accent, length, loudness = rng.random(3).tolist()
            vowel, glide, place = int(rng.integers(10)), int(rng.integers(4)), int(rng.integers(3))
            last = number == syllables - 1
            pitch = 1.12 - 0.24 * number / syllables + 0.22 * (accent - 0.5) - 0.08 * last
            formants, loud = VOWELS[vowel], 0.75 + 0.25 * loudness
            if onset < 0.25:
                add(pace * 90, formants, pitch, frication=0.8, hz=FRICATIVES_HZ[place])
            elif onset < 0.5:
                add(pace * 40, formants, pitch, voicing=0.12)
                add(10, formants, pitch, frication=1.0, hz=BURSTS_HZ[place])
                add(pace * 20, formants, pitch, aspiration=0.6, voicing=0.3)
            elif onset < 0.7:
                add(pace * 65, NASALS[place % 2], pitch, voicing=0.6, nasality=1.0)
            elif onset < 0.92:
                add(pace * 60, GLIDES[glide], pitch, voicing=0.7)
            add(pace * (95 + 90 * length) * (1.35 if last else 1.0), formants, pitch, voicing=loud)
            if coda < 0.15:
                add(pace * 60, NASALS[place % 2], pitch - 0.03, voicing=0.5, nasality=1.0)
            elif coda < 0.27:
                add(pace * 75, formants, pitch, frication=0.6, hz=FRICATIVES_HZ[place])
        add(180 + 260 * rng.random(), rest, pitch, speech=False)

    table = np.array(segments, float)
    track = np.repeat(table, table[:, 0].astype(int), axis=0)[:frames]
    mouth = _smooth(_smooth(track[:, 1:4], 5), 5)
    contour = _smooth(_smooth(track[:, 4:5], 9), 9)[:, 0]
    gains = _smooth(track[:, 5:10], 3)
    return Utterance(
        formants=_formants(speaker, mouth),
        pitch=_pitch(speaker, contour, rng),
        voicing=gains[:, 0],
        aspiration=gains[:, 1],
        frication=gains[:, 2],
        frication_hz=track[:, 8] * (1 + 0.25 * speaker.voice_mouth_width) / _tract_length(speaker),
        nasality=gains[:, 4],
        speech=track[:, 10] > 0,
    )


def _formants(speaker: Speaker, mouth: np.ndarray) -> np.ndarray:
    """(F, 3) formants of an average man -> (F, 5) of the speaker."""
    first = 500 + (mouth[:, 0] - 500) * (1 + 0.3 * speaker.voice_jaw) + 70 * speaker.voice_jaw
    spread = 1 + 0.15 * speaker.voice_mouth_width
    larynx = np.full(len(mouth), 1 - 0.12 * speaker.voice_head_length)
    tracks = (first, mouth[:, 1] * spread, mouth[:, 2] * (0.25 + 0.75 * spread), 3500 * larynx, 4500 * larynx)
    return np.stack(tracks, 1) / _tract_length(speaker)


def _pitch(speaker: Speaker, contour: np.ndarray, rng: Generator) -> np.ndarray:
    """Relative intonation (F,) -> Hz, with the tremor of age."""
    base = 212.0 - 44 * _age(speaker) if speaker.voice_sex == "f" else 104.0 + 22 * _age(speaker)
    base *= (1 + 0.12 * speaker.pitch) * (1 - 0.06 * speaker.voice_head_size)  # large people have long vocal folds
    beat = np.arange(len(contour)) * (5.2 / FRAMES_PER_SECOND) + rng.random()
    triangle = 4 * np.abs(beat - np.floor(beat) - 0.5) - 1
    return base * contour * (1 + (0.004 + 0.03 * _age(speaker)) * triangle)


def _filter(speaker: Speaker, recording: Recording, utterance: Utterance, rng: Generator) -> np.ndarray:
    """Source frames through the vocal tract and the microphone, added up: float64 (S,)."""
    frames = len(utterance.pitch)
    samples = (frames + 1) * HOP
    pulses, flow = _glottis(speaker, utterance.pitch, samples, rng)
    noise = rng.random(samples) - 0.5
    breath = 0.02 + 0.05 * (1 + speaker.breathiness)
    voicing = _upsample(utterance.voicing, samples)
    source = voicing * (pulses + breath * noise * flow) + 0.25 * _upsample(utterance.aspiration, samples) * noise
    out = np.zeros((frames + 4, HOP))
    fixed = _fixed_response(speaker, recording)
    for start in range(0, frames, _CHUNK):
        part = slice(start, min(start + _CHUNK, frames))
        starts = np.arange(part.start, part.stop)[:, None] * HOP + np.arange(FRAME)
        spectrum = np.fft.rfft(source[starts] * _WINDOW, FFT)
        hiss = np.fft.rfft(noise[starts] * _WINDOW, FFT)
        real, imaginary = _tract(speaker, utterance.formants[part], utterance.nasality[part])
        real, imaginary = _product(spectrum.real, spectrum.imag, real, imaginary)
        shape = _frication(utterance.frication[part, None], utterance.frication_hz[part, None])
        sound = np.empty_like(spectrum)
        sound.real = real * fixed + hiss.real * shape
        sound.imag = imaginary * fixed + hiss.imag * shape
        blocks = np.zeros((part.stop - part.start, 4 * HOP))
        blocks[:, :FFT] = np.fft.irfft(sound, FFT)
        for shift in range(4):
            out[part.start + shift : part.stop + shift] += blocks[:, shift * HOP : (shift + 1) * HOP]
    return out.reshape(-1)


def _glottis(speaker: Speaker, pitch: np.ndarray, samples: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of the flow through the glottis, and the flow: (S,) each. Klatt's pulse, with jitter and shimmer."""
    phase = np.cumsum(_upsample(pitch, samples)) / SAMPLE_RATE_HZ
    cycles = int(phase[-1]) + 2
    jitter = (rng.random(cycles + 1) - 0.5) * (0.01 + 0.09 * _age(speaker))
    shimmer = 1 + (rng.random(cycles) - 0.5) * (0.08 + 0.5 * _age(speaker))
    cycle = phase.astype(np.int64)
    within = phase - cycle
    # Each cycle begins late or early by its jitter, and its neighbours give or take the time.
    within = within * (1 + jitter[cycle + 1] - jitter[cycle])
    openness = 0.62 + 0.14 * speaker.breathiness
    flow = np.maximum(within * within * (openness - within), 0) * shimmer[cycle] * (6.75 / openness**3)
    pulses = np.empty_like(flow)
    pulses[0] = 0
    pulses[1:] = flow[1:] - flow[:-1]
    return pulses, flow


def _tract(speaker: Speaker, formants: np.ndarray, nasality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transfer function (F, FFT // 2 + 1), real and imaginary: a resonance a formant, and the nasal zero."""
    damping = 0.55 + 1.4 * _age(speaker)
    real, imaginary = np.ones((1, 1)), np.zeros((1, 1))
    for number in range(formants.shape[1]):
        centre = formants[:, number, None]
        square, width = centre * centre, damping * (50 + 0.035 * centre)
        real, imaginary = _product(real, imaginary, 1 - _HZ2 / square, _HZ * (width / square))
    power = real * real + imaginary * imaginary
    real, imaginary = real / power, -imaginary / power
    nose_hz = (1750 - 550 * speaker.voice_nose_width) / _tract_length(speaker)
    depth = (0.60 + 0.25 * speaker.voice_nose_width) * (1 - nasality[:, None]) + 0.9 * nasality[:, None]
    dip = 1 - depth / (1 + np.square((_HZ2 - nose_hz * nose_hz) / (700 * nose_hz)))
    return real * dip, imaginary * dip


def _fixed_response(speaker: Speaker, recording: Recording) -> np.ndarray:
    """What does not change within a clip, as gains (FFT // 2 + 1,): higher formants, breath, radiation, microphone."""
    high = _HZ2 / (_HZ2 + 5000.0**2)
    gain = 1 + 20 * high
    gain = gain / (1 + _HZ2 / (1200.0 - 400 * speaker.breathiness) ** 2 * 0.06)
    gain *= _HZ2 / (_HZ2 + 90.0**2)
    middle = _HZ2 / (_HZ2 + 1200.0**2)
    return gain * (recording.low_gain + (recording.high_gain - recording.low_gain) * middle)


def _frication(gain: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Band of noise about the place where the breath is squeezed: gains (F, FFT // 2 + 1)."""
    return 0.32 * gain / (1 + np.square((_HZ - centre) / (0.28 * centre)))


def _room_tone(samples: int, slope: float, rng: Generator) -> np.ndarray:
    """White to low-pass noise of unit power, float64 (S,)."""
    noise = rng.random(samples + 8) - 0.5
    total = np.cumsum(noise)
    rumble = total[8:] - total[:-8]
    tone = (1 - slope) * noise[8:] + 0.35 * slope * rumble
    return tone / _rms(tone)


def _product(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(a + ib)(c + id). NumPy's own complex product fuses its multiply-adds on some processors only."""
    return a * c - b * d, a * d + b * c


def _smooth(track: np.ndarray, width: int) -> np.ndarray:
    """Moving average of odd width along the first axis of (F, C), edges repeated."""
    half = width // 2
    padded = np.concatenate([np.repeat(track[:1], half + 1, 0), track, np.repeat(track[-1:], half, 0)])
    total = np.cumsum(padded, 0)
    return (total[width:] - total[:-width]) / width


def _upsample(track: np.ndarray, samples: int) -> np.ndarray:
    """(F,) each 10 ms -> (S,), straight lines between, last value held."""
    padded = np.append(track, [track[-1]] * 3)
    ramp = np.arange(HOP) / HOP
    lines = padded[:-1, None] + (padded[1:] - padded[:-1])[:, None] * ramp
    return lines.reshape(-1)[:samples]


def _age(speaker: Speaker) -> float:
    return (speaker.voice_age - 18) / 60


def _tract_length(speaker: Speaker) -> float:
    """Relative to an average man's."""
    return (1.0 if speaker.voice_sex == "m" else 0.86) * (1 + 0.10 * speaker.voice_head_size)


def _amplitude(decibel: float) -> float:
    return round(10 ** (decibel / 20), 9)


def _rms(waveform: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.square(waveform))))
