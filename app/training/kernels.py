"""Whether there are kernels of others to choose. Pure; `liger` uses them, in the trainer's own process."""

import importlib.util

MISSING = (
    "Liger is not installed here: install liger-kernel beside the app where the GPU is, or use torch's own kernels."
)


def has_liger() -> bool:
    """Whether Liger is installed; looked up, not imported."""
    return importlib.util.find_spec("liger_kernel") is not None
