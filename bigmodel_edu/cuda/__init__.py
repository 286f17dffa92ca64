"""CUDA kernels: loading them into CuPy, and judging them without a GPU.

kernels   loads a chapter's .cu files into CuPy and launches their kernels
nvrtc     compiles them to GPU machine code where there is no driver
on_cpu    runs them, and the chapter's whole `cupy_impl`, on the CPU
"""
