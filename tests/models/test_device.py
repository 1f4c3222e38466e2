"""Device, number format and layout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vestige.errors import InputError
from vestige.models import build_model
from vestige.models import device as under_test
from vestige.models.device import forward_context, has_fast_bf16, pick_device, settled

CPU = torch.device("cpu")


def test_pick_device() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device().type in ("cpu", "cuda")
    with pytest.raises(InputError, match="no device 'gpu'"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="sees no GPU"):
            pick_device("cuda:0")


@pytest.mark.parametrize(
    ("precision", "fast", "name", "wanted"),
    [
        ("auto", True, "cnn", torch.bfloat16),
        ("auto", False, "cnn", torch.float32),
        ("auto", True, "mlp", torch.float32),
        ("fp32", True, "cnn", torch.float32),
        ("bf16", False, "mlp", torch.bfloat16),
    ],
)
def test_bf16_where_it_pays(
    monkeypatch: pytest.MonkeyPatch, precision: str, fast: bool, name: str, wanted: torch.dtype
) -> None:
    monkeypatch.setattr(under_test, "has_fast_bf16", lambda _: fast)
    model = build_model(name, (1, 8, 8), 3)
    context = forward_context(model, CPU, precision)
    for _ in range(2):
        with context:
            assert model(torch.zeros(2, 1, 8, 8)).dtype == wanted


def test_has_fast_bf16_answers() -> None:
    assert has_fast_bf16() in (True, False)
    assert has_fast_bf16("meta") is False


class Viewing(nn.Module):
    """As many a published network: `view` on a convolution's output, which channels_last cannot give."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 8 * 8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.head(y.view(len(x), -1))


def channels_last(model: nn.Module) -> bool:
    return any(p.ndim == 4 and not p.is_contiguous() for p in model.parameters())


def test_layout_is_fast_inside_and_usual_outside() -> None:
    model = build_model("cnn", (3, 8, 8), 2)
    with settled(model, CPU, torch.zeros(2, 3, 8, 8)):
        assert channels_last(model)
    assert not channels_last(model)
    with pytest.raises(InputError), settled(model, CPU, torch.zeros(2, 1, 8, 8)):
        pass
    assert not channels_last(model)


def test_a_model_that_refuses_the_layout_keeps_its_own() -> None:
    model = Viewing()
    with settled(model, CPU, torch.zeros(2, 3, 8, 8)):
        assert not channels_last(model)
        model(torch.zeros(2, 3, 8, 8))
