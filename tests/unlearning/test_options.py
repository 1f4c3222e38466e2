"""Options of methods outside their range are refused in a sentence that names them, before anything is done."""

from __future__ import annotations

import dataclasses

import pytest
from small import MODEL, SPLIT, WHOLE

from vestige.data import Dataset
from vestige.errors import InputError
from vestige.unlearning import METHODS, unlearn


class Untouchable(Dataset):
    """A data set whose rows may not be read."""

    def take(self, positions):
        raise AssertionError("samples were read")


OUTSIDE = {
    "epochs": (0, -1, 1.5, "ten", None),
    "lr": (0.0, -0.1, float("nan"), float("inf"), None),
    "momentum": (-0.1, 1.0, float("nan")),
    "weight_decay": (-1e-4, float("nan")),
    "batch_size": (0, -1),
    "optimizer": ("sdg", 3),
    "schedule": ("slowly", None),
    "milestones": ((0,), (3, 2), (1,), 5),  # rising, from 1, and of "multistep" alone
    "anneal": ("batch",),
    "augment": ("crop", None),
}


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].steps])
def test_steps_outside_their_range_are_refused_before_the_first(name):
    split = WHOLE if name == "unsir" else SPLIT
    data = Untouchable(*(getattr(split.data, f.name) for f in dataclasses.fields(Dataset)))
    unread = dataclasses.replace(split, data=data)
    for option, values in OUTSIDE.items():
        for value in values:
            given = {option: value} | ({"schedule": "constant"} if option == "milestones" else {})
            with pytest.raises(InputError, match=f"{name}: .*{option}"):
                unlearn(name, MODEL, unread, **given)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hybrid", {"poison_lr": -0.1}),
        ("unsir", {"repair_lr": 0.0}),
        ("unsir", {"noise_steps": 0}),
        ("unsir", {"noise_lr": -1.0}),
        ("unsir", {"noise_batches": 0}),
        ("unsir", {"samples": -5}),
        ("scrub", {"alpha": -1.0}),
        ("scrub", {"gamma": float("nan")}),
        ("influence", {"alpha": -1.0}),
        ("influence", {"damping": float("nan")}),
        ("ssd", {"batch_size": 0}),
        ("ssd", {"clip": 0.0}),
        ("fisher_forgetting", {"batch_size": -1}),
        ("forsaken", {"penalty": -0.1}),
        ("forsaken", {"iterations": 0}),
        ("l_codec", {"scale": -1.0}),
        ("l_codec", {"batch_size": 0}),
        ("l1_sparse", {"alpha": float("nan")}),
        ("l1_sparse", {"plain_epochs": 10}),
        ("selective_pruning", {"overfit_epochs": 0}),
        ("amnesiac_ascent", {"lr": -0.01}),
    ],
)
def test_options_outside_their_range_are_refused_by_name(name, options):
    split = WHOLE if name == "unsir" else SPLIT
    with pytest.raises(InputError, match=next(iter(options))):
        unlearn(name, MODEL, split, **options)


def test_a_schedule_that_takes_another_ones_place_leaves_its_milestones_behind():
    made = unlearn("scrub", MODEL, SPLIT, schedule="constant", epochs=2)
    assert made.options["milestones"] == () and METHODS["scrub"].options["milestones"] == (5, 8, 9)
