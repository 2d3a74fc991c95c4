"""Every shipped profile is read, builds what it names, and says of each line where it comes from."""

from importlib import resources

import pytest
import yaml

from evaluation.detectors.base import Detector
from gan.build import build
from gan.config import typed
from gan.media.speech.base import Speech
from gan.raw.profile import Profile, load_profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_is_whole(name: str) -> None:
    profile = load_profile(name)
    assert typed(Profile, profile.to_dict()) == profile
    assert typed(Profile, yaml.safe_load(profile.to_yaml())) == profile
    assert build(Speech, profile.speech, "speech", settings=profile.spans).label
    assert build(Detector, profile.looks.detector, "looks.detector")


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_holds_only_what_differs_in_the_order_of_the_stages(name: str) -> None:
    text = resources.files("configs").joinpath("profiles", f"{name}.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    plain = Profile().to_dict()
    assert list(values) == [section for section in plain if section in values]
    published = {
        "crop.by",
        "faces.least_pupil_distance_px",
        "faces.most_asymmetry",
        "faces.most_mouth_open",
    }  # said, as papers do
    for section, keys in values.items():
        for key, value in keys.items():
            same = plain[section].get(key) == value
            assert not same or f"{section}.{key}" in published or section == "speech" or key == "shortest_seconds", key
    sections = [line for line in text.splitlines() if line and line[0] not in "# "]
    for at, line in enumerate(sections):
        if "{" in line:
            assert "#" in line, f"{name}: no source beside {sections[at]}"


def test_a_wrong_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"faces\.most_asymetry: no such key.*Did you mean most_asymmetry\?"):
        load_profile("plain", ["faces.most_asymetry=0.2"])
    with pytest.raises(ValueError, match=r"Did you mean hq-voxceleb\?"):
        load_profile("hq-voxcelb")


def test_another_detector_comes_with_its_own_options() -> None:
    for overrides in (["looks.detector.name=mtcnn"], ["looks.detector={name: mtcnn}"]):
        assert load_profile("plain", overrides).looks.detector == {"name": "mtcnn"}
    assert load_profile("plain", ["looks.detector.upsampling=1"]).looks.detector == {"name": "dlib_hog", "upsampling": 1}


def test_what_only_decides_reads_nothing_anew() -> None:
    plain = load_profile("plain")
    assert load_profile("plain", ["people.most_a_film=3", "splits.seed=1"]).stages_key == plain.stages_key
    assert load_profile("plain", ["looks.per_second=2"]).stages_key != plain.stages_key
