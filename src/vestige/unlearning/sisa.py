"""SISA: train so that a deletion touches one shard from one slice on. Exact.

With R slices each stage takes 2 / (R + 1) of the epochs, so that the sample passes are those of plain training. Both
presets are the same. A sample's shard and slice depend on its id and the seed alone, so that what is left after a
deletion is what training without the sample would have been. Differs from the authors: each slice begins with an
optimiser of its own, as a continuation from a stored state must, where theirs goes on unless it is restored.
scikit-learn models have one slice: they cannot go on.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vestige.arguments import Count, Seed, checked
from vestige.data.dataset import Dataset
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.registry import register
from vestige.unlearning.work import Work

if TYPE_CHECKING:
    from vestige.training import Recipe


class Layout:
    """Who is where: shard and slice of every sample, by id."""

    def __init__(self, shards: int, slices: int, seed: int) -> None:
        self.shards, self.slices, self.seed = shards, slices, seed

    def places(self, ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the place [N] of every sample: shard * slices + slice."""
        digests = (hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest() for name in ids)
        numbers = np.array([int.from_bytes(d, "big") >> 1 for d in digests], dtype=np.int64)
        return numbers % (self.shards * self.slices)

    def until(self, rows: Dataset, shard: int, last: int) -> Dataset:
        """Return the samples of the shard's slices 0 .. last."""
        place = self.places(rows.ids)
        return rows.take(np.flatnonzero((place // self.slices == shard) & (place % self.slices <= last)))


class Sisa(nn.Module):
    """An ensemble of torch models, one a shard, with the states before every slice.

    Returns log-probabilities [N, C]: of the mean of the shards' probabilities, or of their votes, one added to each.
    The states are kept in memory and are not part of the state dict.
    """

    def __init__(
        self,
        members: list[nn.Module],
        states: list[list[dict[str, Tensor]]],
        layout: Layout,
        recipe: Recipe,
        aggregation: str,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.states, self.layout, self.recipe, self.aggregation = states, layout, recipe, aggregation
        self.slices_trained = 0  # by the last call that trained: what a deletion cost

    def forward(self, x: Tensor) -> Tensor:
        p = torch.stack([torch.softmax(member(x).float(), dim=1) for member in self.members])
        if self.aggregation == "vote":
            votes = torch.nn.functional.one_hot(p.argmax(dim=2), p.shape[2]).sum(dim=0) + 1.0
            return (votes / votes.sum(dim=1, keepdim=True)).log()
        return p.mean(dim=0).clamp(min=1e-30).log()


class SisaClassifier:
    """An ensemble of scikit-learn classifiers, one a shard; `predict_proba` averages them, or counts their votes."""

    vestige_places_ = True  # its classes are places in `Dataset.classes`, see `vestige.estimators`

    def __init__(
        self, members: list[Any], classes: NDArray[np.int64], layout: Layout, aggregation: str
    ) -> None:
        self.members, self.classes_, self.layout, self.aggregation = members, classes, layout, aggregation
        self.slices_trained = 0

    def predict_proba(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return [N, C] over all classes of the data."""
        total = np.zeros((len(x), len(self.classes_)))
        for member in self.members:
            p = member.predict_proba(x)
            columns = np.searchsorted(self.classes_, member.classes_)
            if self.aggregation == "vote":
                total[np.arange(len(x)), columns[p.argmax(axis=1)]] += 1
            else:
                total[:, columns] += p
        return np.asarray(total / total.sum(axis=1, keepdims=True))

    def predict(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return the likeliest class of every row."""
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])


@checked
def train_sisa(
    model: Any,
    rows: Dataset,
    recipe: Recipe | str | Mapping[str, Any] | None = None,
    *,
    shards: Count = 5,
    slices: Count = 1,
    aggregation: Literal["mean", "vote"] = "mean",
    seed: Seed = 0,
    device: str = "auto",
) -> Any:
    """Train a SISA ensemble; `unlearn("sisa", ...)` then deletes from it.

    Parameters
    ----------
    model : Any
        What each shard is: a torch model, drawn anew for each, or an unfitted scikit-learn classifier.
    rows : Dataset
        What is trained on.
    recipe : Recipe or str or Mapping[str, Any] or None
        Of a shard's training (torch).
    shards : int
        Models in the ensemble; more = cheaper deletions, fewer samples for each.
    slices : int
        Stages of a shard's training; more = cheaper deletions, more states in memory.
    aggregation : {"mean", "vote"}
        "mean" of the shards' probabilities, or "vote".
    seed : int
        Of who is where and of each shard's first weights.
    device : str
        Where to compute (torch).

    Raises
    ------
    InputError
        Where a shard would have no samples.
    """
    layout = Layout(shards, slices, seed)
    _check_filled(layout, rows)
    if hasattr(model, "fit") and not isinstance(model, nn.Module):
        if slices > 1:
            raise InputError("train_sisa: scikit-learn classifiers cannot go on training; slices must be 1.")
        from vestige.training import fit_sklearn

        fitted = [
            fit_sklearn(model, layout.until(rows, k, 0), seed=seed + k, places=True) for k in range(shards)
        ]
        classifier = SisaClassifier(fitted, np.arange(len(rows.classes)), layout, aggregation)
        classifier.slices_trained = shards
        return classifier
    from vestige.models import reinitialise
    from vestige.training.loop import recipe_of

    if recipe is None:
        raise InputError("train_sisa needs a recipe for a torch model.")
    members = [reinitialise(model, seed + k) for k in range(shards)]
    ensemble = Sisa(members, [[] for _ in members], layout, recipe_of(recipe), aggregation)
    for shard in range(shards):
        _train_from(ensemble, shard, 0, rows, device)
    ensemble.slices_trained = shards * slices
    return ensemble.eval()


def refuses(model: Any) -> str:
    """Return why SISA does not delete from a model; "" from its own ensembles."""
    if isinstance(model, (Sisa, SisaClassifier)):
        return ""
    return (
        f"sisa deletes from a SISA ensemble, and {type(model).__name__} is none; train one by "
        "vestige.unlearning.sisa.train_sisa."
    )


@register(
    "sisa",
    needs=("retain",),
    worlds=("torch", "sklearn"),
    exact=True,
    cites="Bourtoule et al. 2021 (SISA)",
    own_model=True,
    refuses=refuses,
)
def sisa(model: Any, split: Split, work: Work) -> Any:
    r"""Refit the touched shards of a SISA ensemble from their first touched slice on; exact, for SISA models only.

    `slices_trained` of the result says how many slices were trained.

    Notes
    -----
    .. math::

        f(x) = \frac{1}{S} \sum_{s=1}^{S} f_{\theta_s}(x), \qquad
        \theta_{s,r} = \mathrm{train}\left(\theta_{s,r-1}, \; D_{s,1} \cup \ldots \cup D_{s,r}\right)

    Each of S shards is divided in R slices, and the state before each slice is kept. A deletion from slice r of
    shard s trains that
    shard again from its state before slice r, and nothing else. Answers are averaged, or voted on.

    **When to use.** Where deletions are expected beforehand and must be exact: train by `train_sisa`. One
    deletion from 5 shards of 4 slices trains 2 of 20 slices (lab book, benchmarks).

    **When it fails.** Each model sees a part of the data only, which costs accuracy where data are few, and a
    request that touches every shard trains everything. It does not hide who was deleted: the two-version
    attack still finds the record (AUC 0.958, from scratch 0.981; reproduction, the two-version attack).

    **Cost.** In training as many passes as plain training, with the states of all slices kept. For a
    deletion, the touched shards from their first touched slice on.

    References
    ----------
    Bourtoule, Chandrasekaran, Choquette-Choo, Jia, Travers, Zhang, Lie, Papernot: Machine Unlearning. IEEE S&P
    2021, arXiv 1912.03817.

    Examples
    --------
    >>> import vestige
    >>> from vestige.methods import sisa
    >>> from vestige.unlearning.sisa import train_sisa
    >>> data = vestige.load_dataset("digits")
    >>> split = vestige.make_split(data, "random", forget=2, train=120, holdout=200, shadow=300, seed=0)
    >>> recipe = vestige.Recipe(epochs=5, batch_size=32, lr=0.05)
    >>> start = vestige.build_model("mlp", data.shape, 10, hidden=(32,))
    >>> ensemble = train_sisa(start, data.take(split.train), recipe, shards=4, slices=2)
    >>> sisa(ensemble, split).model.slices_trained <= 8
    True
    """
    retain, layout = split.rows("retain"), model.layout
    _check_filled(layout, retain)
    places = layout.places(split.data.ids[split.forget])
    model.slices_trained = 0
    for shard in np.unique(places // layout.slices):
        first = int((places[places // layout.slices == shard] % layout.slices).min())
        if isinstance(model, SisaClassifier):
            from vestige.training import fit_sklearn

            rows, own = layout.until(retain, int(shard), 0), layout.seed + int(shard)
            model.members[shard] = fit_sklearn(model.members[shard], rows, seed=own, places=True)
            model.slices_trained += 1
            work.spend(len(rows))
        else:
            work.spend(_train_from(model, int(shard), first, retain, work.device))
            model.slices_trained += layout.slices - first
    return model


def _train_from(ensemble: Sisa, shard: int, first: int, rows: Dataset, device: str) -> int:
    """Train a shard from slice `first` on, from the state before it; return the sample passes."""
    from vestige.models import reinitialise
    from vestige.training import descend, train

    layout, recipe = ensemble.layout, ensemble.recipe
    member, states = ensemble.members[shard], ensemble.states[shard]
    del states[first + 1 :]
    epochs = max(1, round(recipe.epochs * 2 / (layout.slices + 1)))
    passes = 0
    for number in range(first, layout.slices):
        seen = layout.until(rows, shard, number)
        stage = recipe.model_copy(update={"epochs": epochs, "seed": recipe.seed + 1000 * shard + number})
        if number == 0:
            fresh = reinitialise(member, layout.seed + shard)
            member = train(fresh, seen, stage, device=device).model
            states[:] = [{}]
        else:
            if number < len(states):
                member.load_state_dict(states[number])
            else:
                states.append(copy.deepcopy(member.state_dict()))
            descend(member, seen, stage, device=device)
        passes += epochs * len(seen)
    ensemble.members[shard] = member.eval()
    return passes


def _check_filled(layout: Layout, rows: Dataset) -> None:
    shard = layout.places(rows.ids) // layout.slices
    first = layout.places(rows.ids) % layout.slices == 0
    counts = np.bincount(shard[first], minlength=layout.shards)
    if (counts == 0).any():
        raise InputError(
            f"SISA: shard {int(counts.argmin())} has no sample in its first slice; take fewer shards or slices."
        )
