"""The door of the Python API: arrays, ids, masks and counts of the wrong kind in calls that read no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vestige
from vestige import llm
from vestige.data import Split
from vestige.errors import InputError
from vestige.evaluation import distance, epsilon, scoreui
from vestige.leaks import PosteriorPairs

Case = tuple[str, Callable[[], Any], Any]
RNG = np.random.default_rng(0)
N, C = 60, 3
Y, Z = np.resize(np.arange(C), N), RNG.normal(size=(N, C))
P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
IDS = [f"r{i}" for i in range(N)]
ROLE = np.resize(["forget", "retain", "holdout"], N)
STATUS = np.resize(["deleted", "remaining", "outside"], N)


def cases(folder: Path) -> Iterator[Case]:
    yield from _arrays()
    yield from _signals()
    yield from _ids()
    yield from _masks()
    yield from _data()
    yield from _splits()
    yield from _classes()
    yield from _measuring()


@dataclass
class Refusing:
    """Something whose conversion to an array raises."""

    def __array__(self, dtype: object = None, copy: object = None) -> Any:
        raise KeyError("no array")


def _strange(good: np.ndarray) -> dict[str, Any]:
    """Return an array in forms that none of the readers of numbers can take."""
    import torch

    masked = np.ma.masked_array(good, mask=np.zeros(good.shape, bool))
    masked[0] = np.ma.masked
    tensor = torch.from_numpy(good)
    return {
        "bfloat16": tensor.bfloat16(), "requires grad": tensor.clone().requires_grad_(), "sparse": tensor.to_sparse(),
        "meta": tensor.to("meta"), "complex": good + 1j, "masked": masked, "ragged": [*good.tolist()[:-1], [1.0]],
        "text": good.astype(str), "object": good.astype(object), "dates": good.astype("M8[s]"), "None": None,
        "a set": {1, 2},
        "a dict": {"a": 1}, "a function": len, "a generator": (x for x in good), "a text": "abc", "a number": 3.0,
        "bool": good > 0,
        "NaN": np.where(np.arange(len(good)) == 3, np.nan, good.T).T, "infinite": good * np.inf,
        "no rows": good[:0], "refusing": Refusing(),
        "records": np.zeros(len(good), [("a", float)]), "list of masked": [masked[i] for i in range(len(good))],
        "frame": pd.DataFrame({"a": list("ab")}),
        "one more axis": good[None, None], "short": good[:-1],
    }  # fmt: skip


def _arrays() -> Iterator[Case]:
    """Every place that takes numbers, with everything that is none."""
    S, D = vestige.Signals, vestige.Dataset
    stack = np.stack([Z, Z + 1, Z - 1, Z + 2])
    member = RNG.random((4, N)) < 0.5
    few, unit = RNG.normal(size=N), np.linspace(0, 1, N)
    places: dict[str, tuple[Callable[[Any], Any], np.ndarray, set[str]]] = {
        "Signals.unlearned": (lambda v: S(Y, v), Z, set()),
        "Signals.original": (lambda v: S(Y, Z, original=v), Z, {"None"}),
        "Signals.shadow_out": (lambda v: S(Y, Z, shadow_out=v), Z, {"None"}),
        "Signals.retrained": (lambda v: S(Y, Z, retrained=v), Z, {"None"}),
        "Signals.sensitivity": (lambda v: S(Y, Z, sensitivity=v), Z, {"None"}),
        "Signals.shadow_fit": (lambda v: S(Y, Z, shadow_fit=v), unit, {"None", "short", "one more axis"}),
        "Signals.population_in": (lambda v: S(Y, Z, population=S(Y, Z), population_in=v), Z, {"None"}),
        "PosteriorPairs.original": (lambda v: PosteriorPairs(v, P, STATUS), P, set()),
        "simulated_deletions.logits": (lambda v: vestige.simulated_deletions(Y, v, member), stack, set()),
        "Dataset.x": (lambda v: D("d", v, Y, IDS, tuple("abc")), Z.astype(np.float32), set()),
        "llm.measure.nll": (lambda v: llm.measure("loss", nll=v), np.abs(few), {"short"}),
        "distance": (lambda v: distance(v, few), few, {"short", "one more axis", "a number"}),
        "scoreui": (lambda v: scoreui(v, np.linspace(0, 1, C)), Z, {"short"}),
        "epsilon": (lambda v: epsilon(v, stack, Y), stack, set()),
    }  # fmt: skip
    for name, (call, good, taken) in places.items():
        for kind, value in _strange(good).items():
            if kind not in taken:
                yield f"{name} is {kind}", lambda f=call, v=value: f(v), InputError
    yield (
        "a mask without a masked entry",
        lambda: S(Y, np.ma.masked_array(Z)).unlearned,
        lambda v: np.array_equal(v, Z),
    )
    yield "lists are arrays", lambda: S(Y.tolist(), Z.tolist()).unlearned, lambda v: np.array_equal(v, Z)
    yield "half precision", lambda: S(Y, Z.astype(np.float16)).unlearned.dtype, lambda v: v == np.float32
    yield "long double", lambda: S(Y, Z.astype(np.longdouble)).unlearned.dtype, lambda v: v == np.float64


def _signals() -> Iterator[Case]:
    S = vestige.Signals
    signals = S(Y, Z, Z + 1, role=ROLE)
    calls: dict[str, Callable[[], Any]] = {
        "labels of floats": lambda: S(Y + 0.5, Z), "labels of text": lambda: S(Y.astype(str), Z),
        "label too large": lambda: S(Y + 1, Z), "label below 0": lambda: S(Y - 1, Z),
        "huge labels": lambda: S(Y * 1e300, Z), "uint64": lambda: S(np.full(N, 2**64 - 1, np.uint64), Z),
        "bool labels": lambda: S(Y > 1, Z), "labels None": lambda: S(None, Z),
        "one class": lambda: S(Y * 0, Z[:, :1]), "population of arrays": lambda: S(Y, Z, population=Z),
        "calibration of a dict": lambda: S(Y, Z, calibration={}),
        "population_in alone": lambda: S(Y, Z, population_in=Z),
        "role None inside": lambda: S(Y, Z, role=[None] * N), "role of numbers": lambda: S(Y, Z, role=np.zeros(N)),
        "role of one text": lambda: S(Y, Z, role="forget"), "probabilities": lambda: S(Y, P),
        "rounded probabilities": lambda: S(Y, P.round(3)),
        "float32 probabilities": lambda: S(Y, P.astype(np.float32)),
        "original alone is probabilities": lambda: S(Y, Z, original=P),
        "one shadow is probabilities": lambda: S(Y, Z, shadow_out=[Z, P]), "one-hot": lambda: S(Y, np.eye(C)[Y]),
        "with_ unknown": lambda: signals.with_(orginal=Z), "without unknown": lambda: signals.without("orginal"),
        "take outside": lambda: signals.take([N]), "take below": lambda: signals.take([-1]),
        "take floats": lambda: signals.take([0.0]), "take a short mask": lambda: signals.take([True] * 5),
        "take nothing": lambda: signals.take([]), "load None": lambda: S.load(None),
        "load a list": lambda: S.load([]), "take text": lambda: signals.take(["r0"]),
        "take a matrix": lambda: signals.take([[0]]), "of no role": lambda: signals.of_role("kept"),
        "fit above 1": lambda: S(Y, Z, shadow_fit=[2.0]),
        "other classes": lambda: S(Y, Z, population=S(Y % 2, Z[:, :2])),
        "load a number": lambda: S.load(Path("/dev/null")),
    }  # fmt: skip
    for name, call in calls.items():
        yield f"Signals: {name}", call, InputError
    pairs = PosteriorPairs(P, P, STATUS)
    more: dict[str, Callable[[], Any]] = {
        "logits": lambda: PosteriorPairs(Z, Z, STATUS), "status": lambda: PosteriorPairs(P, P, ["kept"] * N),
        "one status": lambda: PosteriorPairs(P, P, "deleted"),
        "sets of floats": lambda: PosteriorPairs(P, P, STATUS, np.zeros(N)),
        "labels": lambda: PosteriorPairs(P, P, STATUS, labels=Y + 1), "take outside": lambda: pairs.take([N]),
        "take a short mask": lambda: pairs.take([True]),
        "labels complex": lambda: PosteriorPairs(P, P, STATUS, labels=Y + 0j),
        "other shapes": lambda: PosteriorPairs(P, P[:, :2], STATUS),
    }  # fmt: skip
    for name, call in more.items():
        yield f"PosteriorPairs: {name}", call, InputError


def _ids() -> Iterator[Case]:
    """Ids in `Dataset`, `Signals`, requests and simulated deletions: one function reads them all."""
    data = vestige.Dataset("d", Z.astype(np.float32), Y, np.arange(N), tuple("abc"))
    member = RNG.random((3, N)) < 0.5
    readers: dict[str, Callable[[Any], Any]] = {
        "Signals": lambda v: vestige.Signals(Y, Z, ids=v),
        "Dataset": lambda v: vestige.Dataset("d", Z.astype(np.float32), Y, v, tuple("abc")),
        "simulated_deletions": lambda v: vestige.simulated_deletions(Y, np.stack([Z] * 3), member, ids=v),
    }
    numbers = list(range(N))
    bad: dict[str, Any] = {
        "floats": np.arange(N) * 1.0, "a list of floats": [float(i) for i in numbers],
        "one float": [1.5, *numbers[1:]], "one text": "abc", "bytes": [b"a"] * N,
        "None": [None, *numbers[1:]], "NaN": [*IDS[1:], float("nan")], "NaT": [*IDS[1:], pd.NaT],
        "pd.NA": [*IDS[1:], pd.NA], "repeated": [*IDS[1:], IDS[1]], "1 and '1'": [1, "1", *IDS[2:]],
        "bool": [True, *numbers[1:]], "bools": np.zeros(N, bool), "empty": ["", *IDS[1:]],
        "NUL": ["a\0", *IDS[1:]], "surrogate": ["\ud800", *IDS[1:]], "short": IDS[1:],
        "a matrix": [[i] for i in IDS],
        "dates": np.arange(N).astype("M8[D]"), "complex": np.arange(N) * 1j, "a set": set(IDS),
        "lists": [[1], *IDS[1:]], "huge": [10**5000, *numbers[1:]], "masked": np.ma.masked_equal(np.arange(N), 3),
        "series with a gap": pd.Series([None, *IDS[1:]]), "dict": dict.fromkeys(IDS),
        "objects": np.array([1.5, *IDS[1:]], object),
    }  # fmt: skip
    for reader, call in readers.items():
        for kind, value in bad.items():
            yield f"ids of {reader}: {kind}", lambda f=call, v=value: f(v), InputError
    good: dict[str, tuple[Any, list[str]]] = {
        "zeros": ([f"{i:05d}" for i in numbers], [f"{i:05d}" for i in numbers]),
        "integers": (np.arange(N), list(map(str, numbers))), "mixed": ([0, *IDS[1:]], ["0", *IDS[1:]]),
        "big": ([2**70 + i for i in numbers], [str(2**70 + i) for i in numbers]), "series": (pd.Series(IDS), IDS),
        "objects": (np.array(IDS, object), IDS), "a tuple": (tuple(IDS), IDS),
        "NA is a name": (["NA", *IDS[1:]], ["NA", *IDS[1:]]),
        "exponents": ([f"1e{i}" for i in numbers], [f"1e{i}" for i in numbers]),
        "uint64": (np.arange(N, dtype=np.uint64) + np.uint64(2**63), [str(2**63 + i) for i in numbers]),
    }  # fmt: skip
    for kind, (value, wanted) in good.items():
        yield (
            f"ids as written: {kind}",
            lambda v=value: vestige.Signals(Y, Z, ids=v).names.tolist(),
            lambda v, w=wanted: v == w,
        )
    for kind in ("floats", "one text", "None", "bool", "empty", "lists", "surrogate"):
        wanted_ids = bad[kind] if isinstance(bad[kind], str) else list(bad[kind])[:3]
        yield (
            f"a request: {kind}",
            lambda v=wanted_ids: vestige.make_split(data, "ids", ids=v, train=40, holdout=5, shadow=5),
            InputError,
        )
        yield (
            f"shadow_ids: {kind}",
            lambda v=wanted_ids: vestige.Signals(Y, Z, shadow_out=Z, shadow_ids=v),
            InputError,
        )
    for kind, value in {
        "a number": 3,
        "None inside": [None],
        "unknown": ["x"],
        "twice": ["1", 1],
        "a float": 1.0,
        "text of a float": ["1.0"],
    }.items():
        yield f"positions: {kind}", lambda v=value: data.positions(v), InputError
    yield (
        "an overlap in another form",
        lambda: vestige.Signals(Y, Z, shadow_out=Z, ids=np.arange(N).astype(str), shadow_ids=np.arange(5)),
        InputError,
    )
    yield "positions of a set", lambda: data.positions({7}).tolist(), lambda v: v == [7]


def _masks() -> Iterator[Case]:
    """Membership matrices: 0 and 1 of every type are truth values, anything else is refused."""
    member = RNG.random((4, N)) < 0.5
    logits = np.where(member, 7.0, 2.0)[..., None] * np.eye(C)[Y]

    def call(value: Any) -> Any:
        known = vestige.simulated_deletions(Y, logits, value, seed=3)
        return known.original.tolist(), known.unlearned.tolist(), known.shadow_out.tolist()

    wanted = call(member)
    for kind in ("u1", "i8", "f4", "f8", "f2", "i2", "u8"):
        yield f"member of {kind}", lambda k=kind: call(member.astype(k)), lambda v: v == wanted
    yield "member of lists", lambda: call(member.tolist()), lambda v: v == wanted
    yield "member of 0 and 1 in lists", lambda: call(member.astype(int).tolist()), lambda v: v == wanted
    bad = {
        "2": member * 2, "-1": np.where(member, 1, -1), "0.5": member * 0.5, "NaN": np.where(member, 1, np.nan),
        "text": member.astype(str), "objects": member.astype(object),
        "transposed": member.T, "one row": member[0], "complex": member * 1j,
        "masked": np.ma.masked_equal(member.astype(int), 1), "None": None, "two shadows": member[:2],
        "ragged": [[1], [0, 1]],
    }  # fmt: skip
    for kind, value in bad.items():
        yield f"member: {kind}", lambda v=value: call(v), InputError


def _data() -> Iterator[Case]:
    D, X = vestige.Dataset, Z.astype(np.float32)
    names = tuple("abc")
    data = D("d", X, Y, IDS, names)
    pixels = RNG.integers(0, 255, (N, 3, 8, 8), dtype=np.uint8)
    calls: dict[str, Callable[[], Any]] = {
        "channels last": lambda: D("d", pixels.transpose(0, 2, 3, 1), Y, IDS, names),
        "grey last": lambda: D("d", pixels[:, :1].transpose(0, 2, 3, 1), Y, IDS, names),
        "four last": lambda: D("d", np.zeros((N, 8, 8, 4), np.uint8), Y, IDS, names),
        "float pictures": lambda: D("d", pixels / 255, Y, IDS, names),
        "three axes": lambda: D("d", pixels[:, 0], Y, IDS, names),
        "double": lambda: D("d", Z, Y, IDS, names), "NaN": lambda: D("d", X * np.nan, Y, IDS, names),
        "label outside": lambda: D("d", X, Y + 1, IDS, names),
        "label of text": lambda: D("d", X, Y.astype(str), IDS, names),
        "huge label": lambda: D("d", X, np.full(N, 2**64 - 1, np.uint64), IDS, names),
        "infinite label": lambda: D("d", X, Y * np.inf, IDS, names),
        "classes of one text": lambda: D("d", X, Y, IDS, "abc"),
        "classes None": lambda: D("d", X, Y, IDS, None), "classes of a number": lambda: D("d", X, Y, IDS, 3),
        "classes twice": lambda: D("d", X, Y, IDS, ("a", "a", "b")),
        "classes of floats": lambda: D("d", X, Y, IDS, (0.5, 1.5, 2.5)),
        "a class None": lambda: D("d", X, Y, IDS, ("a", None, "b")),
        "an empty class": lambda: D("d", X, Y, IDS, ("a", "", "b")),
        "features": lambda: D("d", X, Y, IDS, names, (), ("a",)), "short": lambda: D("d", X[:5], Y, IDS, names),
        "take outside": lambda: data.take([N]), "take below": lambda: data.take([-1]),
        "take floats": lambda: data.take([0.5]), "take text": lambda: data.take(["r0"]),
        "take a short mask": lambda: data.take([True]),
        "load None": lambda: vestige.load_dataset(None), "load a number": lambda: vestige.load_dataset(3),
        "load nothing": lambda: vestige.load_dataset(""), "load a list": lambda: vestige.load_dataset(["digits"]),
        "an option": lambda: vestige.load_dataset("digits", part="test"),
        "a root": lambda: vestige.load_dataset("cifar10", root="/nothing"),
        "a root of a number": lambda: vestige.load_dataset("cifar10", root=3),
    }  # fmt: skip
    for name, call in calls.items():
        yield f"Dataset: {name}", call, InputError


def _splits() -> Iterator[Case]:
    data = vestige.Dataset("d", Z.astype(np.float32), Y, IDS, tuple("abc"))
    counts: dict[str, Any] = {"train": 30, "holdout": 10, "shadow": 10}
    bad: dict[str, dict[str, Any]] = {
        "seed below 0": {"seed": -1}, "seed of text": {"seed": "a"}, "seed of a float": {"seed": 1.5},
        "seed None": {"seed": None}, "seed True": {"seed": True}, "request below 0": {"request": -1},
        "request of text": {"request": "a"},
        "train of text": {"train": "30"}, "train of a float": {"train": 30.5}, "train 1": {"train": 1},
        "train below 0": {"train": -5}, "train NaN": {"train": float("nan")}, "train True": {"train": True},
        "holdout True": {"holdout": True},
        "holdout of text": {"holdout": "a"}, "holdout None": {"holdout": None}, "holdout below 0": {"holdout": -1},
        "shadow of a list": {"shadow": [1]}, "forget 0": {"forget": 0}, "forget all": {"forget": 30},
        "forget infinite": {"forget": float("inf")},
        "scenario None": {"scenario": None}, "scenario of a list": {"scenario": ["class"]},
        "label for nothing": {"label": 1}, "ids for nothing": {"ids": ["r0"]},
        "ids of one text": {"scenario": "ids", "ids": "r0"},
        "ids unknown": {"scenario": "ids", "ids": ["x"]}, "ids None": {"scenario": "ids"},
        "ids of a number": {"scenario": "ids", "ids": 3}, "class None": {"scenario": "class"},
        "class of a list": {"scenario": "class", "label": [1]},
        "class outside": {"scenario": "class", "label": 3}, "class below 0": {"scenario": "class", "label": -1},
        "class True": {"scenario": "class", "label": True}, "class 1.5": {"scenario": "class", "label": 1.5},
        "class NaN": {"scenario": "class", "label": float("nan")},
        "class in other case": {"scenario": "class", "label": "A"}, "holdout complex": {"holdout": 1j},
        "huge": {"train": 10**30},
    }  # fmt: skip
    for name, options in bad.items():
        yield f"make_split: {name}", lambda o=options: vestige.make_split(data, **counts | o), InputError
    yield "make_split of arrays", lambda: vestige.make_split(Z), InputError
    rows = np.arange(N)
    sets: dict[str, Any] = {
        "a mask": rows < 3, "ids": IDS[:3], "floats": rows[:3] * 1.0, "outside": [N], "below 0": [-1],
        "twice": [1, 1], "a matrix": rows[:4].reshape(2, 2), "nothing": [], "complex": rows[:3] * 1j,
        "masked": np.ma.masked_equal(rows[:3], 1), "None": None, "ragged": [[1], [1, 2]], "overlap": [5],
    }  # fmt: skip
    for name, value in sets.items():
        yield f"Split: {name}", lambda v=value: Split(data, v, rows[5:], [], []), InputError


def _classes() -> Iterator[Case]:
    """A number means the class of that name where names are numbers, and is refused where it could be another."""

    def forget(classes: Any, label: Any) -> set[int]:
        y = np.arange(N) % len(classes)
        split = vestige.make_split(
            vestige.Dataset("d", Z.astype(np.float32), y, IDS, classes),
            "class",
            label=label,
            train=50,
            holdout=5,
            shadow=5,
        )
        return set(y[split.forget].tolist())

    right: list[tuple[Any, Any, int]] = [
        (tuple("0123"), 2, 2), (("1", "2", "3"), 2, 1), (("1", "2", "3"), "3", 2), (("10", "2", "1"), 2, 1),
        (("0.0", "1.0", "2.0"), 2, 2), (("02", "01", "00"), 2, 0), (("a", "b", "c"), 2, 2),
        (("-1", "1"), -1, 0), (("-1", "1"), 1, 1), (("0.5", "1.5"), 1.5, 1), (("1", "2"), np.int64(2), 1),
        (("1", "2"), 2.0, 1), (("2", "02", "3"), 2, 0), (("2", "02", "3"), "02", 1), ((0, 1), 1, 1),
        ((1, 0), 1, 0),
    ]  # fmt: skip
    for classes, label, wanted in right:
        yield (
            f"class {label!r} of {classes}",
            lambda c=classes, k=label: forget(c, k),
            lambda v, w=wanted: v == {w},
        )
    wrong: list[tuple[Any, Any]] = [
        (("1", "2", "3"), 0), (("a", "b", "3"), 0), (("a", "1"), 0), (("02", "002"), 2), ((0, 1), "0"),
        (("a", "b"), 1.5), (("a", "b"), 2), (("1", "2"), True), (("1.5", "2.5"), 2), (tuple("abc"), -1),
        (("a", "b"), float("nan")),
    ]  # fmt: skip
    for classes, label in wrong:
        yield f"class {label!r} of {classes} is refused", lambda c=classes, k=label: forget(c, k), InputError


def _measuring() -> Iterator[Case]:
    signals = vestige.Signals(Y, Z, Z + 1, Z - 1, role=ROLE)
    calls: dict[str, Callable[[], Any]] = {
        "measure unknown": lambda: vestige.measure("imm", signals),
        "measure of arrays": lambda: vestige.measure("iam", Z),
        "measure None": lambda: vestige.measure(None, signals),
        "measure of a list": lambda: vestige.measure(["iam"], signals),
        "preset": lambda: vestige.measure("iam", signals, preset="papr"),
        "option": lambda: vestige.measure("iam", signals, stepz=3),
        "steps 0": lambda: vestige.measure("iam", signals, steps=0),
        "steps below 0": lambda: vestige.measure("iam", signals, steps=-1),
        "steps of text": lambda: vestige.measure("iam", signals, steps="a"),
        "family": lambda: vestige.measure("iam", signals, family="normal"),
        "no array": lambda: vestige.measure("samia", signals),
        "audit alpha of text": lambda: vestige.audit(signals, alpha="0.05"),
        "audit alpha": lambda: vestige.audit(signals, alpha=2),
        "audit alpha NaN": lambda: vestige.audit(signals, alpha=float("nan")),
        "audit seed": lambda: vestige.audit(signals, seed=-1),
        "audit of one text": lambda: vestige.audit(signals, "iam"),
        "audit of arrays": lambda: vestige.audit(Z), "audit of nothing": lambda: vestige.audit(signals, []),
        "audit of numbers": lambda: vestige.audit(signals, [3]),
        "audit preset": lambda: vestige.audit(signals, preset="papr"),
        "audit name": lambda: vestige.audit(signals, name=3),
        "epsilon delta": lambda: epsilon(np.stack([Z] * 4), np.stack([Z] * 4), Y, delta=1),
        "epsilon labels": lambda: epsilon(np.stack([Z] * 4), np.stack([Z] * 4), Y * 0.5),
        "epsilon of two": lambda: epsilon(np.stack([Z] * 2), np.stack([Z] * 2), Y),
        "scoreui constant": lambda: scoreui(Z * 0, [0, 1, 2]), "distance of nothing": lambda: distance([], [1.0]),
        "texts of one text": lambda: llm.read_texts(Path("/nothing")),
    }  # fmt: skip
    for name, call in calls.items():
        yield name, call, InputError
