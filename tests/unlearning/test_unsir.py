"""UNSIR: a whole class is forgotten; noise, impairing and repair by hand on softmax regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import DATA, MODEL, SPLIT, WHOLE, network, softmax, work
from torch import nn

from vestige.errors import InputError
from vestige.training import Recipe, train
from vestige.unlearning import unlearn

CLASS = 1  # the one that WHOLE forgets


def wrong(w, x, y):
    """Slope of the cross-entropy in the logits, for each sample: softmax minus the label."""
    return softmax(x @ w.T) - np.eye(3)[y]


def noise_by_hand(w, start, steps, lr=0.1):
    """Inputs, a column of ones last, after Adam on -CE(noise, class) + 0.1 |noise|^2, mean over the noise."""
    noise = np.c_[start, np.ones(len(start))]
    y = np.full(len(start), CLASS)
    first = second = 0.0
    for k in range(1, steps + 1):
        g = (-wrong(w, noise, y) @ w[:, :5] + 0.2 * noise[:, :5]) / len(start)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        noise[:, :5] -= lr * (first / (1 - 0.9**k)) / (np.sqrt(second / (1 - 0.999**k)) + 1e-8)
    return noise


def step(w, x, y, lr):
    return w - lr * (wrong(w, x, y).T @ x / len(x) + 5e-4 * w)


@pytest.mark.parametrize(
    "given, steps, share, lr, repair",
    [
        ({}, 25, 0.1, 0.02, 0.01),
        ({"noise_steps": 3, "noise_share": 0.5, "lr": 0.5, "repair_lr": 0.2}, 3, 0.5, 0.5, 0.2),
    ],
)
def test_noise_then_an_impairing_step_then_a_repairing_one(given, steps, share, lr, repair):
    """All retained samples make one batch, so that each of the two epochs is one step."""
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.copy_(0.5 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0)))
        model.bias.copy_(torch.tensor([0.3, 0.0, -0.3]))
    w = np.c_[model.weight.detach().numpy(), model.bias.detach().numpy()].astype(float)
    drawn = torch.randn(round(share * 256), 5, generator=work().generator(100 + CLASS)).numpy()
    noise, retain = noise_by_hand(w, drawn, steps), WHOLE.rows("retain")
    x, y = np.c_[retain.x, np.ones(len(retain))], retain.y
    impaired = step(w, np.r_[x, noise], np.r_[y, np.full(len(noise), CLASS)], lr)
    wanted = step(impaired, x, y, repair)
    made = unlearn("unsir", model, WHOLE, **given)
    found = np.c_[made.model.weight.detach().numpy(), made.model.bias.detach().numpy()]
    assert made.gradient_steps == 2
    assert np.allclose(found, wanted, atol=2e-6)
    without = step(step(w, x, y, lr), x, y, repair)
    assert np.abs(without - wanted).max() > 1e-3


def test_unsir_wants_whole_classes():
    with pytest.raises(InputError, match="whole classes"):
        unlearn("unsir", MODEL, SPLIT)
    model = train(network(), DATA.take(WHOLE.train), Recipe(epochs=40, batch_size=16, lr=0.1)).model
    made = unlearn("unsir", model, WHOLE, lr=0.3, noise_share=0.5, batch_size=32).model
    x = torch.from_numpy(WHOLE.rows("forget").x)
    before, after = (torch.softmax(m(x), 1)[:, 1].detach() for m in (model, made))
    assert float(after.mean()) < float(before.mean()) - 0.02


class Categories(nn.Module):
    """The first feature is the number of a category; with `also`, the others are read too."""

    def __init__(self, also):
        super().__init__()
        self.also, self.first, self.last = also, nn.Embedding(1, 4), nn.Linear(8, 3)

    def forward(self, x):
        others = x[:, 1:] if self.also else torch.zeros_like(x[:, 1:])
        return self.last(torch.cat([self.first(x[:, 0].long()), others], dim=1))


@pytest.mark.parametrize("also, why", [(False, "no gradient reaches"), (True, "only some values")])
def test_unsir_wants_inputs_that_can_be_moved(also, why):
    with pytest.raises(InputError, match=f"moves inputs continuously.*{why}"):
        unlearn("unsir", Categories(also), WHOLE)
