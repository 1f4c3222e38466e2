"""Each kind of output against its closed form, and what does not fit a kind is refused."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest

from vestige.errors import ArtefactError, InputError
from vestige.signals import Signals
from vestige.signals.kinds import KINDS, LIMITS, RIGHT, Outputs, floor_of, residual_scale, truth_losses

LABELS = np.array([0, 2, 1, 2])
P = np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
OWN = P[np.arange(4), LABELS]


def log_odds(p):
    return np.log(p) - np.log1p(-p)


def scaled(kind, truth, values, **options):
    return Signals.from_outputs(kind, truth, unlearned=values, **options).scaled_logits("unlearned")


def test_probabilities_become_their_log_odds_and_what_is_clipped_is_said():
    signals = Signals.from_outputs(
        "probabilities", LABELS, unlearned=P, original=P, shadow_out=np.stack([P, P])
    )
    floor = floor_of(P, "probabilities")
    wanted = np.where(
        OWN < 1, log_odds(np.minimum(OWN, 0.99)), -np.log(2 * floor)
    )  # two classes at the floor
    assert signals.scaled_logits("unlearned") == pytest.approx(wanted, rel=1e-9)
    assert signals.scaled_logits("shadow_out")[1] == pytest.approx(wanted, rel=1e-9)
    assert signals.kind == "logits" and signals.notes == (
        f"8 probabilities in 16 rows were below {floor:.2g} and taken as {floor:.2g}: outputs as coarse as these do "
        "not tell how small they were.",
    )
    assert Signals.from_outputs("probabilities", [0, 1], unlearned=P[:2]).notes == ()


def test_logits_and_log_probabilities_stay_as_they_are():
    z = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    signals = Signals.from_outputs("logits", LABELS, unlearned=z)
    assert signals.unlearned is z and np.array_equal(signals.labels, LABELS)
    logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    assert Signals.from_outputs("log_probabilities", LABELS, unlearned=logs).unlearned is logs


def test_a_logarithm_of_zero_is_the_least_of_what_is_there():
    logs = np.log(np.maximum(P, 0), out=np.full_like(P, -np.inf), where=P > 0)
    signals = Signals.from_outputs("log_probabilities", LABELS, unlearned=logs)
    assert (
        signals.unlearned[2].tolist() == [np.log(1e-12), 0.0, np.log(1e-12)]
        and "2 probabilities in 4 rows" in signals.notes[0]
    )
    logs[1] = [-50.0, -60.0, -1e-20]
    assert Signals.from_outputs("log_probabilities", LABELS, unlearned=logs).unlearned[2, 0] == -60


ONE = np.array([0.25, 0.5, 0.875, 0.75])


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize(
    ("kind", "values"),
    [("logits", log_odds(ONE)), ("probabilities", ONE), ("log_probabilities", np.log(ONE))],
)
def test_one_column_is_the_second_of_two_classes(kind, values, column):
    truth, sign = np.array([0, 1, 1, 0]), np.array([-1, 1, 1, -1])
    given = values[:, None] if column else values
    signals = Signals.from_outputs(
        kind, truth, unlearned=given, original=given, shadow_out=np.stack([given] * 2), retrained=given
    )
    assert signals.classes == 2 and signals.shadows == 2 and len(signals.retrained) == 1
    for field in ("unlearned", "original"):
        assert signals.scaled_logits(field) == pytest.approx(sign * log_odds(ONE), rel=1e-12)


def test_a_certain_column_is_clipped_on_the_other_side():
    for kind, values, floor in (
        ("probabilities", np.array([1.0, 0.5]), 0.1),
        ("log_probabilities", np.array([0.0, np.log(0.5)]), 1e-12),
    ):
        signals = Signals.from_outputs(kind, [1, 0], unlearned=values)
        assert signals.scaled_logits("unlearned") == pytest.approx([-np.log(floor), 0], abs=1e-12)
        assert "1 probabilities in 2 rows" in signals.notes[0]


def test_losses_are_the_log_odds_of_their_exponential():
    losses = -np.log(OWN)
    signals = Signals.from_outputs("losses", None, unlearned=losses, shadow_out=[losses, losses + 1])
    assert signals.scaled_logits("unlearned")[[0, 1, 3]] == pytest.approx(log_odds(OWN[[0, 1, 3]]), rel=1e-12)
    assert signals.scaled_logits("unlearned")[2] == pytest.approx(-np.log(1e-12), rel=1e-9)  # a loss of 0
    assert (signals.kind, signals.shadows, signals.group) == ("true_label", 2, None)
    assert signals.notes == (LIMITS["losses"],) and signals.correct is None


def test_labels_tell_right_from_wrong():
    signals = Signals.from_outputs("labels", LABELS, unlearned=[0, 1, 1, 2], original=LABELS)
    assert signals.scaled_logits("unlearned") == pytest.approx(
        log_odds(RIGHT) * np.array([1, -1, 1, 1]), rel=1e-9
    )
    assert signals.kind == "labels" and signals.correct.tolist() == [True, False, True, True]
    assert signals.group.tolist() == ["0", "2", "1", "2"] and signals.strata.tolist() == [0, 2, 1, 2]


def test_predictions_are_the_gaussian_likelihood_of_the_residual_over_its_largest():
    targets, scale = np.array([[1.0, 10], [2, 20], [3, 30]]), np.array([0.5, 4.0])
    residual = np.array([[0.5, 0], [-0.25, 8], [0, 0]])
    square = np.array([1.0, 0.25 + 4, 1e-6])  # the last is an exact fit
    signals = Signals.from_outputs("predictions", targets, unlearned=targets + residual, scale=scale)
    p = np.exp(-square / 2)
    assert signals.scaled_logits("unlearned")[:2] == pytest.approx(log_odds(p[:2]), rel=1e-9)
    assert signals.scaled_logits("unlearned")[2] == pytest.approx(np.log(2e6), rel=1e-6)
    likelihood = [NormalDist(0, 0.5).pdf(r) * NormalDist(0, 4.0).pdf(s) for r, s in residual]
    assert likelihood[1] / likelihood[2] == pytest.approx(p[1], rel=1e-12)
    assert "in units of 0.5, 4, as given" in signals.notes[0]


def test_the_scale_comes_from_holdout_records_under_the_audited_model():
    rng = np.random.default_rng(0)
    targets, role = rng.normal(size=4000), np.repeat(["forget", "holdout"], [100, 3900])
    predictions = targets + rng.normal(size=4000) * np.where(role == "holdout", 2.0, 0.01)
    signals = Signals.from_outputs("predictions", targets, unlearned=predictions, original=targets, role=role)
    scale = residual_scale(predictions[100:], targets[100:])
    assert scale == pytest.approx([2.0], rel=0.05)
    wanted = log_odds(np.exp(-np.maximum(np.square((predictions - targets) / scale), 1e-6) / 2))
    assert signals.scaled_logits("unlearned") == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    few = residual_scale(np.r_[predictions[100:], 1e9], np.r_[targets[100:], 0.0])
    assert few == pytest.approx(scale, rel=0.01)  # one outlier moves it little
    assert residual_scale(np.r_[np.zeros(19), 2.0, 2.0], np.zeros(21)) == pytest.approx([np.sqrt(8 / 21)])


def test_multilabel_losses_are_summed():
    z, truth = np.array([[2.0, -1.0], [0.0, 3.0]]), np.array([[1, 0], [0, 0]])
    p = 1 / (1 + np.exp(-z))
    own = np.where(truth == 1, p, 1 - p).prod(axis=1)
    assert truth_losses(z, "multilabel", truth) == pytest.approx(-np.log(own), rel=1e-12)
    assert scaled("multilabel", truth.astype(bool), z) == pytest.approx(log_odds(own), rel=1e-12)


Q, R = np.full((3, 2), 0.5), np.zeros((3, 2))
REFUSED = {
    "holds probabilities, rows of numbers from 0 to 1 that sum to 1; logits are wanted: give the kind 'probabilities'": ("logits", Q),
    "holds probabilities, numbers from 0 to 1; logits": ("logits", [0.5, 0.2, 1.0, 0.0] * 5),
    "holds 1.5 in row 1; probabilities from 0 to 1": ("probabilities", [[0.5, 0.5], [1.5, -0.5]]),
    "the probabilities of row 1 sum to 0.9; they must sum to 1": ("probabilities", [[0.5, 0.5], [0.5, 0.4]]),
    "holds 0.7 in row 0; log-probabilities are at most 0": ("log_probabilities", [[0.7, -1.0]]),
    "the exponentials of row 0 sum to 2": ("log_probabilities", R),
    "[1] is -0.5; a loss is negative log-likelihood in nats": ("losses", [0.5, -0.5]),
    "for losses [n], one loss a record, is wanted": ("losses", R),
    "NaN or an infinity in row 1": ("losses", [0.5, np.inf]),
    "for labels the places of classes, whole numbers": ("labels", [0.5, 1.0]),
    "holds numbers from 0 to 1 alone, which are probabilities; for multilabel": ("multilabel", np.full((20, 2), 0.5)),
    "for multilabel [n, L] is wanted": ("multilabel", [1.0, 2.0]),
    "for predictions [n] or [n, D] is wanted": ("predictions", np.zeros((2, 2, 2))),
    "There is no kind of outputs 'probability'. Did you mean 'probabilities'?": ("probability", Q),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_its_kind_is_refused(message):
    with pytest.raises(InputError) as caught:
        Outputs(REFUSED[message][1], REFUSED[message][0])
    assert message in str(caught.value)


ZEROS = np.zeros(30)
HELD = np.repeat("holdout", 30)
UNFIT = {
    "truth is missing; for labels it is wanted": ("labels", None, {"unlearned": [0, 1]}),
    "truth has shape [3]; the true class of each record, [2]": ("labels", [0, 1, 1], {"unlearned": [0, 1]}),
    "truth is int64 of shape [2]; for multilabel 0 and 1 of shape [2, 2]": ("multilabel", [0, 1], {"unlearned": [[2.0, 1], [1, 1]]}),
    "truth has shape [3]; the targets of the predictions, [2]": ("predictions", [0.0, 1, 1], {"unlearned": [0.0, 1]}),
    "there are none: give rows the role 'holdout', or the scale itself": ("predictions", ZEROS, {"unlearned": ZEROS}),
    "from 5 holdout records; at least 20": ("predictions", ZEROS[:5], {"unlearned": ZEROS[:5] + 1, "role": HELD[:5]}),
    "Every residual of the holdout records is 0": ("predictions", ZEROS, {"unlearned": ZEROS, "role": HELD}),
    "scale is -1; a number above 0 for each of 1 outputs": ("predictions", ZEROS, {"unlearned": ZEROS, "scale": -1}),
    "scale is given for losses; predictions alone have one": ("losses", None, {"unlearned": [1.0, 2], "scale": 1.0}),
    "original has shape [2, 3]; [2, 2] is wanted": ("logits", [0, 1], {"unlearned": -Q[:2], "original": np.zeros((2, 3))}),
    "shadow_out[1] are labels, and losses is asked for": ("losses", None, {"unlearned": [1.0, 2], "shadow_out": [Outputs([1.0, 2], "losses"), Outputs([1, 2], "labels")]}),
    "population is of kind 'logits', the audited samples are of kind 'true_label'": ("losses", None, {"unlearned": [1.0, 2], "population": Signals([0, 1], -Q[:2])}),
    "population_in is given for labels": ("labels", [0, 1], {"unlearned": [0, 1], "population_in": [0, 1]}),
}  # fmt: skip


@pytest.mark.parametrize("message", UNFIT)
def test_outputs_that_do_not_fit_each_other_are_refused(message):
    kind, truth, models = UNFIT[message]
    with pytest.raises(InputError) as caught:
        Signals.from_outputs(kind, truth, **models)
    assert message in str(caught.value)


def test_few_numbers_from_0_to_1_may_be_logits():
    assert len(Outputs([0.5, 0.2, 1.0], "logits")) == 3 and len(Outputs([[0.5, 0.2]], "multilabel")) == 1


def test_outputs_say_what_they_are_and_are_taken_as_they_are():
    two = [Outputs(P, "probabilities"), Outputs(P[:, ::-1], "probabilities")]
    assert repr(two[0]) == "Outputs(4 records, probabilities of 3 classes)"
    assert repr(Outputs([1, 0], "labels")) == "Outputs(2 records, labels)"
    assert repr(Outputs(ONE, "probabilities")) == "Outputs(4 records, probabilities of 2 classes)"
    signals = Signals.from_outputs(
        "probabilities", LABELS, unlearned=two[0], shadow_out=two, retrained=two[1]
    )
    assert signals.shadows == 2 and np.array_equal(signals.shadow_out[1], signals.retrained[0])


def of_losses():
    losses = np.random.default_rng(1).gamma(2, 1, (3, 40))
    return Signals.from_outputs(
        "losses", np.arange(40) % 3, unlearned=losses[0], original=losses[1], shadow_out=losses[2], ids=np.arange(40),
        role=np.repeat(["forget", "holdout"], 20), population=Signals.from_outputs("losses", None, unlearned=losses[0]),
    )  # fmt: skip


def test_kind_notes_and_group_stay_with_the_record(tmp_path):
    signals = of_losses()
    assert repr(signals) == (
        "Signals(40 samples with the probability of the true label alone: 20 forget, 20 holdout; with original, "
        "shadow_out, population, group)"
    )
    signals.save(tmp_path / "s")
    for same in (
        Signals.load(tmp_path / "s"),
        signals.take(np.arange(40)),
        signals.with_(role=None),
        signals.remembering(),
    ):
        assert (same.kind, same.notes) == ("true_label", (LIMITS["losses"],))
        assert np.array_equal(same.strata, np.arange(40) % 3) and same.population.kind == "true_label"
    assert signals.take([5, 1]).group.tolist() == ["2", "1"]


def test_a_folder_of_earlier_versions_holds_logits(tmp_path):
    Signals([0, 1], -Q[:2]).save(tmp_path / "s")
    path = tmp_path / "s" / "signals.json"
    manifest = json.loads(path.read_text())
    del manifest["kind"], manifest["notes"]
    path.write_text(json.dumps(manifest))
    assert Signals.load(tmp_path / "s").kind == "logits"
    path.write_text(json.dumps(manifest | {"kind": "odd"}))
    with pytest.raises(InputError, match="no kind of signals 'odd'"):
        Signals.load(tmp_path / "s")
    path.write_text(json.dumps(manifest | {"notes": 5}))
    with pytest.raises((InputError, ArtefactError), match="notes are no list"):
        Signals.load(tmp_path / "s")


def test_what_is_known_of_the_true_label_alone_has_its_form():
    for labels, columns in (([1, 0], 2), ([0, 0], 3)):
        with pytest.raises(InputError, match="two columns, the log-odds of the true label and 0"):
            Signals(labels, np.zeros((2, columns)), kind="true_label")


def test_every_kind_of_the_truth_alone_says_what_it_cannot_show():
    assert set(LIMITS) == set(KINDS) - {"logits", "log_probabilities", "probabilities"}


def test_a_zero_says_no_more_than_the_least_that_stands_beside_it():
    votes = np.array([[1.0, 0.0], [0.98, 0.02], [0.5, 0.5]])
    assert floor_of(votes, "probabilities") == pytest.approx(0.01)
    assert floor_of(votes[:, 1], "probabilities") == pytest.approx(0.01)
    assert floor_of(np.array([[1.0, 0.0]]), "probabilities") == pytest.approx(0.1)
    assert floor_of(np.array([[1 - 1e-16, 1e-16], [0.5, 0.5]]), "probabilities") == pytest.approx(0.1)
    assert floor_of(np.log(votes[1:]), "log_probabilities") == 1e-12
    record = Signals.from_outputs("probabilities", [0, 0, 1], unlearned=votes, original=votes)
    assert record.unlearned[0].tolist() == pytest.approx([0.0, np.log(0.01)])
    assert any("taken as 0.01" in note for note in record.notes)


def test_percentages_are_no_logits():
    percent = np.array([[90.0, 10.0], [20.0, 80.0], [55.0, 45.0]])
    with pytest.raises(InputError, match="percentages"):
        Outputs(percent, "logits")
    with pytest.raises(InputError, match="percentages"):
        Signals([0, 1, 0], percent)
