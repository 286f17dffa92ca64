"""The causal mask, and what judges it from outside."""

import torch

from bigmodel_edu.components import FunctionComponent, outputs

CAUSAL_MASK = FunctionComponent(
    name="transformer.causal_mask",
    call=lambda m: m.causal_mask(5, 7),
    oracles={"torch.tril": outputs(lambda: torch.ones(5, 7).tril(2).bool().numpy())},
    runs_on_cupy=False,
)
