"""Faces of the toy world: a portrait from a speaker's face values and what one picture adds to them.

The head is a smooth solid whose front carries a relief (brow ridge, eye sockets, nose, lips, chin, wrinkles), lit by
one lamp and the sky. Turning the head moves the relief over the solid. Hair, ears, neck, clothes, glasses are layers.

Coordinates are head units: the eyes lie on y = 0, the chin at about y = 0.66, x to the right of the picture, y down, z
to the viewer. Lengths `px` are one pixel in these units; every edge is antialiased by its distance in pixels.
Colours are linear light, squares of the sRGB-like values written here, so that shading adds as light does.
Arrays are float32 and only meet operations that every processor rounds alike (no sin, exp, power, dot), so a seed gives
the same bytes everywhere.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from gan.data.toy.speakers import OLDEST, YOUNGEST, Speaker

FACE_BOX = (0.13, 0.25, 0.87, 0.99)  # left, top, right, bottom of the face in the picture, as fractions
BACKGROUNDS = ("white", "textured")

_ZOOM = 1.17  # head units to half pictures
_EYE_LEVEL = 0.03  # of the picture, half pictures below its middle

_SKIN = ((255, 226, 208), (242, 198, 168), (222, 168, 128), (178, 120, 84), (128, 82, 56), (84, 54, 40))
_HAIR = ((232, 202, 140), (190, 132, 72), (140, 76, 40), (84, 52, 34), (44, 32, 26), (24, 21, 22))
_EYES = ((110, 160, 206), (96, 140, 140), (112, 128, 70), (128, 88, 44), (70, 44, 28))
_CLOTHES = ((52, 70, 104), (122, 44, 50), (70, 92, 72), (66, 66, 72), (168, 138, 96), (92, 74, 116), (40, 98, 110))

Array = np.ndarray


def _colour(rgb: tuple[int, int, int]) -> Array:
    return np.square(np.array(rgb, np.float32).reshape(3, 1, 1) / 255)


_GREY = _colour((200, 200, 204))
_INK = _colour((12, 10, 10))
_LASH = _colour((38, 25, 22))
_LIPS = (_colour((232, 128, 134)), _colour((238, 172, 164)))  # times the skin: women, men
_MOUTH = _colour((60, 22, 22))
_TEETH = _colour((238, 232, 222))
_FLUSH = _colour((255, 236, 230))
_FRAME = _colour((34, 28, 30))
_WRAP = (0.42, 0.30, 0.26)  # how far red, green and blue light reach round an edge: skin is warm where shadow begins


@dataclass(frozen=True)
class Picture:
    """What changes from picture to picture of one person. Angles in radians."""

    yaw: float
    pitch: float
    roll: float
    shift_x: float
    shift_y: float
    scale: float
    light_x: float  # where the lamp stands: -1 left .. 1 right
    light_y: float  # -1 above .. 1 below
    light: float  # strength of the lamp
    mouth_open: float
    smile: float
    brow_raise: float
    gaze_x: float
    gaze_y: float
    clothes: int
    background: str  # white | textured
    backdrop: tuple[float, float, float, float]


def draw_picture(rng: Generator, background: str = "white") -> Picture:
    """Pose, light, expression and background of a new picture.

    Raises ValueError if the background is not one of BACKGROUNDS.
    """
    if background not in BACKGROUNDS:
        raise ValueError(f"background: {background} is unknown. Have: {', '.join(BACKGROUNDS)}.")
    u = [round(value, 4) for value in (2 * rng.random(14) - 1).tolist()]
    backdrop = tuple(round(value, 4) for value in rng.random(4).tolist())
    return Picture(
        yaw=0.23 * u[0],
        pitch=0.10 * u[1],
        roll=0.05 * u[2],
        shift_x=0.02 * u[3],
        shift_y=0.015 * u[4],
        scale=1 + 0.03 * u[5],
        light_x=0.55 * u[6],
        light_y=-0.4 + 0.25 * u[7],
        light=1 + 0.12 * u[8],
        mouth_open=max(0.0, 0.9 * u[9]),
        smile=0.52 + 0.48 * u[10],
        brow_raise=0.3 + 0.45 * u[11],
        gaze_x=0.5 * u[12],
        gaze_y=0.3 * u[13],
        clothes=int(rng.integers(len(_CLOTHES))),
        background=background,
        backdrop=backdrop,
    )


def render_face(speaker: Speaker, picture: Picture, size: int = 128) -> Array:
    """uint8 (size, size, 3) RGB portrait."""
    return to_bytes(_Portrait(speaker, picture, size).paint())


def paint_over(speaker: Speaker, picture: Picture, backdrop: Array) -> Array:
    """A person in front of any backdrop, linear light (3, size, size), in place of the picture's own background."""
    portrait = _Portrait(speaker, picture, backdrop.shape[-1])
    image = backdrop.copy()
    portrait.paint_person(image)
    return image


def cover(speaker: Speaker, picture: Picture, size: int) -> Array:
    """How much of each pixel is person, not background: float32 (size, size) in [0, 1]."""
    black = np.zeros((3, size, size), np.float32)
    through = paint_over(speaker, picture, black + 1) - paint_over(speaker, picture, black)
    return np.clip(1 - through.mean(0), 0, 1)


def landmarks(speaker: Speaker, picture: Picture, size: int) -> Array:
    """Where five points lie in the portrait, in pixels from its left top corner: float32 (5, 2), x and y.

    Pupils, tip of the nose, corners of the mouth; of each pair the one further left in a frontal picture first.
    """
    return _Portrait(speaker, picture, size).landmarks()


def to_bytes(image: Array) -> Array:
    """Linear light (3, H, W) -> uint8 (H, W, 3)."""
    return np.rint(np.sqrt(np.clip(image, 0, 1)) * 255).astype(np.uint8).transpose(1, 2, 0).copy()


def texture(x: Array, y: Array, backdrop: tuple[float, float, float, float]) -> Array:
    """A wall of two colours, linear light (3, H, W), at the places x and y in head units: the textured background."""
    hue, second, where, turn = backdrop
    warp = _texture(x * 3 + 9 * where, y * 3 + 9 * turn)
    fade = np.clip(0.5 + 0.4 * (y + (turn - 0.5) * x) + 0.5 * (warp - 0.5), 0, 1)
    first, last = _ramp(_CLOTHES, hue), _ramp(_CLOTHES, second)
    grain = 0.5 * _texture(6 * x + 4 * y, 6 * y - 4 * x)
    grain += 0.5 * _texture(9 * x - 13 * y + 7 * hue, 9 * y + 13 * x)
    return (first + (last - first) * fade) * (0.6 + 0.8 * grain) + 0.08


class _Portrait:
    """One picture being painted: the measures of the head and the layers, back to front."""

    def __init__(self, speaker: Speaker, picture: Picture, size: int):
        self.speaker, self.picture = speaker, picture
        self.age = (speaker.age - YOUNGEST) / (OLDEST - YOUNGEST)
        self.man = 1.0 if speaker.sex == "m" else 0.0
        self.long_hair = speaker.hair_length >= 0.4
        scale = _ZOOM * picture.scale * (1 + 0.07 * speaker.head_size)
        self.size, self.scale = size, scale
        self.px = 2 / (size * scale)
        axis = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
        self.yaw, self.pitch = _turn(picture.yaw), _turn(picture.pitch)
        # The camera follows the face: a turned head moves aside, so that eyes and mouth stay near the middle.
        u = (axis[None, :] - picture.shift_x) / scale + 0.3 * self.yaw[0]
        v = (axis[:, None] - picture.shift_y - _EYE_LEVEL) / scale + 0.1 * self.pitch[0]
        sin, cos = _turn(picture.roll)
        self.x, self.y = cos * u + sin * v, cos * v - sin * u
        length = math.sqrt(picture.light_x**2 + picture.light_y**2 + 1)
        self.lamp = (picture.light_x / length, picture.light_y / length, 1 / length)

        # Measures of the head.
        tall = 1 + 0.14 * speaker.head_length
        self.tall = tall
        self.jaw_y = 0.66 * tall + 0.045 * picture.mouth_open
        self.crown = -0.66 * (1 + 0.03 * speaker.head_length)
        self.width = 0.475 * (1 - 0.04 * speaker.head_length) + 0.012 * self.man
        self.square = min(1.0, max(0.0, 0.36 + 0.40 * speaker.jaw + 0.16 * self.man))
        self.narrow = 0.26 - 0.17 * speaker.jaw - 0.06 * self.man - 0.05 * self.age
        self.solid = _Solid(self.x, self.y, self.width, self.crown, self.jaw_y, self.square, self.narrow)
        self.nose_y, self.mouth_y = 0.265 * tall, 0.43 * tall
        self.eye_x = 0.21 + 0.014 * speaker.nose_width
        self.eye_width = 0.104 * (1 + 0.22 * speaker.eye_size + 0.05 * (1 - self.man))
        self.eye_height = self.eye_width * (
            0.50 + 0.09 * speaker.eye_size - 0.08 * self.age + 0.03 * picture.brow_raise - 0.03 * picture.smile
        )
        self.skin = _ramp(_SKIN, speaker.skin_tone)
        pigment = _ramp(_HAIR, speaker.hair_colour)
        self.pigment = pigment + speaker.hair_grey * (_GREY - pigment)
        self.brow_pigment = pigment + 0.45 * speaker.hair_grey * (_GREY - pigment)  # brows and beard turn grey later

    def paint(self) -> Array:
        """Linear light (3, size, size)."""
        image = self._backdrop()
        self.paint_person(image)
        return image

    def paint_person(self, image: Array) -> None:
        """The person over linear light (3, size, size), in place."""
        self._hair_behind(image)
        self._body(image)
        if not self.long_hair:
            self._ears(image)
        self._head(image)
        if self.speaker.glasses:
            self._glasses(image)
        self._hair_in_front(image)

    def landmarks(self) -> Array:
        """(5, 2) pixels: see the function of that name."""
        picture, speaker = self.picture, self.speaker
        eye_y = 0.02 * picture.gaze_y - 0.01 - 0.12 * self.eye_height
        mouth = 0.158 * (1 + 0.34 * speaker.mouth_width) * (1 + 0.12 * picture.smile)
        mouth_y = self.mouth_y - 0.055 * picture.smile
        face_x = np.array([0.03 * picture.gaze_x - self.eye_x, 0.03 * picture.gaze_x + self.eye_x, 0, -mouth, mouth])
        face_y = np.array([eye_y, eye_y, self.nose_y - 0.03, mouth_y, mouth_y])
        relief = self._relief(face_x, face_y)
        (sin_yaw, cos_yaw), (sin_pitch, cos_pitch) = self.yaw, self.pitch
        # The inverse of _face_point: the depth depends on the place sought, so go round until both agree.
        x, y, forward = face_x, face_y, np.full(5, 0.4)
        for _ in range(12):
            x = face_x * cos_yaw + forward * sin_yaw
            y = (face_y + (forward - 0.3) * sin_pitch) / cos_pitch
            solid = _Solid(x, y, self.width, self.crown, self.jaw_y, self.square, self.narrow)
            forward = 0.5 * (forward + x * sin_yaw + (solid.z + relief) * cos_yaw)
        sin, cos = _turn(picture.roll)
        u = (cos * x - sin * y - 0.3 * sin_yaw) * self.scale + picture.shift_x
        v = (sin * x + cos * y - 0.1 * sin_pitch) * self.scale + picture.shift_y + _EYE_LEVEL
        return (np.stack([u, v], 1).astype(np.float32) + 1) * (self.size / 2)

    # The head

    def _head(self, image: Array) -> None:
        solid = self.solid
        # Where on the face does each pixel look? The relief moves what it lifts, so go round again.
        z = solid.z
        for _ in range(2):
            face_x, face_y = self._face_point(z)
            relief = self._relief(face_x, face_y)
            z = solid.z + relief
        face_x, face_y = self._face_point(z)
        normal = solid.bent(relief, self.px)
        colour = self._complexion(face_x, face_y)
        self._brows(colour, face_x, face_y)
        lips = self._lips(colour, face_x, face_y)
        light, shine = self._shade(normal, 0.10 + 0.22 * lips)
        hollow = self._hollow(face_x, face_y)
        lit = (colour * light + shine) * hollow
        self._eyes(lit, face_x, face_y, light)
        _over(image, lit, _edge(solid.distance, self.px))

    def _face_point(self, z: Array) -> tuple[Array, Array]:
        """Pixels at depth z -> (x, y) on the face as seen from in front."""
        (sin_yaw, cos_yaw), (sin_pitch, cos_pitch) = self.yaw, self.pitch
        forward = self.x * sin_yaw + z * cos_yaw
        return self.x * cos_yaw - z * sin_yaw, self.y * cos_pitch - (forward - 0.3) * sin_pitch

    def _relief(self, x: Array, y: Array) -> Array:
        """Height of the face above the solid."""
        speaker, man, age = self.speaker, self.man, self.age
        side = np.abs(x)
        eye = side - self.eye_x
        relief = (0.03 + 0.025 * man) * _bump(x / 0.42, (y + 0.15) / 0.10)  # brow ridge
        relief -= 0.085 * _bump(eye / 0.17, (y + 0.005) / 0.12)  # eye sockets
        relief += 0.055 * _bump(eye / 0.125, (y - 0.005) / 0.085)  # eyeballs
        relief += (0.055 - 0.02 * age) * _bump((side - 0.29) / 0.2, (y - 0.16) / 0.17)  # cheeks
        relief += (0.05 + 0.015 * man) * _bump(x / 0.16, (y - self.jaw_y + 0.10) / 0.12)  # chin
        wide = 1 + 0.45 * speaker.nose_width
        down = np.clip((y + 0.1) / (self.nose_y + 0.1), 0, 1)
        end = 1 - np.clip((y - self.nose_y + 0.02) / 0.06, 0, 1)
        ridge = _bump(x / ((0.07 + 0.05 * down) * (0.5 + 0.5 * wide)), 0)
        root = np.clip((y + 0.19) / 0.12, 0, 1)
        relief += (0.025 + 0.115 * down) * _soft(end) * _soft(root) * ridge
        relief += 0.075 * _bump(x / (0.088 * wide), (y - self.nose_y + 0.03) / 0.075)  # tip
        relief += 0.07 * _bump((side - 0.08 * wide) / (0.062 * wide), (y - self.nose_y + 0.012) / 0.055)  # wings
        relief += 0.05 * _bump(x / (0.2 + 0.04 * speaker.mouth_width), (y - self.mouth_y) / 0.13)  # mouth
        fold = side - 0.105 * wide - 0.5 * np.maximum(y - self.nose_y + 0.02, 0)
        depth = 0.004 + 0.02 * age + 0.01 * self.picture.smile
        relief -= depth * _bump(fold / 0.055, (y - self.mouth_y + 0.06) / 0.15)  # beside the mouth
        if age > 0.25:
            wave = (y + 0.42) / 0.07
            wave = np.abs(wave - np.floor(wave) - 0.5)
            relief += 0.028 * (age - 0.25) * wave * _bump(x / 0.36, (y + 0.36) / 0.2)  # forehead
            relief -= 0.03 * (age - 0.25) * _bump(eye / 0.12, (y - 0.11) / 0.03)  # under the eyes
            relief += 0.03 * (age - 0.25) * _bump((side - 0.25) / 0.1, (y - self.mouth_y - 0.05) / 0.12)  # jowls
        return relief

    def _complexion(self, x: Array, y: Array) -> Array:
        """Colour of the bare skin (3, H, W): redder cheeks and nose, darker lids, spots of age, beard."""
        side = np.abs(x)
        flush = 0.6 * _bump((side - 0.29) / 0.19, (y - 0.19) / 0.15) + 0.5 * _bump(x / 0.12, (y - self.nose_y) / 0.1)
        lid = 1 - (0.14 + 0.1 * self.age) * _bump((side - self.eye_x) / 0.15, (y + 0.01) / 0.11)
        if self.age > 0.3:
            lid *= 1 - 0.5 * (self.age - 0.3) * np.maximum(_texture(x * 19 + y * 8, y * 19 - x * 8) - 0.6, 0)
        tint = np.stack([lid * (1 + 0.02 * flush), lid * (1 - 0.15 * flush), lid * (1 - 0.13 * flush)])
        colour = self.skin * tint
        if self.speaker.beard:
            self._beard(colour, x, y)
        return colour

    def _beard(self, colour: Array, x: Array, y: Array) -> None:
        side = np.abs(x)
        line = self.mouth_y - 0.06 + 0.10 * _bump(side / 0.3, 0) - 0.25 * np.maximum(side - 0.3, 0)
        cover = _edge(line - y, 0.08)
        cover *= 1 - np.clip(3 * _bump(x / 0.19, (y - self.mouth_y - 0.005) / 0.085), 0, 1)
        arch = self.mouth_y - 0.075 + 0.25 * np.square(x) / 0.2
        cover = np.maximum(cover, _edge(np.maximum(np.abs(y - arch) - 0.022, side - 0.19), 0.03))
        grain = 0.55 + 0.35 * _texture(x * 45, y * 22) + 0.3 * _texture(x * 9, y * 9)
        _over(colour, self.brow_pigment * 0.7, np.clip(cover * (0.15 + 0.85 * self.speaker.beard) * grain, 0, 0.95))

    def _brows(self, colour: Array, x: Array, y: Array) -> None:
        speaker = self.speaker
        along = (np.abs(x) - 0.085) / 0.27  # 0 at the nose, 1 at the temple
        arch = 0.032 + 0.015 * (1 - self.man) - 0.018 * speaker.brows
        middle = -0.128 + 0.03 * speaker.brows - 0.035 * self.picture.brow_raise + arch * (1.9 * np.square(along - 0.6) - 0.4)
        thick = 0.021 * (1 + 0.55 * speaker.brows + 0.4 * self.man) * (1 - 0.6 * np.square(np.clip(along, 0, 1)))
        ends = np.maximum(-along, along - 1) * 0.27
        cover = _edge(np.maximum(np.abs(y - middle) - thick, ends), max(self.px, 0.02))
        grain = 0.7 + 0.35 * _noise(x * 50 + np.abs(y - middle) * 60)
        _over(colour, self.brow_pigment * 0.5, np.clip(cover * grain, 0, 0.9))

    def _eyes(self, lit: Array, x: Array, y: Array, light: Array) -> None:
        picture, width, height = self.picture, self.eye_width, self.eye_height
        side = np.where(x < 0, np.float32(-1), np.float32(1))
        inner = np.abs(x) - self.eye_x  # from the middle of the eye to the temple
        a = inner / width
        b = y + 0.07 * inner + 0.01
        arc = 1 - np.square(a)
        above, below = -height * arc - b, b - 0.6 * height * arc
        opening = _edge(np.maximum(above, below) * 0.85, self.px)
        iris_x = side * inner - 0.03 * picture.gaze_x
        iris_y = b + 0.12 * height - 0.02 * picture.gaze_y
        radius = np.sqrt(iris_x * iris_x + iris_y * iris_y)
        white = (0.80 - 0.25 * np.clip(a * a, 0, 1)) * np.clip(0.4 - above / (0.8 * height), 0.4, 1)
        eye = np.stack([white, white * 0.96, white * 0.94])
        iris = _ramp(_EYES, self.speaker.eye_colour) * (0.6 + 0.9 * np.clip(iris_y / 0.06 + 0.4, 0, 1))
        ring = np.clip((radius - 0.038) / 0.018, 0, 1)
        _over(eye, iris * (1 - 0.7 * ring), _edge(radius - 0.054, max(self.px, 0.008)))
        _over(eye, _INK, _edge(radius - 0.024, max(self.px, 0.006)))
        eye *= 0.3 + 0.7 * light
        glint_x, glint_y = iris_x - 0.024 * self.lamp[0] - 0.008, iris_y - 0.02 * self.lamp[1] + 0.014
        glint = np.sqrt(glint_x * glint_x + glint_y * glint_y)
        _over(eye, 1.0, _edge(glint - 0.011, max(self.px, 0.01)) * 0.9)
        near = (np.abs(a) < 1.15).astype(np.float32)
        lit *= 1 - (0.3 + 0.2 * self.age) * near * _edge(np.abs(above - 0.03) - 0.003, 0.022)  # crease of the lid
        _over(lit, eye, opening)
        lit *= 1 - 0.3 * near * _edge(np.abs(below - 0.004) - 0.002, 0.014)
        lash = np.maximum(np.abs(above + 0.003) - 0.009 - 0.005 * (1 - self.man), (np.abs(a) - 1.06) * width)
        _over(lit, _LASH, _edge(lash, max(self.px, 0.006)) * (0.7 + 0.25 * (1 - self.man)))

    def _lips(self, colour: Array, x: Array, y: Array) -> Array:
        """Paint the mouth; returns the cover of the lips (H, W), which shine."""
        picture, man = self.picture, self.man
        width = 0.158 * (1 + 0.34 * self.speaker.mouth_width) * (1 + 0.12 * picture.smile)
        full = (1 - 0.3 * self.age) * (1.1 - 0.22 * man) * (1 + 0.25 * self.speaker.mouth_width)
        a = np.clip(np.abs(x) / width, 0, 1.2)
        arc = np.clip(1 - a * a, 0, 1)
        line = self.mouth_y - 0.085 * picture.smile * (a * a - 0.35) - 0.01 * np.minimum(1.6 * a - 0.4, 0.4) * (1 - a)
        half = 0.05 * max(picture.mouth_open, 0.0) * arc
        root = np.sqrt(arc)
        top = line - half * 0.5 - 0.043 * full * root * (1 - 0.3 * _bump(a / 0.3, 0))
        bottom = line + half + 0.058 * full * root
        ends = (a - 1) * width
        lips = _edge(np.maximum(np.maximum(top - y, y - bottom), ends), max(self.px, 0.012))
        red = self.skin * (_LIPS[1] * man + _LIPS[0] * (1 - man))
        _over(colour, np.where(y < line, red * 0.8, red), lips * 0.9)
        upper = line - half * 0.5 - y
        gap = _edge(np.maximum(np.maximum(upper, y - line - half), ends), self.px) * min(1.0, 8 * picture.mouth_open)
        _over(colour, _MOUTH, gap)
        teeth = _edge(np.maximum(np.maximum(upper, y - line - half * 0.2), ends + 0.025), self.px)
        _over(colour, _TEETH, teeth * gap)
        seam = _edge(np.maximum(np.abs(y - line) - 0.005, ends - 0.01), 0.016)
        _over(colour, red * 0.1, seam * max(0.0, 0.85 - 3.0 * picture.mouth_open))
        return lips * (1 - gap)

    def _hollow(self, x: Array, y: Array) -> Array:
        """Share of the light that reaches each pixel: less under the nose, brows and lower lip and in the corners."""
        side = np.abs(x)
        wide = 1 + 0.45 * self.speaker.nose_width
        shade = 0.26 * _bump(x / (0.13 * wide), (y - self.nose_y - 0.035) / 0.045)
        shade += 0.5 * _bump((side - 0.05 * wide) / (0.03 * wide), (y - self.nose_y - 0.012) / 0.018)  # nostrils
        shade += 0.25 * _bump((side - 0.11) / 0.09, (y + 0.03) / 0.1)
        shade += 0.22 * _bump(x / 0.15, (y - self.mouth_y - 0.10) / 0.04)
        shade += 0.3 * _bump((side - 0.165 * (1 + 0.34 * self.speaker.mouth_width)) / 0.03, (y - self.mouth_y) / 0.04)
        return 1 - np.clip(shade, 0, 0.85)

    # The other layers

    def _backdrop(self) -> Array:
        image = np.ones((3, *self.x.shape), np.float32)
        if self.picture.background == "textured":
            image[:] = texture(self.x, self.y, self.picture.backdrop)
        return image

    def _body(self, image: Array) -> None:
        neck_width = 0.255 + 0.07 * self.man + 0.02 * self.speaker.jaw
        middle = 0.10 * self.yaw[0]
        x = self.x - middle
        flare = neck_width * (1 + 3 * np.square(np.maximum(self.y - 0.6, 0)))
        across = np.clip(x / flare, -1, 1)
        deep = np.sqrt(np.maximum(1 - across * across, 0.02))
        light, _ = self._shade(np.stack([across * 0.98, 0 * across + 0.1, deep]), 0.0)
        # The head shades the neck, most where the chin is nearest.
        under = 1 - 0.62 * np.clip((self.jaw_y + 0.16 - 0.5 * x * x - self.y) / 0.22, 0, 1)
        _over(image, self.skin * light * under, _edge(np.maximum(np.abs(x) - flare, 0.2 - self.y), self.px))
        shoulder = 0.765 + 0.42 * np.square(np.maximum(np.abs(x) - 0.2, 0)) + 0.10 * _bump(x / 0.4, 0)
        collar = 0.885 - 1.7 * np.square(x) + 0.03 * self.man
        edge = np.maximum(shoulder, collar) - self.y
        cloth = _ramp(_CLOTHES, self.picture.clothes / (len(_CLOTHES) - 1))
        fold = 0.7 + 0.45 * _texture(x * 5 + 3, self.y * 3) + 0.5 * self.lamp[0] * x - 0.2 * np.abs(x)
        hem = 0.65 + 0.35 * np.clip(np.abs(self.y - collar - 0.022) / 0.012, 0, 1)
        _over(image, cloth * fold * hem, _edge(edge * 0.8, self.px))

    def _ears(self, image: Array) -> None:
        sin, cos = self.yaw
        for sign in (-1, 1):
            b = (self.y - 0.08) / 0.145
            a = (self.x - sign * (self.width - 0.005) * cos + 0.12 * sin - sign * 0.02 * b) / (0.08 - 0.012 * b)
            radius = np.sqrt(a * a + b * b)
            light, _ = self._shade(np.stack([np.clip(a, -0.7, 0.7), 0.4 * b, 0.65 + 0 * a]), 0.0)
            inner = 1 - 0.5 * _bump((a - 0.1 * sign) / 0.75, b / 0.72)
            _over(image, self.skin * _FLUSH * light * inner, _edge((radius - 1) * 0.08, self.px))

    def _hair_shape(self) -> tuple[Array, Array, Array]:
        """Distance to the outline of the hair, place across it (-1 .. 1), and depth towards the viewer."""
        length = self.speaker.hair_length
        body = 1 - self.speaker.hairline
        volume = (0.02 + 0.06 * min(1.0, 1.8 * length)) * body
        top = -self.crown + (1.2 * volume + 0.01) * body
        up = np.maximum(-self.y, 0) / top
        fall = _soft(np.clip(self.y / 0.6, 0, 1))
        wave = _noise(self.y * 7 + 11) - 0.5 if self.long_hair else 0
        width = (self.width + 0.6 * volume) * (1 + (0.12 * length + 0.06 * wave) * fall)
        across = self.x / width
        boxy = up * up * (0.72 + 0.28 * up * up)
        inside = np.sqrt(across * across + boxy)
        tufts = 0.02 * body * (_noise(across * 19 + 9) - 0.5) * np.clip(up * 3, 0, 1)
        return (inside - 1) * 0.52 + tufts, across, 0.5 * np.sqrt(np.maximum(1 - inside * inside, 0))

    def _hair_colour(self, across: Array, depth: Array) -> Array:
        """Strands that run from the parting along the outline, with a band of shine (3, H, W)."""
        part = 0.35 * self.speaker.parting
        high = np.clip((self.y + 0.1) / (self.crown + 0.1), 0, 1)
        strand = across - part * _soft(high)
        bend = 0.16 * _noise(self.y * 4 + 3) if self.long_hair else 0.0
        grain = 0.55 * _noise((strand + bend) * 23) + 0.45 * _noise((strand + bend) * 57 + 40)
        normal = np.stack([across * 0.9, np.minimum(self.y + 0.1, 0) * 1.3, depth * 1.5 + 0.12])
        normal /= np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
        light, _ = self._shade(normal, 0.0)
        band = _bump((self.y + 0.44 - 0.16 * across * across + 0.08 * (grain - 0.5)) / 0.17, 0)
        facing = np.clip(1.1 - np.square(across - 0.7 * self.lamp[0]), 0, 1)
        shine = band * facing * (0.15 + grain)
        return self.pigment * light * (0.5 + 0.8 * grain) + shine * (0.03 + 0.22 * self.pigment)

    def _hair_end(self, grain: Array, across: Array) -> Array:
        length = self.speaker.hair_length
        return 0.30 + 0.95 * (length - 0.4) + 0.05 * (grain - 0.5) - 0.08 * across * across

    def _hair_behind(self, image: Array) -> None:
        if not self.long_hair:
            return
        distance, across, depth = self._hair_shape()
        end = self._hair_end(_noise(across * 9), across)
        _over(image, self._hair_colour(across, depth) * 0.45, _edge(np.maximum(distance, self.y - end), self.px))

    def _hair_in_front(self, image: Array) -> None:
        speaker = self.speaker
        distance, across, depth = self._hair_shape()
        x, y = self._face_point(depth + 0.02)
        rough = _noise(across * 31 + 5) - 0.5
        # The face is a hole in the hair; the hole grows where the hairline recedes.
        if self.long_hair:
            fall = np.abs(x - 0.3 * speaker.parting)
            top = -0.47 - 0.25 * speaker.hairline + 0.45 * fall * fall + 0.03 * rough
            half = 0.42 + 0.02 * rough - 0.05 * np.clip((y - 0.1) / 0.5, 0, 1)
            end = self._hair_end(rough, across)
        else:
            corner = _bump((np.abs(x) - 0.24) / 0.17, 0)
            receded = speaker.hairline * (0.12 + 0.22 * corner)
            top = -0.43 - 0.05 * self.man - receded + 0.05 * x * speaker.parting + 0.035 * rough
            half = 0.455 + 0.012 * self.man + 0.014 * rough - 0.03 * np.clip(-y / 0.4, 0, 1)
            end = 0.03 + 0.25 * speaker.hair_length + 0.03 * rough
        a, b = x / half, np.minimum((y - 0.1) / (0.1 - top), 0)
        a, b = a * a, b * b
        hole = (np.sqrt(np.sqrt(a * a + b * b + 0.8 * a * b)) - 1) * 0.43
        # Above the ears the hole ends with the head, so that no sky shows between head and hair.
        window = np.maximum(hole, self.solid.distance - 2 * np.maximum(self.y - 0.15, 0))
        cover = _edge(np.maximum(np.maximum(distance, self.y - end), -window), max(self.px, 0.012))
        shadow = np.clip(1 + hole / 0.06, 0, 1) * _edge(self.solid.distance, self.px) * _edge(y - 0.3, 0.3)
        image *= 1 - 0.3 * shadow * shadow
        _over(image, self._hair_colour(across, depth), cover)

    def _glasses(self, image: Array) -> None:
        sin, cos = self.yaw
        plane = self.width + 0.03
        x = (self.x - plane * sin) / cos
        y = self.y - (plane - 0.3) * self.pitch[0] - 0.01
        side = np.abs(x)
        a, b = np.abs(side - self.eye_x - 0.005) - 0.078, np.abs(y) - 0.048
        outside = np.sqrt(np.square(np.maximum(a, 0)) + np.square(np.maximum(b, 0))) + np.minimum(np.maximum(a, b), 0)
        rim = np.abs(outside - 0.068) - 0.008
        bridge = np.maximum(np.abs(y + 0.03 + 0.2 * x * x) - 0.010, side - 0.07)
        temple = np.maximum(np.abs(y + 0.03) - 0.012, np.maximum(0.345 - side, np.abs(self.x) - self.width + 0.01))
        image *= 1 - 0.18 * _edge(np.abs(outside - 0.045) - 0.012, 0.05)
        place = np.where(x > 0, np.float32(0.17), np.float32(-0.24)) + 0.1 * self.lamp[0]
        streak = _bump((x - 0.6 * y - place) / 0.04, 0)
        _over(image, 0.9, _edge(outside - 0.066, self.px) * (0.02 + 0.09 * streak))
        _over(image, _FRAME, _edge(np.minimum(np.minimum(rim, bridge), temple), self.px) * 0.95)

    def _shade(self, normal: Array, gloss: Array | float) -> tuple[Array, Array]:
        """Light on unit normals (3, H, W): diffuse (3, H, W), warm at the edge of the shadow, and shine (H, W)."""
        lx, ly, lz = self.lamp
        strength = self.picture.light
        facing = normal[0] * lx + normal[1] * ly + normal[2] * lz
        sky = 0.22 - 0.08 * normal[1]
        light = np.stack([np.maximum((facing + wrap) * (0.80 * strength / (1 + wrap)), 0) + sky for wrap in _WRAP])
        # Half-way vector between lamp and viewer.
        scale = 1 / math.sqrt(lx * lx + ly * ly + (1 + lz) ** 2)
        half = np.maximum((normal[0] * lx + normal[1] * ly + normal[2] * (1 + lz)) * scale, 0)
        for _ in range(4):
            half = half * half
        return light, half * gloss * (0.6 * strength)


class _Solid:
    """The smooth head: (x / width)^2 + profile(y) + (z / width)^2 = 1, an egg whose lower half may be square."""

    def __init__(self, x: Array, y: Array, width: float, crown: float, chin: float, square: float, narrow: float):
        middle = crown + 0.50 * (chin - crown)
        below = y > middle
        extent = np.where(below, np.float32(chin - middle), np.float32(middle - crown))
        t = np.abs(y - middle) / extent
        tt = t * t
        boxy = np.where(below, np.float32(square), np.float32(0.35))
        profile = tt * (1 - boxy + boxy * tt)
        slope = t * (2 * (1 - boxy) + 4 * boxy * tt) / np.where(below, extent, -extent)
        across = x / (1 - np.where(below, np.float32(narrow), np.float32(0)) * tt)  # cheeks fall in towards the chin
        value = np.square(across / width) + profile - 1
        across = across * (2 / (width * width))
        steep = across * across + slope * slope
        self.distance = value / (np.sqrt(steep) + 1e-3)
        self.z = width * np.sqrt(np.maximum(-value, 0))
        depth = self.z * (2 / (width * width))
        norm = 1 / (np.sqrt(steep + depth * depth) + 1e-6)
        self.normal = np.stack([across * norm, slope * norm, depth * norm])

    def bent(self, relief: Array, px: float) -> Array:
        """Unit normals (3, H, W) of the solid with a relief on it."""
        normal = self.normal.copy()
        normal[0, :, 1:-1] -= self.normal[2, :, 1:-1] * (relief[:, 2:] - relief[:, :-2]) / (2 * px)
        normal[1, 1:-1] -= self.normal[2, 1:-1] * (relief[2:] - relief[:-2]) / (2 * px)
        return normal / np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2] + 1e-6)


def _bump(a: Array | float, b: Array | float) -> Array:
    """Smooth hill of height 1 at (0, 0) that ends on the unit circle."""
    return np.square(np.maximum(1 - a * a - b * b, 0))


def _soft(t: Array) -> Array:
    return t * t * (3 - 2 * t)


def _edge(distance: Array, blur: float) -> Array:
    """Cover (0 .. 1) of what lies at negative distance, its edge spread over `blur`."""
    return np.clip(0.5 - distance / blur, 0, 1)


def _over(image: Array, colour: Array | float, cover: Array) -> None:
    image += (colour - image) * cover


def _ramp(colours: tuple[tuple[int, int, int], ...], where: float) -> Array:
    """Colour at `where` in [0, 1] along a row of colours."""
    place = where * (len(colours) - 1)
    index = min(int(place), len(colours) - 2)
    rest = place - index
    return _colour(colours[index]) * (1 - rest) + _colour(colours[index + 1]) * rest


def _turn(angle: float) -> tuple[float, float]:
    """Sine and cosine, rounded so that the mathematics library does not show."""
    return round(math.sin(angle), 6), round(math.cos(angle), 6)


@functools.cache
def _table() -> Array:
    return np.random.default_rng(20).random((64, 64)).astype(np.float32)


def _noise(x: Array) -> Array:
    """Smooth noise in [0, 1] along a line, one random value a unit."""
    floor = np.floor(x)
    index = floor.astype(np.intp) & 4095
    line = _table().reshape(-1)
    left, right = line[index], line[(index + 1) & 4095]
    return left + (right - left) * _soft(x - floor)


def _texture(x: Array, y: Array) -> Array:
    """Smooth noise in [0, 1] over the plane, one random value a unit square."""
    floor_x, floor_y = np.floor(x), np.floor(y)
    i, j = floor_x.astype(np.int64) & 63, floor_y.astype(np.int64) & 63
    i_next, j_next = (i + 1) & 63, (j + 1) & 63
    s, t = _soft(x - floor_x), _soft(y - floor_y)
    table = _table()
    top = table[j, i] + (table[j, i_next] - table[j, i]) * s
    bottom = table[j_next, i] + (table[j_next, i_next] - table[j_next, i]) * s
    return top + (bottom - top) * t
