"""What the recurrent layers have in common, in PyTorch."""

from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Recurrent:
    """What RNN, LSTM and GRU share: batch first, padded sequences, a flat tuple of results."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout,
        )

    def forward(
        self, x: Tensor, *states: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        initial = None if not states else states if len(states) > 1 else states[0]
        if lengths is None:
            y, final = super().forward(x, initial)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, final = super().forward(packed, initial)
            y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        return (y, *final) if isinstance(final, tuple) else (y, final)
