"""The experiment as a whole: defences against both attackers, transfer, overfitting, training defences, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from test_leaks_record import pairs

from vestige.config import validated
from vestige.data import DataConfig
from vestige.data.source import Source
from vestige.errors import InputError
from vestige.leaks import (
    LeakConfig,
    Network,
    PosteriorPairs,
    Setting,
    attack,
    attack_pairs,
    degradation,
    features_of,
    hardened,
    make_pairs,
    overfitting,
    run_leaks,
)
from vestige.leaks.experiment import report_again, run_into
from vestige.leaks.settings import pair_sets
from vestige.leaks.targets import fitted
from vestige.store import write_json

SMALL = {"sets": 3, "records": 120, "deletions": 6}
NET = {"model": {"name": "mlp", "hidden": [32]}, "recipe": {"epochs": 20, "batch_size": 16, "lr": 0.1}}


def config(**values):
    base = {"data": {"name": "digits"}, "setting": SMALL, "attacks": ["decision-tree"], "seed": 3}
    return validated(LeakConfig, base | values, "test")


def test_every_defence_meets_both_attackers(tmp_path):
    defences = ["label_only", "top_k=2", "temperature=4"]
    found = run_leaks(config(defences=defences), cache=tmp_path)
    assert list(found.defences) == defences and found.sets == 3 and found.rows == 2 * 3 * 6
    for both in found.defences.values():  # a threshold's AUC does not depend on what the attacker trained on
        one, other = (
            {a.feature: a.target.auc for a in x.attacks if a.model == "threshold"}
            for x in (both.adaptive, both.unaware)
        )
        assert one == other
    assert found.defences["label_only"].adaptive.best.target.auc < found.undefended.best.target.auc
    assert set(found.three_way) == {"deleted", "remaining", "outside"} and -1 <= found.overfitting <= 1
    count = len(list(tmp_path.rglob("*.npz")))
    again = run_leaks(config(defences=defences), cache=tmp_path)
    assert (
        len(list(tmp_path.rglob("*.npz"))) == count == 6
    )  # nothing was fitted for a defence of what is published
    assert again.record() == found.record()


def test_the_record_holds_plain_numbers():
    record = run_leaks(config()).record()
    assert 0 <= record["summary"]["auc"] <= 1 and record["defences"] == {}
    rows = {(r["feature"], r["attack"]): r for r in record["attacks"]}
    assert rows["l2_distance", "decision-tree"]["deg_ties"] is not None
    assert rows["l2_threshold", "threshold"]["deg_count"] is None


def test_degradation_is_against_the_best_single_version_attack_of_the_same_model():
    rng = np.random.default_rng(0)
    n = 400
    status = np.resize(["deleted", "outside"], n)
    p = rng.dirichlet(np.ones(3), n)
    moved = np.where((status == "deleted")[:, None], p[:, ::-1], p)
    one = PosteriorPairs(p, moved, status, np.arange(n) % 8)
    found = attack(one, one, models=("logistic-regression", "decision-tree"))
    tree = next(a for a in found.attacks if (a.feature, a.model) == ("l2_distance", "decision-tree"))
    assert tree.degradation.count > 0.9 and tree.degradation.rate > 0.3
    assert all(a.degradation is None for a in found.attacks if a.versions == 1 or a.model == "threshold")
    same = degradation(p[:, 0], p[:, 0], status == "deleted")
    assert (same.count, same.ties, same.rate) == (0.0, 1.0, 0.0)


def test_defences_that_act_in_training_refit_the_models(tmp_path):
    target = NET | {"recipe": NET["recipe"] | {"epochs": 3}}
    small = {"sets": 2, "records": 60, "deletions": 3}
    found = run_leaks(
        config(
            target=target, setting=small, defences=["train_temperature=8", "train_temperature=8+label_only"]
        ),
        cache=tmp_path,
    )
    assert (
        len(list(tmp_path.rglob("*.npz"))) == 2 * 2 * 2
    )  # sides x sets, plain and tempered; label_only refits nothing
    plain, tempered = (
        hardened(Network(**target), d) for d in ("label_only", "train_temperature=8+label_only")
    )
    assert (
        plain == (Network(**target), "label_only")
        and tempered[0].temperature == 8
        and tempered[1] == "label_only"
    )
    for both in found.defences.values():
        assert 0 <= both.adaptive.best.target.auc <= 1
    with pytest.raises(InputError, match="needs a network, such as torch:mlp"):
        run_leaks(config(defences=["dp=8"]))
    for defence, message in (("dp=much", "needs a number"), ("train_temperature=0", "greater than 0")):
        with pytest.raises(InputError, match=message):
            hardened("torch:mlp", defence)


def test_temperature_divides_the_logits_in_training_and_when_asked():
    from vestige.data import load_dataset
    from vestige.leaks.targets import posteriors

    data = load_dataset("digits").take(np.arange(200))
    sure, vague = (
        posteriors(fitted(Network(**NET, temperature=t), data, 0), data).max(axis=1).mean() for t in (1, 50)
    )
    assert vague < sure


def test_private_models_do_not_give_their_deleted_away():
    """DP-SGD at epsilon 1 on noise labels: a network that learns by heart without it, and cannot with it."""
    from vestige.data import Dataset

    rng = np.random.default_rng(3)
    noisy = Dataset(
        "noise",
        rng.normal(size=(600, 20)).astype(np.float32),
        rng.integers(0, 4, 600),
        np.arange(600).astype(str),
        tuple("abcd"),
    )
    net = Network(
        {"name": "mlp", "hidden": (64,), "standardise": False},
        {"epochs": 40, "batch_size": 16, "lr": 0.1, "weight_decay": 0.0},
    )
    setting = Setting(sets=2, records=60, deletions=4)
    drops = []
    for target in (net, hardened(net, "dp=1")[0]):
        gone = make_pairs(noisy, target, setting).of("deleted")
        at = np.arange(len(gone))
        drops.append((gone.original[at, gone.labels] - gone.unlearned[at, gone.labels]).mean())
    assert drops[0] > 0.25 and abs(drops[1]) < 0.15


def test_shadows_of_another_kind_transfer():
    """Other classes: sorted features are cut to what both sides have, features by class are left out."""
    known, asked = pairs(60, 6, 1), pairs(60, 4, 2)
    found = attack(known, asked, models=("decision-tree",))
    read = {a.feature for a in found.attacks if a.model != "threshold"}
    assert read == {"sorted_diff", "sorted_concat", "l2_distance", "sorted_mia"}
    cut = features_of(known, "sorted_concat", classes=4)
    whole = features_of(known, "sorted_concat")
    assert np.array_equal(cut, np.concatenate([whole[:, 2:6], whole[:, 8:12]], axis=1))
    with pytest.raises(InputError, match="the sorted features and l2_distance transfer"):
        attack(known, asked, features=("direct_diff", "max_confidence"))
    with pytest.raises(InputError, match="cannot be cut"):
        features_of(known, "direct_diff", classes=4)


def test_the_shadow_side_may_differ_in_data_target_and_size(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", x=rng.normal(size=(600, 5)).astype(np.float32), y=rng.integers(0, 3, 600))
    other = {
        "data": {"name": str(tmp_path / "own.npz")},
        "target": "logistic-regression",
        "setting": {"sets": 2, "records": 100},
    }
    found = run_leaks(config(shadow=other))
    assert found.three_way is None and found.sets == 3
    with pytest.raises(InputError, match="Did you mean 'records'"):
        config(shadow={"setting": {"record": 5}})


def test_overfitting_is_read_from_the_pairs():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    made = PosteriorPairs(
        p, p, np.array(["deleted", "remaining", "outside", "outside"]), labels=np.array([0, 0, 0, 1])
    )
    assert overfitting(made) == 0.5
    assert overfitting(PosteriorPairs(p, p, made.status)) is None
    with pytest.raises(InputError, match="one kind is missing"):
        overfitting(made.take(np.array([0, 1])))


def test_fewer_negatives_than_positives_are_stated_behaviour():
    made = pairs(90, 3)
    keep = (made.status == "deleted") | (np.arange(90) % 10 == 2)
    found = attack_pairs(made, made.take(keep), models=("decision-tree",))
    assert found.rows == keep.sum() - (keep & (made.status == "remaining")).sum()
    assert 0 <= found.undefended.best.target.auc <= 1


def test_configurations_that_cannot_be():
    for values, message in (
        ({"setting": {"name": "scrach"}}, "Did you mean 'scratch'|scratch"),
        ({"setting": {"recods": 5}}, "recods"),
        ({"target": "tree"}, "decision-tree"),
        ({"attacks": ["svm"]}, "attack model"),
        ({"defences": ["blur"]}, "no defence"),
        ({"defences": ["top_k=10"]}, "1 to 9 can be kept"),
        ({"setting": {"records": 5000}}, "side of digits has"),
        ({"data": {"name": "digts"}}, "digits"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            run_leaks(config(**values))
    assert DataConfig(name="digits").options == {}


def test_private_versions_never_share_their_noise(tmp_path):
    """With one noise for both versions all that differs is the deletion: the guarantee would be gone."""
    target = hardened(Network("logistic", {"epochs": 2, "batch_size": 20, "lr": 0.1}), "dp=1")[0]
    from vestige.data import load_dataset

    data = load_dataset("digits")
    shared, own = (
        make_pairs(data, target, Setting(sets=1, records=100, deletions=2, seeds=seeds), cache=tmp_path)
        for seeds in ("shared", "independent")
    )
    assert np.array_equal(shared.unlearned, own.unlearned) and len(list(tmp_path.rglob("*.npz"))) == 1


FAULTS = {
    "target": "decision-tre", "attacks": ["svm", "knn"], "defences": ["top_k=0", "labels"], "features": ["l2"],
    "setting": {"method": {"name": "finetune", "epoch": 3}, "group": 2000}, "data": {"name": "digit"},
}  # fmt: skip


def test_all_faults_of_an_experiment_are_told_together():
    with pytest.raises(InputError) as caught:
        validated(LeakConfig, FAULTS, "x.yaml")
    text = str(caught.value)
    for said in ("'decision-tree'", "'svm'", "'knn'", "top_k: k is 0", "no defence 'labels'", "no feature 'l2'",
                 "Did you mean 'epochs'", "nothing to retrain on", "Did you mean 'digits'"):  # fmt: skip
        assert said in text, text
    with pytest.raises(InputError, match=r"'target': .*Did you mean 'hidden'"):
        validated(LeakConfig, {"target": {"model": {"name": "mlp", "hiden": [8]}}}, "x.yaml")
    with pytest.raises(InputError, match="acts in training and needs a network"):
        validated(LeakConfig, {"defences": ["dp=8"]}, "x.yaml")
    chosen = {
        "target": "torch:mlp",
        "defences": ["dp=8", "top_k=3+rounding=2"],
        "setting": {"method": "finetune"},
    }
    assert validated(LeakConfig, chosen, "x.yaml").setting.method == "finetune"


def test_a_report_is_written_again_from_what_a_folder_keeps(tmp_path):
    values = {
        "data": {"name": "digits"},
        "setting": {"sets": 2, "records": 60, "deletions": 3},
        "attacks": ["decision-tree"],
    }
    config = validated(LeakConfig, values, "x.yaml")
    first = run_into(tmp_path / "a", config, store=str(tmp_path / "shared"))
    record = (tmp_path / "a" / "leaks.json").read_text()
    (tmp_path / "a" / "report.html").unlink()
    again = report_again(tmp_path / "a")
    assert again.record() == first.record() and (tmp_path / "a" / "leaks.json").read_text() == record
    assert (tmp_path / "a" / "report.html").is_file()
    assert len(list((tmp_path / "shared" / "pair_set").glob("*.npz"))) == 4
    next((tmp_path / "a" / "pair_set").glob("*.npz")).unlink()
    with pytest.raises(
        InputError, match="does not hold 'set . of 2, .* side'.*the same command does what is missing"
    ):
        report_again(tmp_path / "a")
    write_json(tmp_path / "leaks.json", {"kind": "leaks", "pairs": {}})
    with pytest.raises(InputError, match="an attack on your own files; run vestige leaks --pairs"):
        report_again(tmp_path)


def test_a_set_of_networks_may_have_a_share_of_a_gpu():
    data, setting = Source.of(DataConfig(name="digits")), Setting(sets=1, records=20, deletions=1)
    for target, wanted in (("torch:mlp", True), ("decision-tree", False)):
        (step,) = pair_sets(data, target, setting, side="target", seed=0)
        assert step.runs_network == wanted


def test_an_attack_on_two_files_is_made_again_in_its_folder(tmp_path):
    sides = tuple(pairs(30, 3, seed).save(tmp_path / f"{seed}.npz") for seed in range(3))
    config = LeakConfig(attacks=["decision-tree"])
    first, again = (run_into(tmp_path / "a", config, sides[:2]) for _ in range(2))
    assert first.record() == again.record()
    with pytest.raises(InputError, match=r"holds another run \(target is '\w+' there"):
        run_into(tmp_path / "a", config, (sides[0], sides[2]))
    write_json(tmp_path / "b" / "leaks.json", {"kind": "leaks", "config": config.model_dump(mode="json")})
    with pytest.raises(InputError, match=r"b holds another run; name another folder with --out\."):
        run_into(tmp_path / "b", config, sides[:2])
