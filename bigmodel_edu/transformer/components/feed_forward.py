"""The feed-forward layers."""

from bigmodel_edu.components import LayerComponent

from .layers import sequence_bench, sequences

FEED_FORWARD = LayerComponent(
    name="transformer.feed_forward",
    build=lambda m: m.FeedForward(11, 17, activation="gelu"),
    inputs=sequences(11),
)

SWIGLU = LayerComponent(
    name="transformer.swiglu",
    build=lambda m: m.SwiGLU(11, 17),
    inputs=sequences(11),
    bench=sequence_bench(lambda m: m.SwiGLU(256, 682)),
)
