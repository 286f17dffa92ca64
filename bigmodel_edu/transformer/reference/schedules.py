"""The learning rate of the paper."""

from dataclasses import dataclass

from bigmodel_edu.layer import expect_count


@dataclass(frozen=True)
class InverseSquareRootWarmUp:
    """η(t) = D^{-1/2} min((t + 1)^{-1/2}, (t + 1) W^{-3/2}) (Vaswani et al. 2017, eq. 3).

    D = `d_model`, W = `warm_up` steps of linear growth, then a decay with one over the square root.
    Steps are counted from zero, the paper counts from one.
    """

    d_model: int
    warm_up: int = 4000

    def __post_init__(self) -> None:
        expect_count("d_model", self.d_model)
        expect_count("warm_up", self.warm_up)

    def __call__(self, step: int) -> float:
        number = step + 1
        return self.d_model**-0.5 * min(number**-0.5, number * self.warm_up**-1.5)
