"""The door of networks and estimators: what cannot be trained, unlearned from or read, in calls of the Python API."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

import vestige
from vestige.errors import InputError
from vestige.models import build_model, reinitialise
from vestige.models.sparsity import prune
from vestige.training import load_model, train_fleet, train_private, train_sparse
from vestige.unlearning.sisa import train_sisa

Case = tuple[str, Callable[[], Any], Any]
N = 60
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 4, N)
ROWS = vestige.Dataset(
    "d", (4 * Y[:, None] + RNG.normal(size=(N, 8))).astype(np.float32), Y, np.arange(N), tuple("abcd")
)
SPLIT = vestige.make_split(ROWS, "random", forget=5, train=30, holdout=10, shadow=10)
ONCE = vestige.Recipe(epochs=1, batch_size=16, lr=0.05)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 4))


def cases(folder: Path) -> Iterator[Case]:
    yield from _answers()
    yield from _unfit()
    yield from _precision()
    yield from _streams()
    yield from _estimators()
    yield from _probabilities()
    yield from _recipes()
    yield from _arguments(folder)


class Answering(nn.Module):
    """A network that answers, in training mode or always, as it is told."""

    def __init__(self, make: Callable[[torch.Tensor], Any], always: bool) -> None:
        super().__init__()
        self.layer, self.make, self.always = nn.Linear(8, 4), make, always

    def forward(self, x: torch.Tensor) -> Any:
        logits = self.layer(x)
        return self.make(logits) if self.always or self.training else logits


def _answers() -> Iterator[Case]:
    kinds: dict[str, Callable[[torch.Tensor], Any]] = {
        "tuple": lambda z: (z, z), "list": lambda z: [z], "dict": lambda z: {"out": z}, "None": lambda z: None,
        "ModelOutput": lambda z: SimpleNamespace(logits=z), "numpy": lambda z: z.detach().numpy(),
        "three axes": lambda z: z[:, :, None], "one axis": lambda z: z.sum(dim=1), "fewer rows": lambda z: z[:1],
        "labels": lambda z: z.argmax(dim=1), "whole numbers": lambda z: z.long(), "complex": lambda z: z + 1j,
        "raises": lambda z: z["logits"],
    }  # fmt: skip
    for kind, make in kinds.items():
        for always in (False, True):
            when = "always" if always else "in training"
            model = Answering(make, always)
            yield f"{kind} {when}, train", lambda m=model: vestige.train(m, ROWS, ONCE), InputError
            yield f"{kind} {when}, unlearn", lambda m=model: vestige.unlearn("finetune", m, SPLIT), InputError
        yield f"{kind}, collect", lambda m=Answering(make, True): vestige.collect_logits(m, ROWS), InputError


class Two(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask


def _unfit() -> Iterator[Case]:
    models = {
        "another width": nn.Linear(9, 4), "three outputs": nn.Linear(8, 3), "two inputs": Two(), "a convolution": nn.Conv2d(3, 4, 3),
        "an embedding": nn.Embedding(5, 4), "no parameters": nn.Identity(), "nothing": nn.Module(),
    }  # fmt: skip
    frozen = net()
    frozen.requires_grad_(False)
    holder = net()
    holder.file = open(__file__)
    scripted = torch.jit.script(net())
    for name, model in models.items():
        yield f"{name}, train", lambda m=model: vestige.train(m, ROWS, ONCE), InputError
        yield f"{name}, unlearn", lambda m=model: vestige.unlearn("finetune", m, SPLIT), InputError
    for name in ("another width", "three outputs", "two inputs", "a convolution", "an embedding", "nothing"):
        yield f"{name}, collect", lambda m=models[name]: vestige.collect_logits(m, ROWS), InputError
        yield (
            f"{name}, sensitivity",
            lambda m=models[name]: vestige.collect_sensitivity(m, ROWS, copies=1),
            InputError,
        )
    for name, model in {"frozen": frozen, "an open file": holder, "scripted": scripted}.items():
        yield f"{name}, train", lambda m=model: vestige.train(m, ROWS, ONCE), InputError
        yield f"{name}, unlearn", lambda m=model: vestige.unlearn("finetune", m, SPLIT), InputError
    for name, model in {
        "a list": [1],
        "None": None,
        "a name": "mlp",
        "a class": nn.Linear,
        "an array": ROWS.x,
    }.items():
        yield f"{name} as a model, train", lambda m=model: vestige.train(m, ROWS, ONCE), InputError
        yield f"{name} as a model, unlearn", lambda m=model: vestige.unlearn("finetune", m, SPLIT), InputError
        yield f"{name} as a model, collect", lambda m=model: vestige.collect_logits(m, ROWS), InputError
    inplace = nn.Sequential(nn.Linear(8, 4), nn.ReLU(inplace=True), nn.Linear(4, 4))
    yield "in place, private", lambda: train_private(inplace, ROWS, ONCE, epsilon=5.0), InputError
    yield (
        "two heads, private",
        lambda: train_private(Answering(lambda z: (z, z), False), ROWS, ONCE, epsilon=5.0),
        InputError,
    )


def _precision() -> Iterator[Case]:
    start = net()
    wanted = vestige.collect_logits(start, ROWS)
    for dtype, digits in ((torch.float16, 1e-2), (torch.bfloat16, 1e-1), (torch.float64, 1e-5)):
        model = copy.deepcopy(start).to(dtype)

        def close(logits: Any, digits: float = digits) -> bool:
            return bool(np.allclose(logits, wanted, rtol=digits, atol=digits))

        yield f"{dtype}, collect", lambda m=model: vestige.collect_logits(m, ROWS), close
        yield f"{dtype}, sensitivity", lambda m=model: vestige.collect_sensitivity(m, ROWS, copies=1), _finite
        yield f"{dtype}, train", lambda m=model: vestige.train(m, ROWS, ONCE), InputError
    for dtype in (torch.float16, torch.bfloat16):
        model = copy.deepcopy(start).to(dtype)

        def kept(unlearned: Any, dtype: torch.dtype = dtype) -> bool:
            return {p.dtype for p in unlearned.model.parameters()} == {dtype}

        yield f"{dtype}, unlearn", lambda m=model: vestige.unlearn("finetune", m, SPLIT, epochs=1), kept


def _finite(scores: Any) -> bool:
    return bool(np.isfinite(scores).all())


class Rows(TorchDataset[Any]):
    """A torch data set of `n` rows, each as `make` makes it."""

    def __init__(self, make: Callable[[int], Any], n: int = 24) -> None:
        self.make, self.n = make, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(torch.zeros(4, 8), torch.zeros(4), strict=True)


def _streams() -> Iterator[Case]:
    x, y = torch.randn(24, 8), torch.arange(24) % 4
    good = TensorDataset(x, y)
    rows = {
        "a loader": DataLoader(good), "a stream": Stream(), "an array": x.numpy(), "a tensor": x, "a mapping": {"x": x, "y": y},
        "None": None, "a path": "data.csv", "a pair of arrays": (x.numpy(), y.numpy()), "no rows": Rows(lambda i: (x[i], y[i]), 0),
        "dicts": Rows(lambda i: {"x": x[i], "y": y[i]}), "three parts": Rows(lambda i: (x[i], y[i], i)), "inputs alone": TensorDataset(x),
        "labels of text": Rows(lambda i: (x[i], "cat")), "labels in halves": Rows(lambda i: (x[i], 0.5)), "one-hot labels": Rows(lambda i: (x[i], torch.eye(4)[y[i]])),
        "negative labels": Rows(lambda i: (x[i], -1)), "labels beyond": Rows(lambda i: (x[i], i)), "ragged": Rows(lambda i: (x[i, : 4 + i % 2], y[i])),
        "complex": Rows(lambda i: (x[i] + 1j, y[i])), "no label": Rows(lambda i: (x[i], None)), "text": Rows(lambda i: ("a", 1)),
    }  # fmt: skip
    for name, source in rows.items():
        yield f"{name} as rows, train", lambda r=source: vestige.train(net(), r, ONCE), InputError
    for name in ("a loader", "a stream", "an array", "None", "dicts"):
        yield f"{name} as rows, collect", lambda r=rows[name]: vestige.collect_logits(net(), r), InputError
    yield "pairs", lambda: vestige.train(net(), good, ONCE), lambda run: run.epochs == 1
    yield (
        "pairs as a list",
        lambda: vestige.train(net(), [(x[i], int(y[i])) for i in range(24)], ONCE),
        lambda run: run.epochs == 1,
    )


def _estimators() -> Iterator[Case]:
    names = {
        "text": (tuple("abcd"), np.array(list("abcd"))), "text in another order": (tuple("dcba"), np.array(list("dcba"))),
        "negative": (("-2", "-1", "1", "2"), np.array([-2, -1, 1, 2])), "gaps": (("3", "10", "20", "100"), np.array([3, 10, 20, 100])),
        "floats": (("10", "20", "30", "40"), np.array([10.0, 20.0, 30.0, 40.0])), "places": (tuple("abcd"), np.arange(4)),
    }  # fmt: skip
    for name, (classes, values) in names.items():
        rows = vestige.Dataset("d", ROWS.x, ROWS.y, ROWS.ids, classes)
        split = vestige.make_split(rows, "random", forget=5, train=30, holdout=10, shadow=10)
        model = LogisticRegression(max_iter=500).fit(rows.x, values[rows.y])

        def named(unlearned: Any, values: Any = values) -> bool:
            return bool((unlearned.model.predict(ROWS.x) == values[Y]).mean() > 0.8)

        yield f"classes: {name}, collect", lambda m=model, r=rows: vestige.collect_logits(m, r), _places
        yield f"classes: {name}, retrain", lambda m=model, s=split: vestige.unlearn("retrain", m, s), named
    three = vestige.Dataset("d", ROWS.x, np.minimum(ROWS.y, 2), ROWS.ids, ("1", "2", "3"))
    two = LogisticRegression().fit(ROWS.x[Y < 2], Y[Y < 2] + 1)
    other = LogisticRegression().fit(ROWS.x, np.array(list("uvwx"))[Y])
    yield "names or places", lambda: vestige.collect_logits(two, three), InputError
    yield "other classes", lambda: vestige.collect_logits(other, ROWS), InputError
    yield "not fitted", lambda: vestige.collect_logits(LogisticRegression(), ROWS), InputError
    yield (
        "not fitted, certified",
        lambda: vestige.unlearn("certified_newton", LogisticRegression(), SPLIT),
        InputError,
    )
    one = vestige.make_split(ROWS, "class", label="a", train=40, holdout=10, shadow=5)
    binary = vestige.Dataset("b", ROWS.x, (Y > 0).astype(int), ROWS.ids, ("no", "yes"))
    gone = vestige.make_split(binary, "class", label="yes", train=40, holdout=10, shadow=5)
    fitted = LogisticRegression().fit(ROWS.x, binary.y)
    yield "one class left", lambda: vestige.unlearn("retrain", fitted, gone), InputError
    narrow = LogisticRegression().fit(ROWS.x[:, :3], Y)
    yield "fewer features", lambda: vestige.collect_logits(narrow, ROWS), InputError
    yield "shards", lambda: train_sisa(LogisticRegression(), ROWS, shards=0), InputError
    yield "too many shards", lambda: train_sisa(LogisticRegression(), ROWS, shards=500), InputError
    yield "no recipe", lambda: train_sisa(net(), ROWS), InputError
    yield "a network for estimators", lambda: vestige.unlearn("certified_newton", net(), one), InputError


def _places(logits: Any) -> bool:
    return bool((logits.argmax(axis=1) == Y).mean() > 0.9)


class Said:
    classes_ = np.arange(4)

    def __init__(self, p: Any) -> None:
        self.p = p

    def predict_proba(self, x: Any) -> Any:
        if isinstance(self.p, Exception):
            raise self.p
        return self.p


def _probabilities() -> Iterator[Case]:
    quarter = np.full((N, 4), 0.25)
    said = {
        "NaN": np.full((N, 4), np.nan), "infinite": np.full((N, 4), np.inf), "percent": 100 * quarter, "negative": np.tile([1.5, -0.5, 0, 0], (N, 1)),
        "logits": 3 * quarter, "one axis": np.full(N, 0.5), "half the rows": quarter[: N // 2], "a column less": quarter[:, :3],
        "a list of arrays": [quarter, quarter], "text": quarter.astype(str).astype(object)[:, :1], "None": None, "an error": KeyError("x"),
    }  # fmt: skip
    for name, p in said.items():
        yield f"predict_proba: {name}", lambda p=p: vestige.collect_logits(Said(p), ROWS), InputError
    yield (
        "predict_proba: right",
        lambda: vestige.collect_logits(Said(quarter), ROWS),
        lambda z: np.allclose(z, np.log(0.25)),
    )


def _recipes() -> Iterator[Case]:
    faults: dict[str, dict[str, Any]] = {
        "epochs": {"epochs": -1}, "no epochs": {"epochs": 0}, "epochs in halves": {"epochs": 1.5}, "epochs as truth": {"epochs": True},
        "batch": {"batch_size": 0}, "lr": {"lr": 0}, "lr NaN": {"lr": float("nan")}, "lr infinite": {"lr": float("inf")}, "momentum": {"momentum": 1},
        "decay": {"weight_decay": -1}, "schedule": {"schedule": "linear"}, "no milestones": {"schedule": "multistep"}, "falling": {"schedule": "multistep", "milestones": (5, 3)},
        "horizon": {"horizon": 3, "schedule": "constant"}, "warmup": {"warmup_epochs": 30}, "nesterov": {"nesterov": True, "momentum": 0},
        "smoothing": {"label_smoothing": 1}, "seed": {"seed": -1}, "huge seed": {"seed": 2**64}, "a name": {"epoch": 3}, "optimiser": {"optimizer": "lion"},
        "augment": {"augment": "flop"}, "precision": {"precision": "fp8"}, "text": {"lr": "fast"}, "None": {"epochs": None},
    }  # fmt: skip
    for name, values in faults.items():
        yield f"recipe: {name}", lambda v=values: vestige.Recipe(**v), InputError
        yield f"recipe as fields: {name}", lambda v=values: vestige.train(net(), ROWS, v), InputError
    for name, recipe in {"a number": 3, "None": None, "a name": "sped", "a list": [1]}.items():
        yield f"recipe: {name}", lambda r=recipe: vestige.train(net(), ROWS, r), InputError


def _arguments(folder: Path) -> Iterator[Case]:
    calls: dict[str, Callable[[], Any]] = {
        "device": lambda: vestige.train(net(), ROWS, ONCE, device="gpu7"), "device as a number": lambda: vestige.train(net(), ROWS, ONCE, device=3.5),
        "checkpoint": lambda: vestige.train(net(), ROWS, ONCE, checkpoint=3), "on_epoch": lambda: vestige.train(net(), ROWS, ONCE, on_epoch=3),
        "progress": lambda: vestige.train(net(), ROWS, ONCE, progress="yes"), "sparsity": lambda: train_sparse(net(), ROWS, ONCE, 1.5),
        "sparsity as text": lambda: train_sparse(net(), ROWS, ONCE, "half"), "rewind": lambda: train_sparse(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), ROWS, ONCE, 0.5, rewind=9),
        "workers": lambda: train_fleet([net()], [ROWS], ONCE, [0], workers=-1), "fleet of none": lambda: train_fleet([], [], ONCE, []),
        "fleet of arrays": lambda: train_fleet([net()], [ROWS.x], ONCE, [0]), "fleet's seed": lambda: train_fleet([net()], [ROWS], ONCE, [-1]),
        "epsilon": lambda: train_private(net(), ROWS, ONCE, epsilon=-1), "delta": lambda: train_private(net(), ROWS, ONCE, epsilon=1, delta=0.5),
        "clip": lambda: train_private(net(), ROWS, ONCE, epsilon=1, clip=0), "epsilon NaN": lambda: train_private(net(), ROWS, ONCE, epsilon=float("nan")),
        "private rows": lambda: train_private(net(), ROWS.x, ONCE, epsilon=1), "a model's name": lambda: build_model("mpl", (8,), 4),
        "a model's shape": lambda: build_model("mlp", (0,), 4), "no shape": lambda: build_model("mlp", (), 4), "classes": lambda: build_model("mlp", (8,), -1),
        "a knob": lambda: build_model("mlp", (8,), 4, hiden=(3,)), "a knob's value": lambda: build_model("mlp", (8,), 4, dropout=2), "images": lambda: build_model("cnn", (8,), 4),
        "seed": lambda: build_model("mlp", (8,), 4, seed=-1), "seed as text": lambda: build_model("mlp", (8,), 4, seed="x"), "redraw": lambda: reinitialise([1], 0),
        "redraw's seed": lambda: reinitialise(net(), -3), "prune": lambda: prune(net(), 0.5), "prune share": lambda: prune(net(), -0.5),
        "no file": lambda: load_model(folder / "none.safetensors", net()), "a pickle": lambda: load_model(folder / "x.pt", net()),
        "method": lambda: vestige.unlearn("fintune", net(), SPLIT), "split": lambda: vestige.unlearn("retrain", net(), SPLIT),
        "budget": lambda: vestige.unlearn("finetune", net(), SPLIT, max_epochs=-1), "method's seed": lambda: vestige.unlearn("finetune", net(), SPLIT, seed=-1),
        "option": lambda: vestige.unlearn("finetune", net(), SPLIT, epoch=3), "preset": lambda: vestige.unlearn("finetune", net(), SPLIT, preset="best"),
        "copies": lambda: vestige.collect_sensitivity(net(), ROWS, copies=0), "sigma": lambda: vestige.collect_sensitivity(net(), ROWS, sigma=0),
        "sensitivity of an estimator": lambda: vestige.collect_sensitivity(LogisticRegression(), ROWS),
    }  # fmt: skip
    for name, call in calls.items():
        yield name, call, InputError
