"""The fast convolutions equal the stock ones: same outputs, same gradients, same weights' names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recognition.networks.build import MODELS, build_model
from recognition.networks.depthwise import DepthwiseConv3d, PointwiseConv3d, is_depthwise, use_fast_layers
from recognition.networks.video import stock_x3d_xs


@pytest.mark.parametrize("kernel", [(3, 3, 3), (5, 1, 1), (5, 3, 3), (1, 3, 3)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_outputs_and_gradients_equal_the_stock_convolution(kernel, stride, times):
    generator = torch.Generator().manual_seed(0)
    stock = nn.Conv3d(6, 6, kernel, stride=(1, stride, stride), padding=tuple(k // 2 for k in kernel), groups=6, bias=False)
    assert is_depthwise(stock)
    quick = nn.Sequential(nn.Conv3d(6, 6, kernel, (1, stride, stride), tuple(k // 2 for k in kernel), groups=6, bias=False))
    quick[0].load_state_dict(stock.state_dict())
    use_fast_layers(quick)
    assert isinstance(quick[0], DepthwiseConv3d)
    x = torch.randn(3, 6, times, 9, 8, generator=generator)
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    outputs = [stock(inputs[0]), quick(inputs[1])]
    weights = torch.randn(outputs[0].shape, generator=generator)
    for output in outputs:
        (output * weights).sum().backward()
    torch.testing.assert_close(outputs[1], outputs[0])
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    torch.testing.assert_close(quick[0].weight.grad, stock.weight.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_pointwise_convolution_is_a_matrix_product(stride):
    stock = nn.Conv3d(5, 7, 1, stride=(1, stride, stride))
    quick = nn.Sequential(nn.Conv3d(5, 7, 1, stride=(1, stride, stride)))
    quick[0].load_state_dict(stock.state_dict())
    use_fast_layers(quick)
    assert isinstance(quick[0], PointwiseConv3d)
    x = torch.randn(2, 5, 3, 7, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(quick(x), stock(x))


def test_the_whole_network_equals_pytorchvideos_in_training():
    networks = []
    for build in (stock_x3d_xs, MODELS["x3d_xs"].build):
        torch.manual_seed(1)
        networks.append(build(3, frames=4, size=32).train())
    stock, quick = networks
    assert stock.state_dict().keys() == quick.state_dict().keys()
    assert all(torch.equal(quick.state_dict()[name], value) for name, value in stock.state_dict().items())
    video = torch.randn(4, 3, 4, 32, 32, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([0, 1, 2, 0])
    outputs = []
    for network in networks:
        torch.manual_seed(3)  # dropout
        outputs.append(network(video))
        nn.functional.cross_entropy(outputs[-1], target).backward()
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-4)
    theirs = torch.cat([p.grad.flatten() for p in stock.parameters()])
    ours = torch.cat([p.grad.flatten() for p in quick.parameters()])
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-3
    outputs = [network.eval()(video) for network in networks]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-4)


def test_r2plus1d_gives_logits():
    network = build_model("r2plus1d_18", 4, frames=2, size=32).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 2, 32, 32)).shape == (1, 4)


def test_an_unknown_model_lists_the_valid_ones():
    with pytest.raises(ValueError, match="x3d_xs, x3d_s"):
        build_model("slow", 4, frames=8, size=64)
