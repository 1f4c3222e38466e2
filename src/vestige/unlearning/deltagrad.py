"""DeltaGrad: replay the training that was recorded, without the deleted samples, with few true gradients.

T0 = 5, j0 = 10, m = 2. Both presets are the same. It needs the recording: train by `record`, which has no momentum, as
theirs. Theory and accuracy are for strongly convex losses and small requests; there the whole replay is the authors'.
Differs from the authors elsewhere: a pair along whose step the curvature is not positive is left out, they keep
it and raise the scale of Q to 0.001 at least; the copy in IAM's code also clips every gradient to norm 1, and replays
gradients of the largest logit's square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from vestige.arguments import Count
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.models import copied, fit_input_scale, to_float
from vestige.training import device_of
from vestige.unlearning.gradients import slopes
from vestige.unlearning.layers import only_alive, trainable
from vestige.unlearning.registry import register
from vestige.unlearning.work import Work

if TYPE_CHECKING:
    from vestige.data.dataset import Dataset


class Recorded(nn.Module):
    """A model with the recording of its training: weights and gradients [T, P], and the samples of every batch.

    Made by `record`; use it as any model. P counts the weights that are not frozen. The recording stays on the CPU and
    is not part of the state dict.
    """

    def __init__(
        self,
        model: nn.Module,
        weights: Tensor,
        gradients: Tensor,
        batches: list[np.ndarray[Any, Any]],
        lr: float,
        decay: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights, self.gradients, self.batches = weights, gradients, batches
        self.lr, self.decay = lr, decay

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits


def record(
    model: nn.Module,
    rows: Dataset,
    *,
    epochs: int = 20,
    batch_size: int = 256,
    lr: float = 0.1,
    weight_decay: float = 5e-4,
    seed: int = 0,
) -> Recorded:
    """Train a copy of `model` by plain SGD, in evaluation mode, and keep what DeltaGrad replays.

    Frozen parameters stay as they are. Memory is two vectors of all other weights a step. Raises `InputError` where
    that would be over 4 GiB, where everything is frozen, and for weights that are not of single precision.

    Parameters
    ----------
    epochs : int
        Passes over `rows`.
    batch_size : int
        Samples per step, at most.
    lr : float
        Learning rate, constant.
    weight_decay : float
        On every weight that is not frozen.
    seed : int
        Of the batches; the first weights are the model's.
    """
    model = copied(model).eval()
    fit_input_scale(model, rows.x)
    steps = -(-len(rows) // batch_size)
    free = list(trainable(model).values())
    if not free:
        raise InputError(
            "Every parameter of the model is frozen (requires_grad=False); there is no training to record."
        )
    for p in model.parameters():
        if p.dtype != torch.float32:
            raise InputError(
                f"A recording takes weights of single precision, not {p.dtype}; call model.float() first."
            )
    size = sum(p.numel() for p in free)
    if 8 * size * steps * epochs > 2**32:
        raise InputError(
            f"Recording {steps * epochs:,} steps of {size:,} weights takes "
            f"{8 * size * steps * epochs / 2**30:.0f} GiB; at most 4 are taken. Use a smaller model, larger batches or "
            "fewer epochs."
        )
    rng = np.random.default_rng((seed, 41))
    weights, gradients, batches = [], [], []
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.y)
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for part in np.array_split(order, steps):
            g = _gradient(model, x[part], y[part], weight_decay)
            now = parameters_to_vector(free).detach()
            weights.append(now.cpu())
            gradients.append(g.cpu())
            batches.append(rows.ids[part])
            vector_to_parameters(now - lr * g, free)
    return Recorded(model, torch.stack(weights), torch.stack(gradients), batches, lr, weight_decay)


def refuses(model: Any) -> str:
    """Return why DeltaGrad does not work on a model; "" on one with a recording."""
    if isinstance(model, Recorded):
        return ""
    return (
        f"deltagrad replays a recording, and {type(model).__name__} has none; train the model by "
        "vestige.unlearning.deltagrad.record."
    )


@register(
    "deltagrad",
    needs=("forget", "retain"),
    cites="Wu et al. 2020 (DeltaGrad)",
    own_model=True,
    refuses=refuses,
)
def deltagrad(
    model: Recorded, split: Split, work: Work, *, period: Count = 5, burn_in: Count = 10, pairs: Count = 2
) -> nn.Module:
    r"""Replay a recorded training without the forget samples; for models trained by `record`.

    Parameters
    ----------
    period : int
        Steps from one true gradient to the next.
    burn_in : int
        First steps with true gradients.
    pairs : int
        Differences that the curvature is taken from.

    Notes
    -----
    .. math::

        \tilde g_t = \begin{cases} g_{B_t}(\theta'_t) & t < j_0 \;\; \mathrm{or} \;\; t \equiv 0 \pmod{T_0} \\
        g_t + Q_t (\theta'_t - \theta_t) & \mathrm{otherwise} \end{cases}

    .. math::

        \theta'_{t+1} = \theta'_t - \eta \, \frac{|B_t| \, \tilde g_t - \sum_{i \in D_f \cap B_t} \nabla
        \ell_i(\theta'_t)}{|B_t| - |D_f \cap B_t|}

    The weights theta_t and mean gradients g_t of the batches B_t were recorded in training; Q_t is the
    curvature by L-BFGS from the last m pairs of differences. T_0 is `period`, j_0 `burn_in`, m `pairs`.

    **When to use.** For models of a strongly convex loss and small requests, where the training can be
    recorded beforehand by `record`: there the replay ends near what training without the samples would have
    given.

    **When it fails.** On networks its theory does not hold, and pairs along which the curvature is not
    positive are left out. It needs plain stochastic gradient descent without momentum, and the memory of
    every step. No table of the lab book measures it; its replay agrees with the authors' code where the loss
    is convex.

    **Cost.** A fifth of the gradients of the training, and the gradients of the deleted samples in the
    batches that held them.

    References
    ----------
    Wu, Dobriban, Davidson: DeltaGrad: Rapid Retraining of Machine Learning Models. ICML 2020, arXiv 2006.14755.

    Examples
    --------
    >>> import vestige
    >>> from vestige.methods import deltagrad
    >>> from vestige.unlearning.deltagrad import record
    >>> data = vestige.load_dataset("digits")
    >>> split = vestige.make_split(data, "random", forget=20, train=120, holdout=200, shadow=300, seed=0)
    >>> start = vestige.build_model("mlp", data.shape, 10, hidden=(32,))
    >>> recorded = record(start, data.take(split.train), epochs=5, batch_size=32)
    >>> deltagrad(recorded, split).epochs > 0
    True
    """
    data, inner = split.data, model.model.eval()
    free = list(trainable(inner).values())
    size, recorded = sum(p.numel() for p in free), model.weights.shape[1]
    if size != recorded:
        raise InputError(
            f"deltagrad: {recorded:,} weights were recorded, and {size:,} are not frozen; freeze what was frozen "
            "when the model was recorded."
        )
    where = {str(name): i for i, name in enumerate(data.ids)}
    lost = next((str(name) for names in model.batches for name in names if str(name) not in where), None)
    if lost is not None:
        raise InputError(
            f"deltagrad: the recorded sample {lost!r} is not in {data.name}; make the split of the data that the model "
            "was recorded on."
        )
    gone = set(data.ids[split.forget].tolist())
    now = model.weights[0].to(work.where, copy=True)
    history: list[tuple[Tensor, Tensor]] = []
    for t, names in enumerate(model.batches):
        rows = np.array([where[str(name)] for name in names])
        deleted = np.array([str(name) in gone for name in names])
        left = len(rows) - int(deleted.sum())
        if left == 0:  # the step would not have been taken
            continue
        was, slope = model.weights[t].to(work.where), model.gradients[t].to(work.where)
        vector_to_parameters(now, free)
        if t < burn_in or (t - burn_in) % period == 0:
            g = _gradient(inner, torch.from_numpy(data.x[rows]), torch.from_numpy(data.y[rows]), model.decay)
            s, d = now - was, g - slope
            if float(s @ d) > 1e-12 * float(s @ s) > 0:
                history = [*history[-(pairs - 1) :], (s, d)] if pairs > 1 else [(s, d)]
            work.gradient_steps += 1
            stop = work.spend(len(rows))
        else:
            g = slope + curvature(history, now - was)
            stop = False
        if deleted.any():
            out = rows[deleted]
            removed = _gradient(
                inner, torch.from_numpy(data.x[out]), torch.from_numpy(data.y[out]), model.decay
            )
            g = (len(rows) * g - int(deleted.sum()) * removed) / left
            stop = work.spend(len(out)) or stop
        now = now - model.lr * g
        if stop:
            break
    vector_to_parameters(now, free)
    return inner


def curvature(pairs: Sequence[tuple[Tensor, Tensor]], v: Tensor) -> Tensor:
    """Return Q v, Q the BFGS matrix of (step, change of gradient) pairs, oldest first; 0 without pairs."""
    if not pairs:
        return torch.zeros_like(v)
    s, d = pairs[-1]
    scale = (d @ s) / (s @ s)
    terms: list[tuple[Tensor, Tensor]] = []  # Q = scale I - sum u u' + sum w w'

    def product(x: Tensor) -> Tensor:
        result = scale * x
        for u, w in terms:
            result = result - u * (u @ x) + w * (w @ x)
        return result

    for s, d in pairs:
        image = product(s)
        terms.append((image / (s @ image).sqrt(), d / (d @ s).sqrt()))
    return product(v)


def _gradient(model: nn.Module, x: Tensor, y: Tensor, decay: float) -> Tensor:
    """Return the gradient of mean cross-entropy + decay / 2 * |theta|^2 by what is not frozen; 0 for what is masked."""
    parameters, where = trainable(model), device_of(model)
    value = F.cross_entropy(model(to_float(x.to(where))).float(), y.to(where))
    named = only_alive(model, slopes(value, parameters))
    flat = torch.cat([part.flatten() for part in named.values()])
    return flat + decay * parameters_to_vector(parameters.values()).detach()
