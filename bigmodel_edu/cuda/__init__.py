"""CUDA kernels: loading them into CuPy, and judging them without a GPU.

kernels   loads a chapter's `kernels.cu` into CuPy and launches it
nvrtc     compiles it to GPU machine code where there is no driver
on_cpu    runs it, and the chapter's whole `cupy_impl`, on the CPU
"""
