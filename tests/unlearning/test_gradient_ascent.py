import numpy as np
import torch
from torch import nn

from vestige.data import Dataset, make_split
from vestige.unlearning import unlearn


def test_one_step_is_the_gradient_by_hand():
    # softmax regression, no momentum, no decay, one batch: w <- w + lr * mean of (p - onehot) x^T ... on D_f
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 2, 20)
    data = Dataset("tiny", x, y, np.arange(20).astype(str), ("a", "b"))
    split = make_split(data, forget=6, train=20, holdout=0, shadow=0)
    model = nn.Linear(3, 2)
    rows = split.rows("forget")
    p = torch.softmax(model(torch.from_numpy(rows.x)), 1).detach().numpy() - np.eye(2)[rows.y]
    wanted = model.weight.detach().numpy() + 0.1 * p.T @ rows.x / 6
    made = unlearn(
        "gradient_ascent", model, split, epochs=1, lr=0.1, momentum=0, weight_decay=0, stop_at_uniform=False
    )
    assert np.allclose(made.model.weight.detach().numpy(), wanted, atol=1e-6)


def test_ascent_stops_at_the_loss_of_a_guess():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    data = Dataset("tiny", x, y, np.arange(40).astype(str), ("a", "b"))
    split = make_split(data, forget=20, train=40, holdout=0, shadow=0)
    far = unlearn("gradient_ascent", nn.Linear(3, 2), split, epochs=200, lr=0.5, stop_at_uniform=False).model
    near = unlearn("gradient_ascent", nn.Linear(3, 2), split, epochs=200, lr=0.5).model
    rows = split.rows("forget")

    def loss(model):
        return nn.functional.cross_entropy(model(torch.from_numpy(rows.x)), torch.from_numpy(rows.y)).item()

    assert loss(far) > 10 > loss(near) > np.log(2)
