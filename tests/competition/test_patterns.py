import numpy as np
import pandas as pd
import pytest

from compkit.competition.patterns import (
    IMAGE_SUFFIXES,
    fill_pattern,
    image_folder,
    parse_pattern,
    pattern_regex,
)

KEY = "competition.train_images"


@pytest.mark.parametrize(
    "pattern, parts",
    [
        ("train", ("", False, "train/{id}", None)),
        ("{id}", ("", False, "{id}", None)),
        ("**/{id}.png", ("", True, "{id}.png", None)),
        ("a/**/b/{id}", ("a/", True, "b/{id}", None)),
        ("a/{id}/*", ("", False, "a/{id}/", "")),
        ("a/{id}/**/x*y.png", ("a/{id}/", True, "x", "y.png")),
    ],
)
def test_patterns_are_taken_apart(pattern, parts):
    assert parse_pattern(pattern, KEY) == parts


@pytest.mark.parametrize(
    "pattern", ["a/*/{id}.png", "a**/{id}", "{id}/**/**/x", "{id}_*_*.png", "a/*.png", "{id}/**"]
)
def test_stars_elsewhere_are_an_error(pattern):
    with pytest.raises(ValueError, match=r"train_images: .*at most one \* in the name of the file"):
        parse_pattern(pattern, KEY)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("pattern", ["{{id}}{}", "{{id}}/*{}", "{{id}}_*_x{}"])
def test_extension_is_guessed_only_where_there_is_none(pattern, suffix):
    assert not parse_pattern(pattern.format(suffix), KEY).guesses_suffix
    assert parse_pattern(pattern.format(""), KEY).guesses_suffix


def test_numbers_are_padded_and_longer_ones_stay():
    ids = np.array(["7", "123", "a"])
    assert fill_pattern("{id:02}/{n:03}.png", pd.DataFrame({"n": ["1", "22", "4444"]}), ids, KEY) == [
        "07/001.png",
        "123/022.png",
        "0a/4444.png",
    ]


def test_cells_are_no_patterns():
    frame = pd.DataFrame({"site": ["{id}", "*"]})
    assert fill_pattern("{site}/{id}.png", frame, np.array(["**", "{channel}"]), KEY) == [
        "{id}/**.png",
        "*/{channel}.png",
    ]


def test_folder_of_a_pattern():
    assert [image_folder(one) for one in ("a/b", "a/x_{id}", "a/**/{id}", "{id}", "a/{id}/*")] == [
        "a/b",
        "a",
        "a",
        "",
        "a",
    ]


@pytest.mark.parametrize(
    "pattern, path, want",
    [
        ("train/{label}.{number}.jpg", "train/cat.0.jpg", ("cat", "0")),
        ("{label}_{n}.png", "great_dane_12.png", ("great_dane", "12")),
        ("{patient}_{label}", "p_1_benign.JPEG", ("p_1", "benign")),
        ("{label}/**/{n}.png", "cat/a/b/1.png", ("cat", "1")),
        ("{label}/**/{n}.png", "cat/1.png", ("cat", "1")),
        ("{label}/*.png", "cat/any thing.png", ("cat",)),
        ("{label}/{label}_{n}.png", "cat/cat_1.png", ("cat", "1")),
        ("{the label}/{a-b}.png", "x/y.png", ("x", "y")),
        ("{label}/{label}_{n}.png", "cat/dog_1.png", None),
        ("{label}.png", "cat/1.png", None),
        ("{label}.(png)", "cat.(png).png", ("cat",)),
    ],
)
def test_names_are_read_back(pattern, path, want):
    names = [
        name for name in ("label", "patient", "the label", "a-b", "number", "n") if f"{{{name}}}" in pattern
    ]
    names.sort(key=lambda name: pattern.index(f"{{{name}}}"))
    match = pattern_regex(pattern, names, any_suffix=True).fullmatch(path)
    assert (match and match.groups()) == want
