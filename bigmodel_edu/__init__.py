"""Big Models from Scratch: one component, three implementations, one parity check.

Importing this package loads nothing heavy: NumPy, PyTorch and CuPy come in with the
modules that use them.
"""

__version__ = "0.1.0"
