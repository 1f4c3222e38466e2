"""Systems of scikit-learn: classes by name, whole pipelines fitted again, files that run no code."""

from __future__ import annotations

import copy
import json
import zipfile
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import processes
import vestige
from vestige.data import Dataset
from vestige.errors import InputError
from vestige.store import read_record
from vestige.systems import estimators
from vestige.systems.base import fingerprint_of

FEATURES = ["age", "city", "income"]


def table(n: int = 200, classes: tuple[object, ...] = ("no", "yes"), seed: int = 0) -> pd.DataFrame:
    """People whose class is told by their age; some incomes are missing."""
    rng = np.random.default_rng(seed)
    place = np.arange(n) % len(classes)
    data = pd.DataFrame({"age": 5 * place + rng.normal(size=n), "city": rng.choice(["Bern", "Uri"], n)})
    data["income"] = rng.normal(size=n)
    data.loc[::7, "income"] = np.nan
    return data.assign(label=pd.Series([classes[k] for k in place]), id=[f"p{k}" for k in range(n)])


def pipeline(last):
    encode = make_column_transformer(
        (OneHotEncoder(), ["city"]), (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"])
    )
    return make_pipeline(encode, last)


def system(model, data=None, **options):
    data = table() if data is None else data
    return estimators(model, data, **({"label": "label", "id": "id"} | options))


ENTRIES = {
    "text": ("no", "yes", "maybe"),
    "negative": (-1, 0, 1),
    "gaps": (3, 10, 20),
    "bool": (False, True),
    "whole floats": (0.0, 1.0, 2.0),
    "text of numbers": ("1", "2", "10"),
}


@pytest.mark.parametrize("kind", ENTRIES)
@pytest.mark.parametrize("last", [DecisionTreeClassifier(), LinearSVC()], ids=["tree", "svm"])
def test_columns_are_matched_by_the_classes_names(kind, last):
    data = table(classes=ENTRIES[kind])
    one = system(pipeline(last), data, unseen=0.5)
    assert set(one.records.classes) == {
        str(int(entry)) if isinstance(entry, float) else str(entry) for entry in ENTRIES[kind]
    }
    model = one.fit(one.seen, 0)
    assert set(np.unique(model.classes_)) == set(ENTRIES[kind])  # the user's own labels, as they are
    outputs = one.outputs(model, np.arange(200))
    assert (outputs.values.argmax(1) == one.records.labels).mean() > 0.95


def test_categories_are_labels():
    data = table().astype({"label": "category"})
    one = system(pipeline(DecisionTreeClassifier()), data)
    assert one.records.classes == ("no", "yes")
    assert one.outputs(one.fit(one.seen, 0), one.seen).values.shape == (100, 2)


@pytest.mark.parametrize("last", [DecisionTreeClassifier(), LinearSVC()], ids=["tree", "svm"])
def test_a_class_that_a_shadow_never_saw_keeps_its_column(last):
    data = table(classes=("a", "b", "c"))
    one = system(pipeline(last), data)
    few = np.flatnonzero(one.records.labels != 1)
    values = one.outputs(one.fit(few, 0), np.arange(200)).values
    assert values.shape == (200, 3) and np.isfinite(values).all()
    assert (values[:, 1] < values[:, [0, 2]].max(axis=1)).all()
    assert (values[few].argmax(1) == one.records.labels[few]).all()


def test_a_class_of_the_model_that_the_data_lack_has_a_column():
    data = table(classes=("a", "b", "c"))
    model = pipeline(DecisionTreeClassifier()).fit(data[FEATURES], data.label)
    some = data[data.label != "b"]
    one = system(model, some, unseen=some.id[:20].tolist())
    assert one.records.classes == ("a", "c", "b") and one.outputs(model, one.seen).values.shape[1] == 3


def test_a_class_that_the_original_does_not_know_is_refused():
    data = table(classes=("a", "b", "c"))
    model = pipeline(DecisionTreeClassifier()).fit(
        data[data.label != "b"][FEATURES], data[data.label != "b"].label
    )
    with pytest.raises(InputError, match="does not know the class 'b' of sample 'p"):
        system(model, data, unseen=["p0"])
    unseen = data[
        data.label == "b"
    ].id.tolist()  # nothing can be learned of it from records that it cannot name
    with pytest.raises(InputError, match="never saw have classes that it does not know, such as 'b'"):
        system(model, data, unseen=unseen)


def test_a_model_of_numbered_classes_is_read_by_place_and_that_is_said():
    data = table()
    model = pipeline(DecisionTreeClassifier()).fit(data[FEATURES], (data.label == "yes").astype(int))
    one = system(model, data, unseen=["p0", "p1"])
    assert "0, 1 and so on are taken for 'no', 'yes'" in " ".join(one.notes)
    assert (one.outputs(model, one.seen).values.argmax(1) == one.records.labels[one.seen]).all()
    assert one.fit(one.seen, 0).classes_.tolist() == [0, 1]


def test_half_is_kept_from_a_model_that_is_not_fitted_and_it_is_said():
    one = system(pipeline(DecisionTreeClassifier()), forget=["p7", "p11"])
    assert len(one.seen) == 100 and {7, 11} <= set(one.seen.tolist())
    assert one.notes[0].startswith("100 of 200 records were kept from the model")
    assert len(system(pipeline(DecisionTreeClassifier()), unseen=0.25).seen) == 150


def test_what_a_fitted_model_never_saw_is_a_table_or_ids():
    data = table()
    model = pipeline(DecisionTreeClassifier()).fit(data[FEATURES], data.label)
    assert system(model, data, unseen=["p0", "p199"]).seen.tolist() == list(range(1, 199))
    one = system(model, data[:150], unseen=data[150:][["label", "income", "id", "age", "city"]])
    assert one.seen.tolist() == list(range(150)) and one.records.ids[150] == "p150"
    assert one.notes == ()


def test_copies_are_looked_for_in_the_features():
    one = system(pipeline(DecisionTreeClassifier()))
    assert one.features(np.array([3])).city.tolist() == [table().city[3]]


def test_margins_are_logits_and_it_is_said():
    one = system(pipeline(RidgeClassifier()))
    model = one.fit(one.seen, 0)
    outputs = one.outputs(model, one.seen)
    assert outputs.kind == "logits" and "no calibrated log-odds" in one.notes[-1]
    margin = model.decision_function(table()[FEATURES].iloc[one.seen])
    assert np.allclose(outputs.values[:, 1] - outputs.values[:, 0], margin)


@pytest.mark.parametrize("columns", ["age", ["age", "income"]])
def test_a_regression_predicts_numbers(columns):
    data = table().assign(income=lambda d: d.age * 2)
    one = system(pipeline_of_city(LinearRegression()), data.drop(columns=["label"]), label=columns)
    outputs = one.outputs(one.fit(one.seen, 0), one.seen)
    assert outputs.kind == "predictions" and one.records.labels is None
    assert outputs.values.shape == one.records.targets[one.seen].shape


def pipeline_of_city(last):
    return make_pipeline(make_column_transformer((OneHotEncoder(), ["city"])), last)


def test_the_whole_pipeline_is_fitted_again_and_the_given_one_stays():
    data = table()
    model = pipeline(RandomForestClassifier(3, random_state=5)).fit(data[FEATURES], data.label)
    before = model.predict_proba(data[FEATURES])
    one = system(model, data, unseen=["p0", "p1"])
    few = np.arange(50, 80)
    again = one.fit(few, 7)
    by_hand = pipeline(RandomForestClassifier(3, random_state=7)).fit(
        data[FEATURES][50:80], data.label[50:80]
    )
    assert (again.predict_proba(data[FEATURES]) == by_hand.predict_proba(data[FEATURES])).all()
    scaler = again[0].named_transformers_["pipeline"][-1]
    assert scaler.mean_[0] == pytest.approx(data.age[50:80].mean())
    assert model[-1].random_state == 5 and (model.predict_proba(data[FEATURES]) == before).all()
    assert one.original is model


def test_outputs_are_asked_in_parts(monkeypatch):
    one = system(pipeline(DecisionTreeClassifier(max_depth=3)))
    model, rows = one.fit(one.seen, 0), np.arange(200)[::-1]
    whole = one.outputs(model, rows).values
    monkeypatch.setattr("vestige.systems.estimator_system.CHUNK", 33)
    assert (one.outputs(model, rows).values == whole).all()


class Squares(TransformerMixin, BaseEstimator):
    """A transformer of the user's own."""

    def __init__(self, power=2):
        self.power = power

    def fit(self, x, y=None):
        self.seen_ = Seen(len(x))
        return self

    def transform(self, x):
        return np.abs(np.asarray(x)) ** self.power


class Seen:
    """An attribute of another class of the user's own, there only after fitting."""

    def __init__(self, n):
        self.n = n


def halved(x):
    return x / 2


KEPT = {
    "forest": lambda: pipeline(RandomForestClassifier(3)),
    "boosting": lambda: pipeline(HistGradientBoostingClassifier(max_iter=3)),
    "neighbours": lambda: pipeline(KNeighborsClassifier()),
    "search": lambda: GridSearchCV(pipeline(LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2),
    "margin": lambda: pipeline(SVC()),
    "own transformer": lambda: make_pipeline(
        make_column_transformer((make_pipeline(SimpleImputer(), Squares()), ["age"])), LogisticRegression()
    ),
    "own function": lambda: make_pipeline(
        make_column_transformer((FunctionTransformer(halved), ["age"])), DecisionTreeClassifier()
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_model_is_the_same_after_its_file(kind, tmp_path):
    one = system(KEPT[kind]())
    model = one.fit(one.seen, 0)
    one.save(model, tmp_path)
    again = one.load(tmp_path)
    rows = np.arange(200)
    assert (one.outputs(again, rows).values == one.outputs(model, rows).values).all()
    assert type(again) is type(model)


def lightgbm_model(**options):
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1, **options)


def test_lightgbm_with_text_labels_and_categories(tmp_path):
    data = table().astype({"city": "category"})
    one = system(lightgbm_model(), data)
    model = one.fit(one.seen, 0)
    one.save(model, tmp_path)
    rows = np.arange(200)
    values = one.outputs(model, rows).values
    assert (one.outputs(one.load(tmp_path), rows).values == values).all()
    assert (values.argmax(1) == one.records.labels).mean() > 0.95 and one.name == "LGBMClassifier"


def test_lightgbm_knows_columns_whose_names_have_blanks():
    data = table().drop(columns=["city", "id"]).rename(columns={"age": "age in years"})
    model = lightgbm_model().fit(data[:100].drop(columns="label"), data.label[:100])
    one = estimators(model, data[:100], label="label", unseen=data[100:])
    said = model.predict_proba(data.drop(columns="label"))
    assert (one.outputs(model, np.arange(200)).values == said).all()


def test_a_pipeline_that_begins_with_nothing_knows_its_columns():
    data = (
        table()
        .drop(columns=["city", "income", "id"])
        .assign(year=1800 + np.arange(200), index=np.arange(200))
    )
    x = data.drop(columns="label")
    model = make_pipeline("passthrough", DecisionTreeClassifier(random_state=0)).fit(
        x[:100], data.label[:100]
    )
    one = estimators(model, data[:100], label="label", unseen=data[100:])
    assert list(one.table.x.columns) == ["age", "year", "index"] and one.original is not None


@pytest.mark.slow
def test_xgboost_is_given_numbers_and_that_is_said(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    data = table(classes=("-1", "0", "1"))
    one = system(pipeline(xgboost.XGBClassifier(n_estimators=5, n_jobs=1)), data)
    assert "XGBoost knows classes by numbers alone: 0, 1 and so on are '-1', '0', '1'." in one.notes
    model, rows = one.fit(one.seen, 0), np.arange(200)
    values = one.outputs(model, rows).values
    assert (values.argmax(1) == one.records.labels).mean() > 0.95
    one.save(model, tmp_path)
    assert (one.outputs(one.load(tmp_path), rows).values == values).all()
    two = one.fit(np.flatnonzero(one.records.labels < 2), 0)  # by place, though 0 and 1 are names as well
    assert (one.outputs(two, rows).values[:, 2] == 0).all()


def test_a_file_that_names_foreign_types_is_not_loaded(tmp_path):
    one, other = system(pipeline(LogisticRegression())), system(KEPT["own transformer"]())
    other.save(other.fit(other.seen, 0), tmp_path)
    with pytest.raises(InputError, match=r"names .*Squares.* no part of the model"):
        one.load(tmp_path)
    (tmp_path / "model.skops").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"model.skops: the model cannot be read"):
        one.load(tmp_path)


def test_functions_of_libraries_are_not_run_by_a_file(tmp_path):
    one = system(pipeline(LogisticRegression()))
    folder = tmp_path / "model"
    folder.mkdir()
    other = system(
        make_pipeline(FunctionTransformer(pd.eval), LogisticRegression()), table()[["age", "label", "id"]]
    )
    other.save(other.template, folder)
    with zipfile.ZipFile(folder / "model.skops") as file:
        assert "pandas" in file.read("schema.json").decode() and json.loads(file.read("schema.json"))
    with pytest.raises(InputError, match="pandas.*eval"):
        one.load(folder)


def test_what_decides_a_fit_is_in_the_fingerprint():
    def of(model, data=None, **options):
        return system(model, data, **options).fingerprint()

    same = of(pipeline(RandomForestClassifier(3)))
    assert same == of(pipeline(RandomForestClassifier(3)))
    assert len({same, of(pipeline(RandomForestClassifier(4))), of(pipeline(LogisticRegression()))}) == 3
    assert same != of(pipeline(RandomForestClassifier(3)), table().assign(age=lambda d: d.age + 1e-9))
    assert same != of(pipeline(RandomForestClassifier(3)), table().drop(columns="income").assign(income=0.0))
    code = "import test_estimators_system as t; print(t.system(t.KEPT['own function']()).fingerprint())"
    _, there, said = processes.ended(code)
    assert there.split() == [of(KEPT["own function"]())], said


def test_a_system_goes_to_another_process():
    one = system(pipeline(RandomForestClassifier(3)))
    again = ForkingPickler.loads(ForkingPickler.dumps(one))
    assert fingerprint_of(again) == fingerprint_of(one)
    rows = np.arange(20)
    assert (
        again.outputs(again.fit(again.seen, 3), rows).values == one.outputs(one.fit(one.seen, 3), rows).values
    ).all()


def test_a_dataset_of_vestige_is_read_by_place_or_name():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    x = (4 * y[:, None] + rng.normal(size=(120, 2))).astype(np.float32)
    data = Dataset("d", x, y, np.arange(120), list("cab"))
    for labels in (y, np.array(list("cab"))[y]):
        model = DecisionTreeClassifier().fit(data.x, labels)
        one = estimators(model, data, unseen=["3", "4"])
        values = one.outputs(model, one.seen).values
        assert (np.array(one.records.classes)[values.argmax(1)] == np.array(list("cab"))[y[one.seen]]).all()


def test_methods_of_the_house_work_on_numbers():
    data = table().drop(columns=["city", "income"]).assign(more=1.0)
    one = system(LogisticRegression(C=0.1, tol=1e-10), data)
    model = one.fit(one.seen, 0)
    forget, retain = one.seen[:10], one.seen[10:]
    after, facts = one.unlearn("certified_newton", model, forget, retain, seed=0)
    exact = one.fit(retain, 0)
    assert np.abs(after.coef_ - exact.coef_).max() < np.abs(model.coef_ - exact.coef_).max() and facts
    with pytest.raises(
        InputError, match="scrub does not work on LogisticRegression .*how='retrain', 'certified_newton'"
    ):
        one.unlearn("scrub", model, forget, retain, seed=0)


@pytest.mark.parametrize(
    ("model", "how", "message"),
    [
        (
            pipeline(LogisticRegression()),
            "certified_newton",
            "this is Pipeline.*one way to forget: how='retrain'",
        ),
        (
            pipeline(LogisticRegression()),
            "sisa",
            "SISA ensemble, and Pipeline is none.*one way to forget: how='retrain'",
        ),
        (
            pipeline(LogisticRegression()),
            "scrub",
            "does not work on Pipeline.*one way to forget: how='retrain'",
        ),
        (
            LogisticRegression(),
            "certified_newton",
            "certified_newton wants features that are numbers.*how='retrain'",
        ),
        (LinearSVC(), "sisa", "LinearSVC is neither.*one way to forget: how='retrain'"),
    ],
)
def test_a_method_that_cannot_be_is_refused_before_any_work_and_says_which_can(model, how, message):
    """By `forget` and by `forget_costs`, in the same words."""
    ask = {"data": table(), "ids": ["p3", "p4"], "label": "label", "id": "id"}
    for call in (vestige.forget, vestige.forget_costs):
        with pytest.raises(InputError, match=message):
            call(model, how=how, **ask)


def fitted(model, data=None):
    data = table() if data is None else data
    return copy.deepcopy(model).fit(data[FEATURES], data.label)


REFUSED = {
    "a scikit-learn estimator is wanted": lambda: system(LogisticRegression),
    "neither a classifier nor a regressor": lambda: system(KMeans(2)),
    "gives a margin for each pair of classes": lambda: system(SVC(decision_function_shape="ovo")),
    "label of record 'p3' is missing": lambda: system(
        LogisticRegression(), table().assign(label=lambda d: d.label.where(d.id != "p3"))
    ),
    "numbers to predict holds a NaN": lambda: system(DecisionTreeRegressor(), label="income"),
    "labels are of type int and str": lambda: system(LogisticRegression(), table(classes=("a", 1))),
    "200 different numbers: a target to regress on": lambda: system(LogisticRegression(), label="age"),
    "Several columns of labels": lambda: system(
        MultiOutputClassifier(LogisticRegression()), table().assign(other=1), label=["label", "other"]
    ),
    "compares with records that it never saw: name them": lambda: system(fitted(pipeline(LogisticRegression()))),
    "does not take the samples": lambda: system(
        fitted(pipeline(LogisticRegression())), table().assign(city="Zug"), unseen=["p0"]
    ),
    "has no column 'city', which the model knows": lambda: system(
        fitted(pipeline(LogisticRegression())), table().drop(columns="city"), unseen=["p0"]
    ),
    "its classes are 'no', 'yes'": lambda: system(
        fitted(pipeline(LogisticRegression())), table(classes=("a", "b")), unseen=["p0"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(message):
    with pytest.raises(InputError, match=message):
        REFUSED[message]()


def test_a_fit_that_is_refused_says_why():
    one = system(pipeline(LogisticRegression()))
    with pytest.raises(InputError, match=r"cannot be fitted on 100 records of one class: .*2 classes"):
        one.fit(np.flatnonzero(one.records.labels == 0), 0)


def test_what_has_no_name_cannot_be_kept_in_a_file(tmp_path):
    one = system(make_pipeline(FunctionTransformer(lambda x: x[["age"]]), Perceptron()))
    with pytest.raises(InputError, match="cannot be kept in a file, for .*<lambda> has no name"):
        one.save(one.fit(one.seen, 0), tmp_path)


def test_forget_does_what_is_done_by_hand(tmp_path):
    data = table(1200)
    known, other = data[:400], data[400:]
    model = pipeline(RandomForestClassifier(8, random_state=3)).fit(known[FEATURES], known.label)
    asked = known.id[:30].tolist()
    answer = vestige.forget(
        model,
        known,
        asked,
        label="label",
        id="id",
        unseen=other,
        measures=["loss_difference"],
        folder=tmp_path / "r",
    )
    signals = answer.audit.signals
    records = read_record(tmp_path / "r" / "manifest.json")["models"]
    seeds = {name: answer.plan.seed(name) for name in ("shadow", "unlearn")}

    def fit(rows, seed):
        steps = pipeline(RandomForestClassifier(8, random_state=seed))
        return steps.fit(rows[FEATURES], rows.label)

    by_id = data.set_index("id", drop=False)
    by_hand = {
        "original": model,
        "unlearned": fit(known[~known.id.isin(asked)], seeds["unlearn"]),
        "shadow_out": fit(
            by_id.loc[signals.shadow_ids].sort_index(key=lambda ids: ids.str[1:].astype(int)), seeds["shadow"]
        ),
    }
    rows = by_id.loc[signals.names]
    assert set(records) == {"original", "shadow-0", "retrain"}
    for name, one in by_hand.items():
        expected = np.log(np.maximum(one.predict_proba(rows[FEATURES]), np.exp(signals.original.min())))
        said = getattr(signals, name)
        assert np.array_equal(said[0] if name == "shadow_out" else said, expected), name
    direct = vestige.Signals(
        signals.labels,
        signals.unlearned,
        original=signals.original,
        shadow_out=signals.shadow_out,
        role=signals.role,
    )
    scores = vestige.measure("loss_difference", direct)
    kept = answer.audit.scores.query("measure == 'loss_difference'").set_index("id").score
    assert np.allclose(kept.loc[signals.names].to_numpy(), np.asarray(scores), equal_nan=True)


@pytest.mark.slow
def test_workers_make_the_same_answer():
    data = table(1200)
    known, other = data[:400], data[400:]
    model = KEPT["own transformer"]().fit(known[FEATURES], known.label)
    answers = [
        vestige.forget(
            model, known, known.id[:30].tolist(), label="label", id="id", unseen=other, measures=["loss_difference"],
            workers=workers,
        )
        for workers in (None, 2)
    ]  # fmt: skip
    assert answers[0].audit.scores.equals(answers[1].audit.scores)


def test_options_and_classes_that_are_strange_are_refused_before_any_fit():
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    table = x.assign(label=np.where(x.a + rng.normal(size=300) > 0, "yes", "no"))
    known, unseen = table[:100], table[100:]
    model = RandomForestClassifier(5, random_state=0).fit(known.drop(columns="label"), known.label)
    with pytest.raises(InputError, match="no option 'unsen'. Did you mean 'unseen'"):
        vestige.forget(model, known, ids=[3], label="label", unseen=unseen, unsen=1)
    with pytest.raises(InputError, match="classes that it does not know, such as"):
        vestige.forget(model, known, ids=[3], label="label", unseen=unseen.assign(label=unseen.label + "."))
    with pytest.raises(InputError, match="^scrub: .*methods that do"):
        vestige.forget(model, known, [3], "scrub", label="label", unseen=unseen, say=pytest.fail)


def test_a_forest_that_nobody_changed_is_found():
    """Its votes are fiftieths, and of many records all trees agree: 0 and 1 must not outweigh all others."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.normal(size=(4000, 6)), columns=list("abcdef"))
    table = x.assign(label=np.where(x.a + 0.7 * rng.normal(size=4000) > 0, "yes", "no"))
    known, unseen = table[:1000], table[1000:]
    model = RandomForestClassifier(50, random_state=0).fit(known.drop(columns="label"), known.label)
    audit = vestige.audit(
        before=model, after=model, data=known, ids=known.index[:60].tolist(), shadows=1, label="label",
        unseen=unseen, measures=["iam"],
    )  # fmt: skip
    assert audit.verdict.outcome == "under" and audit.verdict.low < 0.3
