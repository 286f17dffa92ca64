import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError
from bigmodel_edu.training import checkpoints
from bigmodel_edu.training.checkpoints import (
    CheckpointError,
    all_in,
    generator_from,
    generator_state,
    latest,
    load,
    save,
    save_in,
)


@dataclass(frozen=True)
class Model:
    hidden_size: int = 64
    sizes: tuple[int, ...] = (2, 3)


@dataclass(frozen=True)
class Configuration:
    model: Model = field(default_factory=Model)
    dropout: float = 0.1
    epochs: int = 3


ARRAYS = {
    "lstm.weight_ih_l0": np.arange(12, dtype=np.float32).reshape(4, 3),
    "bias": np.array([np.nan, -np.inf, -0.0, 1e-310]),
    "step": np.array(7),
    "empty": np.zeros((0, 3), dtype=np.int64),
    "mask": np.array([True, False]),
    "turned": np.arange(6.0).reshape(2, 3).T,
}


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "a.npz", ARRAYS, step=3, configuration=Configuration())


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def refused(says, call, *args, **options):
    with pytest.raises(CheckpointError, match=says) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


# There and back


def test_everything_comes_back(tmp_path):
    extra = {"losses": [0.5, float("inf")], "title": "Tolstoï"}
    path = save(tmp_path / "a.npz", ARRAYS, step=3, configuration=Configuration(), extra=extra)
    checkpoint = load(path, Configuration(), like=ARRAYS)
    same(checkpoint.arrays, ARRAYS)
    assert np.signbit(checkpoint.arrays["bias"][2])
    assert (checkpoint.step, checkpoint.extra, checkpoint.path) == (3, extra, path)
    assert checkpoint.configuration["model"] == {"hidden_size": 64, "sizes": [2, 3]}


def test_what_comes_back_can_be_written_to(path):
    for array in load(path).arrays.values():
        assert array.flags.writeable


def test_numpy_opens_the_file_too_and_needs_no_pickle(path):
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["turned"], ARRAYS["turned"])
        assert json.loads(file["checkpoint.json"])["step"] == 3


def test_the_same_contents_give_the_same_bytes(path, tmp_path):
    other = save(tmp_path / "b.npz", ARRAYS, step=3, configuration=Configuration())
    assert other.read_bytes() == path.read_bytes()


def test_nothing_is_left_beside_the_file(path):
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]


def test_a_checkpoint_without_arrays_and_a_dict_as_configuration(tmp_path):
    path = save(tmp_path / "a.npz", {}, step=0, configuration={"lr": np.float32(0.5)})
    assert load(path, {"lr": 0.5}, like={}).arrays == {}


@pytest.mark.parametrize("step", [-1, 1.5, "3", None])
def test_a_step_is_a_count(tmp_path, step):
    with pytest.raises(HyperparameterError, match=r"step is .*, expected a whole number"):
        save(tmp_path / "a.npz", {}, step=step, configuration={})


def test_objects_are_refused_rather_than_pickled(tmp_path):
    arrays = {"a": np.array([{}, None])}
    refused("'a' is of dtype object", save, tmp_path / "a", arrays, step=0, configuration={})
    extra = {"f": len}
    says = "cannot hold extra: <built-in function len> is of type builtin"
    refused(says, save, tmp_path / "a", {}, step=0, configuration={}, extra=extra)
    assert not list(tmp_path.iterdir())


# Another file, or not all of it


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in {0, 1, 3, 20, 45, len(whole) // 2, *range(len(whole) - 100, len(whole))}:
        path.write_bytes(whole[:length])
        refused(rf"is damaged or cut short \({length:,} bytes", load, path)


def test_every_flipped_byte_is_noticed(path):
    whole = path.read_bytes()
    for at in (*range(50), *range(50, len(whole), 7)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        refused("is damaged or cut short|is not a checkpoint", load, path)


def test_something_else_is_no_checkpoint(tmp_path):
    path = tmp_path / "other.npz"
    for content in (b"To be, or not to be\n" * 50, b"\x00" * 500):
        path.write_bytes(content)
        refused("other.npz is not a checkpoint, expected a file that", load, path)
    np.savez(path, **ARRAYS)
    refused("other.npz is not a checkpoint, expected a file that", load, path)


def test_no_file_and_a_folder(tmp_path):
    refused(r"none.npz cannot be read \(No such file", load, tmp_path / "none.npz")
    refused("cannot be read", load, tmp_path)


def test_another_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 1)
    path = save(tmp_path / "a.npz", {}, step=0, configuration={})
    monkeypatch.undo()
    refused("has format 1, expected 2", load, path)


# Another model


def test_the_fields_that_differ_are_named(path):
    other = Configuration(Model(hidden_size=128), dropout=0.5)
    message = refused("of another configuration: ", load, path, other)
    assert "model.hidden_size is 64 in the checkpoint, 128 here; dropout is 0.1 in" in message
    assert "epochs" not in message
    assert "sizes" not in message


def test_fields_on_one_side_only_are_named(tmp_path):
    path = save(tmp_path / "a.npz", {}, step=0, configuration={"a": 1, "b": None})
    message = refused("of another configuration", load, path, {"b": None, "c": "x"})
    assert 'c is missing in the checkpoint, "x" here' in message
    assert "a is 1 in the checkpoint, missing here" in message


def test_a_field_that_may_differ(path):
    longer = replace(Configuration(), epochs=10)
    refused("epochs is 3 in the checkpoint, 10 here", load, path, longer)
    assert load(path, longer, may_differ=("epochs",)).step == 3
    load(path, replace(longer, model=Model(7)), may_differ=("epochs", "model"))


def test_arrays_that_do_not_fit_are_named(path):
    like = dict(ARRAYS)
    like["bais"] = like.pop("bias")
    like["step"] = np.array(7.0)
    like["turned"] = ARRAYS["turned"].T
    message = refused("does not fit this model: 'bais' is missing", load, path, like=like)
    assert "'bias' is not expected" in message
    assert "'step' is int64 of shape (), expected float64 of shape ()" in message
    assert "'turned' is float64 of shape (3, 2), expected float64 of shape (2, 3)" in message


# Writing that fails


def full(*args):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_checkpoint_before(path, monkeypatch, call):
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full)
    says = r"a.npz could not be written \(No space left on device\), what was there before is unt"
    refused(says, save, path, {}, step=4, configuration={})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]


def test_an_interrupt_leaves_the_checkpoint_before(path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(path, {}, step=4, configuration={})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.npz"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    says = r"step-00000001.npz could not be written \((File exists|Not a directory)"
    refused(says, save_in, tmp_path / "file", {}, step=1, configuration={})
    says = r"could not be written \((No such file|Not a directory)"
    refused(says, save, tmp_path / "none" / "a.npz", {}, step=1, configuration={})


WRITER = """
import sys
import numpy as np
from bigmodel_edu.training.checkpoints import save_in
for step in range(1, 100_000):
    save_in(sys.argv[1], {"w": np.full(20_000, step)}, step=step, configuration={}, keep=2)
    print(step, flush=True)
"""


def test_a_process_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            child.kill()
            told = child.stdout.read().split()
        checkpoint = load(latest(tmp_path), {})
        assert checkpoint.step >= max([1, *map(int, told)])
        assert (checkpoint.arrays["w"] == checkpoint.step).all()
        for path in all_in(tmp_path):
            path.unlink()


KILLED_BEFORE_IT_IS_WHOLE = """
import os, signal, sys
import numpy as np
from bigmodel_edu.training.checkpoints import save_in
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGTERM)
save_in(sys.argv[1], {"w": np.zeros(20_000)}, step=2, configuration={})
"""


def test_a_half_written_file_is_never_the_latest_and_the_next_save_clears_it_away(tmp_path):
    save_in(tmp_path, ARRAYS, step=1, configuration={})
    subprocess.run([sys.executable, "-c", KILLED_BEFORE_IT_IS_WHOLE, str(tmp_path)])
    left = sorted(p.name for p in tmp_path.iterdir())
    assert len(left) == 2
    assert left[0].startswith(".step-00000002.npz.")
    assert load(latest(tmp_path), {}).step == 1
    save_in(tmp_path, ARRAYS, step=2, configuration={})
    assert [p.name for p in all_in(tmp_path)] == sorted(p.name for p in tmp_path.iterdir())


# A folder of them


def test_the_last_ones_are_kept_and_the_latest_is_found(tmp_path):
    folder = tmp_path / "new" / "run"
    assert latest(folder) is None
    for step in (8, 9, 10, 123_456_789, 11):
        save_in(folder, {}, step=step, configuration={}, keep=3)
    assert [load(p).step for p in all_in(folder)] == [10, 11, 123_456_789]
    (folder / "step-99999999999.txt").write_text("")
    (folder / "step-latest.npz").write_text("")
    assert load(latest(folder)).step == 123_456_789
    with pytest.raises(HyperparameterError, match="keep is 0, expected a whole number of 1"):
        save_in(folder, {}, step=1, configuration={}, keep=0)


# Random generators


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_generator_goes_on_where_it_stood(tmp_path, kind):
    rng = np.random.Generator(getattr(np.random, kind)(3))
    rng.normal(size=3)
    rng.integers(0, 10, size=3, dtype=np.int32)  # leaves half of a 64-bit draw behind
    extra = {"rng": generator_state(rng)}
    path = save(tmp_path / "a.npz", {}, step=0, configuration={}, extra=extra)
    other = generator_from(load(path).extra["rng"])
    assert rng.integers(0, 1000, size=5, dtype=np.int32).tolist() == (
        other.integers(0, 1000, size=5, dtype=np.int32).tolist()
    )
    assert rng.permutation(50).tolist() == other.permutation(50).tolist()


@pytest.mark.parametrize("state", [{}, {"bit_generator": "os"}, None])
def test_what_is_no_generator_is_refused(state):
    refused("expected one of MT19937, PCG64", generator_from, state)
