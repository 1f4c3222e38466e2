"""Features by a hook: what the last linear layer reads, with the network as it was."""

import copy

import pytest
import torch
from torch import nn

from own_networks import Cnn, Tied
from vestige.models.features import last_input


@pytest.mark.parametrize("build", [Cnn, Tied])
def test_the_last_linear_layer_maps_the_features_to_the_logits(build):
    network, x = build().eval(), torch.randn(7, 1, 6, 6)
    before, plain = copy.deepcopy(network.state_dict()), network(x)
    with last_input(network) as reader:
        logits = network(x)
    assert torch.equal(logits, plain) and torch.allclose(network.head(reader.value), logits)
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


def test_hooks_go_where_the_network_fails_and_none_is_there_without_a_linear_layer():
    network = nn.Sequential(nn.Conv2d(1, 2, 6), nn.Flatten())
    with last_input(network) as reader:
        network(torch.randn(2, 1, 6, 6))
    assert reader.value is None
    broken = Cnn()
    with pytest.raises(RuntimeError), last_input(broken):
        broken(torch.randn(2, 3, 6, 6))
    assert not any(module._forward_pre_hooks for module in broken.modules())
