"""Compiling CUDA to the machine code of a GPU with NVRTC, which needs neither GPU nor driver."""

from bigmodel_edu.cuda.kernels import KernelError, compiler_options


def unavailable() -> str | None:
    """Return why NVRTC cannot compile here, or None when it can."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError, OSError) as error:
        return (
            "NVRTC, NVIDIA's run-time compiler, is not installed "
            f"(pip install cuda-bindings nvidia-cuda-nvrtc): {error}"
        )
    return None


def compile_cubin(source: str, arch: str, real: str) -> bytes:
    """Return the machine code of a .cu file for `arch` ("sm_80", "sm_90", …).

    `real` is "float" or "double". Raises KernelError with the compiler's log.
    """
    if reason := unavailable():
        raise KernelError(reason)
    from cuda.bindings import nvrtc

    _, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], [])
    try:
        options = [o.encode() for o in (*compiler_options(real), f"--gpu-architecture={arch}")]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise KernelError(f"the kernels do not compile for {arch}:\n{_log(program)}")
        _, size = nvrtc.nvrtcGetCUBINSize(program)
        cubin = bytearray(size)
        nvrtc.nvrtcGetCUBIN(program, cubin)
        return bytes(cubin)
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _log(program: object) -> str:
    from cuda.bindings import nvrtc

    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytearray(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.rstrip(b"\0\n").decode(errors="replace")
