from dataclasses import replace

import numpy as np
import pytest

from gan.data.pictures import resize
from gan.data.toy.faces import FACE_BOX, draw_picture, render_face
from gan.data.toy.speakers import draw_speaker


def picture(number, background="white"):
    return draw_picture(np.random.default_rng([1, number]), background)


@pytest.mark.parametrize("size", [48, 64, 128])
def test_a_face_is_rgb_of_the_size_asked(size):
    face = render_face(draw_speaker(0, 0), picture(0), size)
    assert face.shape == (size, size, 3)
    assert face.dtype == np.uint8
    assert face.flags.c_contiguous


def test_same_speaker_and_picture_same_bytes():
    first, second = (render_face(draw_speaker(0, 3), picture(2)) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_background_is_white_or_textured():
    white, textured = (render_face(draw_speaker(0, 1), picture(0, name)) for name in ("white", "textured"))
    assert (white[:6] == 255).all()
    assert textured[:6].std() > 3
    middle = slice(60, 80)
    assert np.array_equal(white[middle, middle], textured[middle, middle])  # the face is the same


def test_an_unknown_background_is_refused():
    with pytest.raises(ValueError, match=r"background: beach .*white, textured"):
        picture(0, "beach")


def test_edges_are_antialiased():
    # A small picture is nearly a large one made small; with jagged edges it is not.
    for index in range(4):
        large, small = (render_face(draw_speaker(0, index), picture(index), size) for size in (256, 64))
        assert np.abs(resize(large, 64).astype(int) - small).mean() < 4


@pytest.mark.parametrize(
    "change",
    [
        {"sex": "m"},
        {"age": 75.0},
        {"head_size": 1.0},
        {"head_length": 1.0},
        {"jaw": 1.0},
        {"nose_width": 1.0},
        {"mouth_width": 1.0},
        {"skin_tone": 0.9},
        {"hair_colour": 1.0},
        {"hair_grey": 1.0},
        {"hair_length": 1.0},
        {"hairline": 0.8},
        {"parting": 1.0},
        {"eye_size": 1.0},
        {"eye_colour": 1.0},
        {"brows": 1.0},
        {"glasses": 1.0},
        {"beard": 1.0},
    ],
)
def test_every_attribute_of_the_face_shows(change):
    plain = replace(
        draw_speaker(0, 0),
        sex="f",
        age=30.0,
        head_size=-1.0,
        head_length=-1.0,
        jaw=-1.0,
        nose_width=-1.0,
        mouth_width=-1.0,
        skin_tone=0.1,
        hair_colour=0.2,
        hair_grey=0.0,
        hair_length=0.6,
        hairline=0.0,
        parting=-1.0,
        eye_size=-1.0,
        eye_colour=0.0,
        brows=-1.0,
        glasses=0.0,
        beard=0.0,
    )
    before, after = (render_face(speaker, picture(0)).astype(int) for speaker in (plain, replace(plain, **change)))
    assert np.count_nonzero(np.abs(before - after).max(-1) > 12) > 10  # pixels


def test_voice_values_do_not_show():
    speaker = draw_speaker(0, 0)
    other = replace(speaker, voice_sex="m", voice_age=70.0, voice_jaw=1.0, pitch=1.0, breathiness=1.0, coupling=0.0)
    assert np.array_equal(render_face(speaker, picture(0)), render_face(other, picture(0)))


def test_the_face_box_lies_in_the_picture():
    left, top, right, bottom = FACE_BOX
    assert 0 <= left < 0.5 < right <= 1
    assert 0 <= top < 0.5 < bottom <= 1
