"""The sizes of the examples, and those at which speed is measured."""

B, T, D, H, V = 32, 64, 128, 128, 97  # the sizes at which speed is measured
INPUT, HIDDEN, STEPS = 7, 3, 11  # of the examples
