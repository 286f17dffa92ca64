"""A chapter's `cupy_impl` on a machine without a GPU.

NumPy takes CuPy's place, and `RawModule` compiles the kernels for the CPU. So all of `cupy_impl` is
judged, the sizes of its launches and the order of its arguments too, not only its kernels. What
this cannot show: the speed, and kernels whose threads race on a GPU but happen not to here.
"""

import builtins
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, resolve_name, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from bigmodel_edu.cuda.compiled import Kernel, as_cpp, build_library, compile_kernels
from bigmodel_edu.cuda.kernels import KernelError

Edit = Callable[[str], str]


@cache
def unavailable() -> str | None:
    """Return why CUDA kernels cannot run on the CPU here, or None when they can."""
    try:
        build_library(as_cpp("", {}), ())
    except KernelError as error:
        first_lines = " ".join(str(error).split("\n")[:2])
        return f"CUDA kernels run on the CPU only with a compiler of C++20: {first_lines}"
    return None


def twin_module(package: str, *, edit: Edit | None = None) -> ModuleType:
    """Return the `cupy_impl` of a chapter ("bigmodel_edu.neural_nets") with NumPy as its CuPy.

    `edit` changes the source of the kernels before they are compiled, for tests that break them
    on purpose. Neither CuPy nor the chapter's real `cupy_impl` is imported or replaced.
    """
    return _load(package, edit) if edit else _load_once(package)


@cache
def _load_once(package: str) -> ModuleType:
    return _load(package, None)


def _load(package: str, edit: Edit | None) -> ModuleType:
    twin = Twin(package, edit)
    return twin.module(twin.name)


class Twin:
    """Private copies of a chapter's `cupy_impl`, whose imports find the stand-in and each other."""

    def __init__(self, package: str, edit: Edit | None) -> None:
        self._folder = Path(import_module(package).__path__[0])
        self.name = f"{package}._cupy_impl_on_cpu"
        self._cupy = StandInCupy(edit)
        self._modules: dict[str, ModuleType] = {}

    def module(self, name: str) -> ModuleType:
        """Return the copy of `cupy_impl`, whose name is `self.name`, or of a module in it."""
        if name not in self._modules:
            path = self._folder.joinpath("cupy_impl", *name.removeprefix(self.name).split(".")[1:])
            is_package = (path / "__init__.py").exists()
            spec = spec_from_file_location(
                name,
                path / "__init__.py" if is_package else path.with_suffix(".py"),
                submodule_search_locations=[str(path)] if is_package else None,
            )
            module = self._modules[name] = module_from_spec(spec)
            module.__builtins__ = vars(builtins) | {"__import__": self._import}
            spec.loader.exec_module(module)
        return self._modules[name]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Take the place of `__import__`: CuPy is the stand-in, other chapters come as twins."""
        if name == "cupy" and level == 0:
            return self._cupy
        package = (globals or {}).get("__package__")
        full_name = resolve_name("." * level + name, package) if level else name
        if full_name == self.name:  # from . import attention
            return SimpleNamespace(
                **{item: self.module(f"{self.name}.{item}") for item in fromlist}
            )
        if full_name.startswith(f"{self.name}."):
            return self.module(full_name)
        if full_name.endswith(".cupy_impl") and fromlist:
            return twin_module(full_name.removesuffix(".cupy_impl"))
        is_foreign = "cupy_impl" in (*full_name.split("."), *(fromlist or ()))
        if is_foreign or full_name.split(".")[0] in ("cupy", "cupyx"):
            raise ImportError(
                f"{full_name} cannot be replaced by NumPy; write `import cupy as cp`, and "
                "`from bigmodel_edu.chapter.cupy_impl import Layer` for an earlier chapter's layer."
            )
        return builtins.__import__(full_name, globals, locals, fromlist, 0)


class StandInCupy(ModuleType):
    """What `import cupy` gives to a twin on the CPU: NumPy, with the few names of CuPy's own."""

    cuda = SimpleNamespace(is_available=lambda: True)
    asnumpy = staticmethod(np.asarray)

    def __init__(self, edit: Edit | None = None) -> None:
        super().__init__("cupy", self.__doc__)
        self._edit = edit or (lambda source: source)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def RawModule(self, *, code: str, options: tuple[str, ...] = ()) -> "CompiledModule":
        """Compile the kernels as `cupy.RawModule` does, for the CPU."""
        return CompiledModule(compile_kernels(self._edit(code), options))

    @staticmethod
    def empty(shape: int | tuple[int, ...], dtype: Any = float) -> np.ndarray:
        """Return an array of NaN (or zeros), so that an element no thread writes is noticed."""
        array = np.zeros(shape, dtype)
        if array.dtype.kind == "f":
            array.fill(np.nan)
        return array


class CompiledModule:
    """The `RawModule` of the stand-in."""

    def __init__(self, kernels: dict[str, Kernel]) -> None:
        self._kernels = kernels

    def get_function(self, name: str) -> Kernel:
        """Return the kernel of that name."""
        if name not in self._kernels:
            raise KernelError(
                f"the file has no kernel {name!r}, only {', '.join(self._kernels)}; "
                'is it declared extern "C" __global__ void?'
            )
        return self._kernels[name]
