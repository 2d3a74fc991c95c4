from dataclasses import replace

import numpy as np
import pytest

from gan.data.pictures import resize
from gan.data.toy.faces import FACE_BOX, cover, draw_picture, landmarks, paint_over, render_face, to_bytes
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


def test_a_person_before_a_white_wall_is_the_portrait():
    speaker, white = draw_speaker(0, 1), np.ones((3, 64, 64), np.float32)
    assert np.array_equal(to_bytes(paint_over(speaker, picture(0), white)), render_face(speaker, picture(0), 64))
    assert (white == 1).all(), "the wall is left as it was"


def test_the_cover_is_person_and_not_background():
    speaker = draw_speaker(0, 2)
    covered = cover(speaker, picture(0), 64)
    wall = np.zeros((3, 64, 64), np.float32)
    wall[1] = 1
    painted = paint_over(speaker, picture(0), wall)
    assert covered.shape == (64, 64)
    assert covered[0, 0] == 0
    assert covered[40, 32] == 1
    assert (painted[:, covered == 0] == wall[:, covered == 0]).all()


@pytest.mark.parametrize("yaw", [0.0, 0.5, -0.5])
def test_pupils_are_the_darkest_of_light_eyes(yaw):
    for number in range(4):
        light_eyed = replace(draw_speaker(0, number), eye_colour=0.0, glasses=0.0, brows=-1.0)
        turned = replace(picture(number), yaw=yaw)
        grey = render_face(light_eyed, turned, 200).mean(2)
        pupils = landmarks(light_eyed, turned, 200)[:2]
        assert pupils[0, 0] < pupils[1, 0]
        for x, y in pupils:
            about = grey[round(y) - 1 : round(y) + 2, round(x) - 3 : round(x) + 4]
            assert about.min() < 60


def test_landmarks_grow_with_the_picture_and_mirror_with_the_head():
    speaker = draw_speaker(0, 1)
    straight = replace(picture(0), yaw=0.3, roll=0.04, shift_x=0.02, gaze_x=0.2)
    mirrored = replace(straight, yaw=-0.3, roll=-0.04, shift_x=-0.02, gaze_x=-0.2)
    points, other = landmarks(speaker, straight, 100), landmarks(speaker, mirrored, 100)
    assert np.allclose(landmarks(speaker, straight, 200), 2 * points, atol=1e-3)
    assert np.allclose(other[[1, 0, 2, 4, 3]], points * (-1, 1) + (100, 0), atol=0.05)
