"""Which methods a model can forget by: asked of one place, before the work, by the costs as by the request itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import vestige
from vestige.errors import InputError

FEATURES = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
CLASSES = (FEATURES[:, 0] > 0).astype(np.int64)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression())
REFUSED = [
    (PIPELINE, "sisa", "SISA ensemble.* knows one way to forget: how='retrain'"),
    (PIPELINE, "certified_newton", "this is Pipeline.* knows one way to forget: how='retrain'"),
    (LogisticRegression(), "scrub", "scrub does not work on .*: how='retrain', 'certified_newton'"),
    (LinearRegression(), "scrub", "one way to forget: how='retrain'"),
    (torch.nn.Linear(4, 2), "sisa", "SISA ensemble.*how='retrain', 'activation_reset'"),
    (torch.nn.Linear(4, 2), "dau", "dau needs samples that the model never saw(?!.*'forsaken')"),
    (torch.nn.Linear(4, 2), "certified_newton", "does not work on Linear"),
    (torch.nn.Linear(4, 2), "unsir", "unlearns whole classes"),
]


@pytest.mark.parametrize(("model", "how", "message"), REFUSED)
def test_a_way_that_a_model_cannot_go_is_refused_before_the_work(model, how, message):
    y = FEATURES[:, 0] if isinstance(model, LinearRegression) else CLASSES
    other = {}
    if isinstance(model, torch.nn.Module):
        other = {"unseen": (FEATURES[100:], CLASSES[100:]), "recipe": {"epochs": 1}}
    data = (FEATURES[:100], y[:100]) if other else (FEATURES, y)
    for call in (vestige.forget_costs, vestige.forget):
        with pytest.raises(InputError, match=message):
            call(model, data, ["3", "14"], how, **other)
