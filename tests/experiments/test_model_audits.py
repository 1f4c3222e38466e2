"""An audit of two models that exist: the door before `vestige.audit` of signals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

import vestige
from nearest import Nearest
from vestige.errors import InputError
from vestige.evaluation.features import OUTPUTS_ALONE
from vestige.systems.base import represent

PROFILES = vestige.load_dataset("profiles")
OLD, NEW = PROFILES.take(np.arange(800)), PROFILES.take(np.arange(800, 2400))
ASKED = OLD.ids[:60]
SETTINGS = {"measures": ["iam"], "data": OLD, "unseen": NEW, "ids": ASKED}


def forest(data, seed=0, trees=100):
    return ExtraTreesClassifier(trees, random_state=seed).fit(data.x, data.y)


@pytest.fixture(scope="module")
def models():
    """Before, after exact retraining, and one that never saw any of the records."""
    return forest(OLD), forest(OLD.take(np.arange(60, 800)), 1)


def test_a_model_that_forgot_is_told_from_one_that_did_not(models):
    before, after = models
    forgot = vestige.audit(before=before, after=after, **SETTINGS)
    kept = vestige.audit(before=before, after=before, **SETTINGS)
    assert forgot.verdict.outcome == "unlearned" and kept.verdict.outcome == "under"
    assert set(forgot.signals.of_role("forget").names) == set(ASKED)
    assert forgot.signals.shadows == 1


def test_it_is_the_audit_that_forget_makes():
    before = forest(OLD, trees=20)
    answer = vestige.forget(before, OLD, ASKED, unseen=NEW, measures=["iam"])
    result = vestige.audit(before=before, after=answer.model, retrained=[answer.model], **SETTINGS)
    assert result.verdict == answer.verdict
    assert result.scores.equals(answer.audit.scores)


def test_shadows_may_be_given(models):
    before, after = models
    shadows = [forest(vestige.load_dataset("profiles").take(np.arange(2400, 3200)), seed) for seed in (5, 6)]
    result = vestige.audit(before=before, after=after, shadows=shadows, **SETTINGS)
    assert result.signals.shadows == 2 and result.verdict.outcome == "unlearned"
    assert "That the given shadow models never saw the audited records was not checked." in result.limits


def test_a_system_brings_its_own_records(nearest):
    before, after = nearest.fit(nearest.seen, 0), nearest.fit(nearest.seen[30:], 0)
    ids = [f"r{k}" for k in range(30)]
    result = vestige.audit(measures=["iam"], before=before, after=after, data=nearest, ids=ids)
    assert (result.signals.roles == "forget").sum() == 30


def test_what_is_missing_or_too_much_is_said(models):
    before, after = models
    signals = vestige.Signals(np.zeros(3, int), np.zeros((3, 2)))
    with pytest.raises(InputError, match="signals and before, data"):
        vestige.audit(signals, before=before, data=OLD)
    with pytest.raises(InputError, match="lacks after, ids"):
        vestige.audit(before=before, data=OLD)
    with pytest.raises(InputError, match="is not fitted"):
        vestige.audit(before=ExtraTreesClassifier(), after=after, **SETTINGS)
    with pytest.raises(InputError, match="has its own records; leave out label"):
        vestige.audit(before=before, after=after, data=_system(before), ids=ASKED, label="x")
    with pytest.raises(InputError, match="There is no argument 'nam'"):
        vestige.audit(signals, nam="x")


def _system(model):
    return vestige.systems.estimators(model, OLD, unseen=NEW)


class Showing(Nearest):
    """Its features tell the class of what a model has seen, and little else."""

    def representations(self, model, rows):
        way = 2 * self.records.labels[rows] - 1
        return np.column_stack([self.x[rows], way * (1 + 4 * np.isin(rows, model)) + self.x[rows, 1]])


def test_features_of_a_system_are_compared_where_it_gives_them(nearest):
    system, ids = Showing(), [f"r{k}" for k in range(30)]
    before, after = system.fit(system.seen, 0), system.fit(system.seen[30:], 0)
    asked = {"measures": ["random"], "before": before, "data": system, "ids": ids}
    kept, gone = vestige.audit(after=before, **asked), vestige.audit(after=after, retrained=[after], **asked)
    assert kept.metric("features", "p_under").value < 0.01 < gone.metric("features", "p_under").value
    assert gone.metric("features", "probe_accuracy").reference_is == "the exactly retrained models'"
    answer = vestige.forget(system, ids=ids, measures=["random"])
    assert answer.audit.metric("features", "p_under").value == gone.metric("features", "p_under").value
    without = vestige.audit(**asked | {"data": nearest}, after=after)
    assert without.metric("features", "p_under") is None and OUTPUTS_ALONE in without.limits


@pytest.mark.parametrize("values,says", [(np.zeros(3), r"shape \[3\]"), (np.full((3, 2), np.nan), "NaN")])
def test_features_of_another_form_are_refused(values, says):
    system = Showing()
    system.representations = lambda model, rows: values
    with pytest.raises(InputError, match=says):
        represent(system, None, np.arange(3))
