"""A base model that does not fit one device, spread over the devices of all ranks (FSDP2 of torch).

Each rank keeps a part of every layer's frozen weights and gathers the whole layer while it computes with it, once on
the way forward and once on the way back. So all ranks have to go through the layers equally often: one without rows of
its own goes along with a row that counts for nothing. Embeddings, the last norm, the head and the adapter are whole
everywhere, and gradients of the adapter are added as without sharding (`ranks`): a layer computes the same numbers.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.training.ranks import Team

if TYPE_CHECKING:
    from torch import nn


class CannotShard(Exception):
    """A model whose layers we do not find."""


def layers(model: "nn.Module") -> "nn.ModuleList":
    """The layers of a causal language model. Raises: CannotShard: it does not say which these are."""
    found: nn.ModuleList | None = getattr(getattr(model, "model", None), "layers", None)
    if found is None:
        raise CannotShard("The layers of this model are not where other models have them; it can't be sharded.")
    return found


def spread(model: "nn.Module", team: Team, device: str) -> None:
    """Leave each rank its part of every layer, and put what stays whole on the device.

    model: the base, loaded into the host's memory, with the adapter in its layers. Layers go to the device one by one.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (team.place.size,))
    for layer in layers(model):
        fully_shard(layer, mesh=mesh, ignored_params={one for one in layer.parameters() if one.requires_grad})
    model.to(device)


def estimate(model: "nn.Module", processes: int) -> Mapping[str, int]:
    """Bytes of a device that the weights take, by part: its share of the layers, what is whole everywhere, and two
    layers at a time as a whole, since the next one is gathered while one computes. Activations come on top."""
    sizes = [sum(one.numel() * one.element_size() for one in layer.parameters()) for layer in layers(model)]
    everything = sum(one.numel() * one.element_size() for one in model.parameters())
    return {
        "share of the layers": -(-sum(sizes) // processes),
        "embeddings and head": everything - sum(sizes),
        "layers at work": 2 * max(sizes, default=0),
    }
