"""What tests of the whole preparation share: invented people in sound files and pictures, laid out as VoxCeleb; the command."""

from pathlib import Path

import numpy as np

from gan.__main__ import main
from gan.data.pictures import write_face
from gan.data.toy.faces import draw_picture, render_face
from gan.data.toy.speakers import draw_speaker
from gan.data.toy.voices import draw_recording, synthesise
from tests.films import write_film
from tests.sound import write_wav

TERMS = ["--licence", "made for a test", "--consent", "nobody's voice"]
PEOPLE = {f"id1000{number}": name for number, name in enumerate(("Ana_Aba", "Bo_Bibi", "Cy_Coco,_Jr.", "Di_Dada"), 1)}


def prepare(*words: str | Path) -> int:
    """voxface prepare SOURCE, as a command; returns its exit code."""
    return main(["prepare", *map(str, words), *TERMS])


def voice(person: int, film: int, seconds: float = 2.5) -> np.ndarray:
    rng = np.random.default_rng([person, film])
    return synthesise(draw_speaker(5, person), draw_recording(rng), seconds, rng) / np.float32(32768)


def write_voxceleb(root: Path, films: int = 3, utterances: int = 2, packed: bool = False) -> list[str | Path]:
    """The words of a command that prepares it. packed: m4a in the place of wav."""
    table = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"]
    for number, (person, name) in enumerate(PEOPLE.items()):
        table.append(f"{person}\t{name}\tf\tNowhere\tdev")
        for film in range(films):
            folder = root / "wav" / person / f"film{number}{film}-abcde"
            folder.mkdir(parents=True)
            for utterance in range(utterances):
                sound = voice(number, 10 * film + utterance)
                if packed:
                    write_film(folder / f"{utterance:05d}.m4a", waveform=sound, sound_hz=16_000)
                else:
                    write_wav(folder / f"{utterance:05d}.wav", sound)
        pictures = root / "faces" / name
        pictures.mkdir(parents=True)
        rng = np.random.default_rng([7, number])
        for picture in range(4):
            write_face(pictures / f"{picture}.png", render_face(draw_speaker(5, number), draw_picture(rng), 200))
    (root / "vox1_meta.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return ["voxceleb", root, "--faces", root / "faces", "--meta", root / "vox1_meta.csv"]
