import numpy as np
import pytest

from bigmodel_edu.errors import BookError, DTypeError, HyperparameterError, ShapeError
from bigmodel_edu.neural_nets.experiments.augmentation import RandomDistortion

SIDE = 8


class Fixed:
    """A generator that draws this angle in degrees, and this shift in rows and columns."""

    def __init__(self, degrees=0.0, shift=(0.0, 0.0)):
        self.degrees, self.shift = degrees, shift

    def uniform(self, low, high, size):
        if len(size) == 3:
            return np.full(size, self.degrees)
        return np.broadcast_to(np.reshape(self.shift, (2, 1, 1, 1)), size)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((11, SIDE, SIDE))


def shifted(images, rows, columns):
    """`np.roll` whose rows and columns come back as zeros."""
    padded = np.pad(images, [(0, 0), (SIDE, SIDE), (SIDE, SIDE)])
    rolled = np.roll(padded, (rows, columns), axis=(1, 2))
    return rolled[:, SIDE:-SIDE, SIDE:-SIDE]


def test_no_distortion_is_the_identity(images):
    np.testing.assert_array_equal(RandomDistortion(SIDE)(images, None), images)


def test_a_distortion_by_nothing_is_the_identity(images):
    moved = RandomDistortion(SIDE, shift=1, degrees=10)(images, Fixed())
    np.testing.assert_array_equal(moved, images)


@pytest.mark.parametrize("by", [(1, 0), (0, 1), (-2, 3), (SIDE, 0)])
def test_a_shift_by_whole_pixels_fills_up_with_zeros(images, by):
    moved = RandomDistortion(SIDE, shift=3)(images, Fixed(shift=by))
    np.testing.assert_array_equal(moved, shifted(images, -by[0], -by[1]))


def test_a_shift_by_half_a_pixel_is_the_mean_of_two(images):
    moved = RandomDistortion(SIDE, shift=1)(images, Fixed(shift=(0, 0.5)))
    np.testing.assert_allclose(moved, (images + shifted(images, 0, -1)) / 2, atol=1e-12)


@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_quarter_turns_about_the_centre(images, turns):
    moved = RandomDistortion(SIDE, degrees=180)(images, Fixed(degrees=90 * turns))
    np.testing.assert_allclose(moved, np.rot90(images, -turns, axes=(1, 2)), atol=1e-12)


def test_distortions_stay_within_their_limits():
    drawn = []

    class Spy:
        def uniform(self, low, high, size):
            drawn.append((low, high))
            return np.zeros(size)

    RandomDistortion(SIDE, shift=1.5, degrees=10)(np.zeros((3, SIDE, SIDE)), Spy())
    assert drawn == [(-10, 10), (-1.5, 1.5)]


@pytest.mark.parametrize("distortion", [{"shift": 1}, {"degrees": 20}, {"noise": 0.1}])
def test_each_image_is_distorted_in_its_own_way(images, distortion):
    alike = np.broadcast_to(images[:1], (5, SIDE, SIDE))
    moved = RandomDistortion(SIDE, **distortion)(alike, np.random.default_rng(0))
    assert len(np.unique(moved.reshape(5, -1), axis=0)) == 5
    assert not np.allclose(moved[0], images[0])


def test_images_do_not_mix(images):
    """Empty images stay empty between full ones."""
    images[::2] = 0
    moved = RandomDistortion(SIDE, shift=2, degrees=30)(images, np.random.default_rng(0))
    assert not moved[::2].any()
    assert moved[1::2].any(axis=(1, 2)).all()


def test_the_noise_has_the_spread_asked_for():
    x = np.full((500, SIDE, SIDE), 0.3)
    noise = RandomDistortion(SIDE, noise=0.2)(x, np.random.default_rng(0)) - x
    assert noise.std() == pytest.approx(0.2, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.005)


FULL = RandomDistortion(SIDE, shift=1, degrees=10, noise=0.1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shape_and_dtype_are_kept_and_the_input_is_left_alone(images, dtype):
    images = images.astype(dtype)
    before = images.copy()
    images.setflags(write=False)
    square = FULL(images, np.random.default_rng(0))
    flat = FULL(images.reshape(11, -1), np.random.default_rng(0))
    assert (square.shape, flat.shape) == ((11, SIDE, SIDE), (11, SIDE**2))
    assert square.dtype == flat.dtype == dtype
    np.testing.assert_array_equal(square.reshape(11, -1), flat)
    np.testing.assert_array_equal(images, before)


def test_the_same_seed_distorts_alike(images):
    first, again, other = (FULL(images, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((3, 16)), ShapeError),
        (np.zeros((3, 4, 16)), ShapeError),
        (np.zeros(64), ShapeError),
        (np.zeros((0, 64)), ShapeError),
        (np.zeros((3, 64), dtype=np.uint8), DTypeError),
    ],
)
def test_what_is_no_batch_of_images_is_refused(x, error):
    with pytest.raises(error, match=r"x .*expected|x is empty") as caught:
        FULL(x, np.random.default_rng(0))
    assert isinstance(caught.value, BookError)


@pytest.mark.parametrize("wrong", [{"side": 0}, {"shift": -1}, {"degrees": -1}, {"noise": np.nan}])
def test_wrong_hyperparameters_are_refused(wrong):
    with pytest.raises(HyperparameterError, match=next(iter(wrong))):
        RandomDistortion(**({"side": SIDE} | wrong))
