"""Writes messages of its own: giant lengths, giant headers, cut off and pickled arrays."""

import contextlib
import io
import os
import pickle
import struct

import numpy as np


class Evil:
    def __reduce__(self):
        return os.system, ("touch @OUT@/pwned",)


def messages():
    header = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31)
    huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    giant = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(huge)) + huge
    skeleton = b'{"dict": [["answer", {"array": 0}], ["changed", {"list": []}]]}'
    archive = io.BytesIO()
    np.savez(archive, answer=np.zeros(3))
    objects = io.BytesIO()
    np.save(objects, np.array([Evil()], dtype=object), allow_pickle=True)
    for body in (header, giant, giant[:40], archive.getvalue(), objects.getvalue()):
        yield struct.pack("<Q", len(skeleton)) + skeleton + body
    yield pickle.dumps(Evil())
    yield struct.pack("<Q", 2**63) + b"x"
    yield b"[" * 100_000
    yield b""


def softmax(z):
    for descriptor in range(3, 64):
        for message in messages():
            with contextlib.suppress(OSError):
                os.write(descriptor, struct.pack("<Q", len(message)) + message)
    os._exit(0)
