"""The LSTM in PyTorch."""

from torch import Tensor, nn

from .recurrent import Recurrent


class LSTMCell(nn.LSTMCell):
    """One step of an LSTM. Shapes: x (B, D), h and c (B, H)."""

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x, (h, c))


class LSTM(Recurrent, nn.LSTM):
    """Layers of LSTM cells over a sequence; returns y, h_n, c_n."""
