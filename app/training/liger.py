"""Liger's kernels for the layers of a model. Only child processes import this file."""

from app.inference import devices, loading
from app.training import kernels


def use(loaded: loading.Loaded) -> None:
    """Have a loaded model compute its norms, its rotary positions and its gated layers by Liger's kernels.

    Loss and head stay ours (`lora.HeadLoss`), which hold fewer logits than a fused one needs to.

    Raises: devices.NotThere: not installed, not on CUDA or ROCm, or not for this kind of model.
    """
    if not kernels.has_liger():
        raise devices.NotThere(kernels.MISSING)
    if loaded.device.name != "cuda":
        raise devices.NotThere(
            f"Liger's kernels run on CUDA and ROCm only, and this computes on {loaded.device.title}. Use torch's own."
        )
    from liger_kernel.transformers import monkey_patch

    kind = loaded.model.config.model_type
    if kind not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise devices.NotThere(f"Liger has no kernels for models of the kind {kind}. Use torch's own.")
    ours = {"cross_entropy": False, "fused_linear_cross_entropy": False}
    # The one function of theirs that changes a model which is loaded already.
    monkey_patch._apply_liger_kernel_to_instance(model=loaded.model, **ours)  # noqa: SLF001
