import pytest

from bigmodel_edu.training.batches import EpochBatches


class Letters(EpochBatches):
    """Three batches an epoch; notes which were made."""

    def __init__(self):
        self.made = []

    def __len__(self):
        return 3

    def epoch(self, number):
        for place in range(3):
            self.made.append((number, place))
            yield f"{number}{'abc'[place]}"


def test_a_batch_depends_on_its_step_only():
    expected = ["0a", "0b", "0c", "1a", "1b", "1c", "2a"]
    batches = Letters()
    assert [batches[step] for step in range(7)] == expected
    for step in (4, 0, 6, 6, 1, 5, 3, 2, 3):
        assert batches[step] == expected[step]


def test_step_after_step_every_batch_is_made_once():
    batches = Letters()
    for step in range(1, 6):
        batches[step]
    assert batches.made == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_batch_that_fails_can_be_asked_for_again():
    class Failing(Letters):
        fails = True

        def epoch(self, number):
            yield "a"
            if self.fails:
                raise LookupError
            yield "b"

    batches = Failing()
    assert batches[0] == "a"
    for _ in range(2):
        with pytest.raises(LookupError):
            batches[1]
    batches.fails = False
    assert batches[1] == "b"
