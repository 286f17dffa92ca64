"""Draw the book's pictures, by the book's own code, into `site/_static/`.

    python scripts/make_pictures.py

`losses.png`, `digits.png` and `parity.png` stand on the cover; `picture.png`, for the README,
shows the three side by side.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from bigmodel_edu import catalogue, parity, plotting
from bigmodel_edu.data import Digits, load_digits
from bigmodel_edu.neural_nets import reference, torch_impl
from bigmodel_edu.neural_nets.experiments.training import Trainer, minibatches, predict

FOLDER = Path(__file__).parents[1] / "site" / "_static"
SIZES = (64, 64, 10)
STEPS, BATCH = 100, 64
EQUAL = 1e-17  # where a logarithmic axis shows zero
JUDGES = {
    "finite-differences": "finite\ndifferences",
    "torch": "PyTorch\ntwin",
    "oracle": "outside\noracle",
    "cuda-on-cpu": "CUDA kernel\non the CPU",
    "cupy": "CuPy\non the GPU",
}


def train(digits: Digits) -> tuple[dict, list[float], list[float]]:
    """Train one MLP with NumPy and with PyTorch; return its parameters and the losses of both."""
    model, optimizer = reference.mlp(SIZES), reference.Adam(lr=0.01)
    trainer = Trainer(model, optimizer)
    params = model.init(np.random.default_rng(0))
    twin = torch_impl.mlp(SIZES).double()
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in params.items()})
    twin_optimizer = torch_impl.Adam(lr=0.01).over(twin.parameters())

    state, losses, twin_losses = optimizer.init(params), [], []
    for batch in batches(len(digits.x_train)):
        x, y = digits.x_train[batch], digits.y_train[batch]
        params, state, loss = trainer.step(params, state, x, y, np.random.default_rng(0))
        losses.append(loss)
        twin_loss = torch.nn.functional.cross_entropy(
            twin(torch.from_numpy(x)), torch.from_numpy(y)
        )
        twin_optimizer.zero_grad()
        twin_loss.backward()
        twin_optimizer.step()
        twin_losses.append(twin_loss.item())
    return params, losses, twin_losses


def batches(n: int) -> list[np.ndarray]:
    """Return the examples of each of the steps."""
    rng = np.random.default_rng(1)
    epochs = -(-STEPS * BATCH // n) + 1
    return [batch for _ in range(epochs) for batch in minibatches(n, BATCH, rng)][:STEPS]


def draw_losses(ax: Axes, losses: list[float], twin_losses: list[float]) -> None:
    gap = max(abs(a - b) for a, b in zip(losses, twin_losses, strict=True))
    curves = {"NumPy, by hand": losses, "PyTorch": twin_losses}
    plotting.plot_losses(curves, title=f"The same training: apart by {gap:.0e}", ax=ax)
    ax.legend(loc="upper right")


def draw_digits(ax: Axes, digits: Digits, params: dict) -> None:
    guesses = predict(reference.mlp(SIZES), params, digits.x_test)
    accuracy = (guesses == digits.y_test).mean()
    rows, columns = 4, 8
    page = digits.x_test[: rows * columns].reshape(rows, columns, 8, 8)
    page = np.pad(page, ((0, 0), (0, 0), (1, 3), (1, 1)))
    ax.imshow(page.swapaxes(1, 2).reshape(rows * 12, columns * 10), cmap="Greys")
    for i in range(rows * columns):
        row, column = divmod(i, columns)
        right = guesses[i] == digits.y_test[i]
        colour = plotting.PALETTE[0] if right else plotting.PALETTE[1]
        place = (column * 10 + 4.5, row * 12 + 10.5)
        ax.annotate(str(guesses[i]), place, color=colour, ha="center", va="center", weight="bold")
    ax.set_axis_off()
    ax.set_title(f"Read by NumPy alone: {accuracy:.1%} after {STEPS} steps")


def draw_parity(ax: Axes) -> None:
    verdicts = [v for c in catalogue.components().values() for v in parity.judge(c)]
    measured = [v for v in verdicts if v.status != "skipped" and v.max_error is not None]
    rng = np.random.default_rng(0)
    shown = [j for j in JUDGES if any(v.judge.partition(":")[0] == j for v in measured)]
    for x, judge in enumerate(shown):
        errors = [v.max_error for v in measured if v.judge.partition(":")[0] == judge]
        place = x + rng.uniform(-0.25, 0.25, len(errors))
        ax.plot(place, np.maximum(errors, EQUAL), "o", alpha=0.7, markersize=5)
    tolerances = [parity.FINITE_DIFFERENCE_TOLERANCE] + [parity.TOLERANCE["float64"]] * len(shown)
    for x, _ in enumerate(shown):
        ax.hlines(tolerances[x], x - 0.4, x + 0.4, color=plotting.INK, linewidth=1, linestyle="--")
    ax.annotate("tolerance", (0.42, parity.FINITE_DIFFERENCE_TOLERANCE), va="center")
    ax.annotate("equal, bit for bit", (0.6, EQUAL), color=plotting.INK, va="center", ha="right")
    ax.set(yscale="log", ylim=(3e-18, 1e-5), ylabel="largest relative error")
    ax.set_xticks(range(len(shown)), [JUDGES[judge] for judge in shown])
    components = len({v.component for v in measured})
    ax.set_title(f"{components} components, {len(measured)} verdicts")


def main() -> None:
    """Draw and store the four pictures."""
    plotting.use_book_style()
    digits = load_digits()
    params, losses, twin_losses = train(digits)
    panels = {
        "losses": lambda ax: draw_losses(ax, losses, twin_losses),
        "digits": lambda ax: draw_digits(ax, digits, params),
        "parity": draw_parity,
    }
    together, axes = plt.subplots(1, 3, figsize=(15, 4))
    for ax, (name, draw) in zip(axes, panels.items(), strict=True):
        draw(ax)
        alone, own = plt.subplots(figsize=(5.4, 3.8))
        draw(own)
        store(alone, name)
    store(together, "picture")


def store(figure: plt.Figure, name: str) -> None:
    """Write a figure, without the date and versions that would change the file each time."""
    path = FOLDER / f"{name}.png"
    figure.savefig(path, dpi=160, metadata={"Software": None}, pil_kwargs={"optimize": True})
    print(f"{path.relative_to(FOLDER.parent)}  ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
