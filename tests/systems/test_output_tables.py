"""Tables of outputs are joined by id, matched by name, and refused in a sentence where they do not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kind_worlds import CLASSES, ROLE, world
from vestige.cli import main
from vestige.errors import InputError
from vestige.signals import Signals
from vestige.systems import audit_tables, signals_from_tables

NAMES = ["red", "green", "blue", "07"]
IDS = np.array([f"{k:04d}" for k in range(len(ROLE))])
RNG = np.random.default_rng(7)


def frame(outputs, truth, columns, prefix=""):
    """The table of one model: rows and columns in an order of its own."""
    values = np.asarray(outputs)
    table = pd.DataFrame(values.reshape(len(values), -1), columns=[prefix + name for name in columns])
    table = table[RNG.permutation(table.columns)].assign(id=IDS, **truth)
    return table.iloc[RNG.permutation(len(table))]


def tables(kind, columns, prefix="", seed=1, unlearning="exact", **truth):
    """What `signals_from_tables` takes of a world, as DataFrames, and the same record from arrays."""
    known, models = world(kind, seed, unlearning)
    told = truth or {"label": np.array(NAMES)[known]}
    said = {
        "after": models["unlearned"], "before": models["original"], "shadows": models["shadow_out"],
    }  # fmt: skip
    made = {
        name: [frame(one, told, columns, prefix) for one in value]
        if name == "shadows"
        else frame(value, told, columns, prefix)
        for name, value in said.items()
    }
    lists = {"forget": IDS[ROLE == "forget"], "holdout": IDS[ROLE == "holdout"]}
    return made | lists, Signals.from_outputs(kind, known, **models, role=ROLE, ids=IDS)


def expect_same(signals, wanted):
    order = pd.Index(signals.names).get_indexer(pd.Index(wanted.names))
    assert sorted(order) == list(range(len(wanted)))
    signals = signals.take(order)
    for field in ("labels", "unlearned", "original", "shadow_out", "role"):
        ours, theirs = getattr(signals, field), getattr(wanted, field)
        assert (
            np.array_equal(ours, theirs)
            if ours.dtype.kind == "U"
            else ours == pytest.approx(theirs, rel=1e-12)
        ), field
    assert (signals.kind, np.unique(signals.strata).size) == (wanted.kind, np.unique(wanted.strata).size)


@pytest.mark.parametrize("ending", ["frames", "csv", "parquet"])
@pytest.mark.parametrize("prefix", ["", "p_"])
@pytest.mark.parametrize("kind", ["logits", "probabilities", "log_probabilities"])
def test_tables_are_joined_by_id_and_columns_by_name(tmp_path, kind, prefix, ending):
    made, wanted = tables(kind, NAMES, prefix)
    if ending != "frames":
        made |= {
            "after": written(made["after"], tmp_path / f"a.{ending}"),
            "before": written(made["before"], tmp_path / f"b.{ending}"),
        }
        made["shadows"] = [written(one, tmp_path / f"s{k}.{ending}") for k, one in enumerate(made["shadows"])]
    signals = signals_from_tables(**made, kind=kind)
    places = [
        list(
            made["after"].columns
            if ending == "frames"
            else pd.read_parquet(made["after"]).columns
            if ending == "parquet"
            else pd.read_csv(made["after"]).columns
        ).index(prefix + name)
        for name in NAMES
    ]
    order = np.argsort(places)  # the classes stand in the order of the table's columns
    expect_same(signals, reordered(wanted, order))


def reordered(signals, order):
    """The same record with its classes in another order."""
    back = np.argsort(order)
    fields = {name: getattr(signals, name)[..., order] for name in ("unlearned", "original", "shadow_out")}
    return Signals(back[signals.labels], role=signals.roles, ids=signals.names, **fields)


def written(table, path):
    if path.suffix == ".csv":
        table.to_csv(path, index=False, float_format="%.17g")
    else:
        table.to_parquet(path, index=False)
    return path


def test_predicted_classes_and_losses():
    made, wanted = tables("labels", ["said"])
    for name in ("after", "before"):
        made[name]["said"] = np.array(NAMES)[made[name]["said"].astype(int)]
    for one in made["shadows"]:
        one["said"] = np.array(NAMES)[one["said"].astype(int)]
    expect_same(signals_from_tables(**made, kind="labels"), wanted)
    made, wanted = tables("losses", ["nll"])
    expect_same(signals_from_tables(**made, kind="losses"), wanted)
    for table in (made["after"], made["before"], *made["shadows"]):
        del table["label"]
    assert signals_from_tables(**made, kind="losses").group is None


def test_targets_are_matched_to_their_outputs_by_name():
    truth, _ = world("predictions", 1)
    made, wanted = tables(
        "predictions", ["size", "price"], "p_", **{"size": truth[:, 0], "price": truth[:, 1]}
    )
    expect_same(signals_from_tables(**made, label=["size", "price"], kind="predictions"), wanted)
    names = list("abcde")
    truth, _ = world("multilabel", 1)
    made, wanted = tables("multilabel", names, "p_", **dict(zip(names, truth.T, strict=True)))
    expect_same(signals_from_tables(**made, label=names, kind="multilabel"), wanted)
    with pytest.raises(InputError, match="each output is called 'p_' and the name of its target"):
        signals_from_tables(**made, label=names[:4], kind="multilabel")


def binary(name, values=(0.25, 0.75, 0.5), labels=("no", "yes", "no")):
    return pd.DataFrame({"id": ["a", "b", "c"], "label": labels, name: values})


def test_one_column_is_of_the_class_that_it_is_named_after():
    for name, wanted in (("yes", [0.75, 0.75, 0.5]), ("no", [0.25, 0.25, 0.5]), ("p_yes", [0.75, 0.75, 0.5])):
        signals = signals_from_tables(binary(name), forget=["a"], retain=["b"], kind="probabilities")
        p = np.exp(signals.unlearned)[np.arange(3), signals.labels]
        assert p == pytest.approx(wanted)
    with pytest.raises(
        InputError, match="'score', is named after none of two classes .no, yes.; name it after"
    ):
        signals_from_tables(binary("score"), forget=["a"], retain=["b"], kind="probabilities")
    numbers = binary("1", labels=(0, 1, 0))
    assert signals_from_tables(numbers, forget=["a"], retain=["b"], kind="probabilities").labels.tolist() == [
        0,
        1,
        0,
    ]


def test_roles_by_lists_or_by_a_column():
    table = binary("yes").assign(no=lambda t: 1 - t["yes"])

    def roles(frame=table, **lists):
        signals = signals_from_tables(frame, kind="probabilities", **lists)
        return dict(zip(signals.names.tolist(), signals.roles.tolist(), strict=True)), signals.notes

    assert roles(forget=["b"], holdout=["c"])[0] == {"a": "retain", "b": "forget", "c": "holdout"}
    assert roles(forget=["b"], retain=["c"])[0] == {"a": "holdout", "b": "forget", "c": "retain"}
    both = roles(forget=["b"], retain=["c"], holdout=[])
    assert both == ({"b": "forget", "c": "retain"}, ("1 records stand in no list and were left out.",))
    column = table.assign(role=["holdout", "retain", "forget"])
    assert roles(column)[0] == {"a": "holdout", "b": "retain", "c": "forget"}
    assert roles(column, forget=["a"])[0] == {"a": "forget", "b": "retain", "c": "forget"}
    more = table.assign(person=["x", "x", "y"], source=["s", "t", "t"])
    signals = signals_from_tables(more, forget=["b"], holdout=["c"], kind="probabilities", cluster="person")
    assert signals.cluster.tolist() == ["x", "x", "y"] and signals.source.tolist() == ["s", "t", "t"]


TWO = binary("yes").assign(no=lambda t: 1 - t["yes"])
WHO = {"forget": ["a"], "retain": ["b"], "kind": "probabilities"}
REFUSED = {
    "after holds probabilities, rows of numbers from 0 to 1": (TWO, {"kind": "logits"}),
    "after, column 'id': 'a' appears twice": (TWO.assign(id=["a", "a", "b"]), {}),
    "before lacks 'c' of the 3 ids of after": (TWO, {"before": TWO[:2]}),
    "after lacks 'd' of the 4 ids of before": (TWO, {"before": pd.concat([TWO, TWO[:1].assign(id="d")])}),
    "before has no column 'no', which after has": (TWO, {"before": TWO.rename(columns={"no": "nope"})}),
    "after has no column 'maybe', which shadow has": (TWO, {"shadows": [TWO.assign(maybe=0.0)]}),
    "shadow 2 says label 'yes' of 'a', after says 'no'": (TWO, {"shadows": [TWO, TWO.assign(label="yes")]}),
    "forget: 'x' and 1 more of its 3 ids are not among the 3 of after, which look like 'a'": (TWO, {"forget": ["x", "a", "y"]}),
    "'a' stand in two of the lists": (TWO, {"retain": ["a"]}),
    "Who was never seen is not said": (TWO, {"retain": None}),
    "Who was forgotten is not said": (TWO, {"forget": None, "retain": None}),
    "has a column 'role' and there are lists": (TWO.assign(role="forget"), {}),
    "after, column 'label': There is no class 'perhaps'. Known: no, yes": (TWO.assign(label=["no", "yes", "perhaps"]), {}),
    "column 'label' holds text; every column that id, label and cluster do not name": (TWO, {"label": "y"}),
    "There is no column 'y'": (TWO.drop(columns="label"), {"label": "y"}),
    "There is no column 'name'": (TWO, {"id": "name"}),
    "There is no column 'person'": (TWO, {"cluster": "person"}),
    "column 'Unnamed: 0' has no name in the file": (TWO.assign(**{"Unnamed: 0": [0, 1, 2]}), {}),
    "column 'city' holds text; every column that": (TWO.assign(city="Rome"), {}),
    "after: the probabilities of row 0 sum to 1.5": (TWO.assign(age=[0.5, 0.0, 0.0]), {}),
    "There is no kind of outputs 'probability'. Did you mean": (TWO, {"kind": "probability"}),
    "for losses one column is wanted": (TWO, {"kind": "losses"}),
    "forget names no record": (TWO, {"forget": []}),
    "column 'index' is an index, and no output": (TWO.reset_index(), {}),
    "column 'age' is no output, for outputs begin with 'p_' here": (TWO.rename(columns={"no": "p_no", "yes": "p_yes"}).assign(age=1.0), {}),
    "there is no column of outputs": (TWO[["id", "label"]], {}),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_tables_that_do_not_fit_are_refused(message):
    table, options = REFUSED[message]
    with pytest.raises(InputError) as caught:
        signals_from_tables(table, **WHO | options)
    assert message in str(caught.value)


def test_a_column_that_no_label_names_is_said():
    z = TWO.assign(yes=[1.0, 2.0, 3.0], no=[-1.0, 0.0, 4.0], age=[39.0, 45.0, 12.0])
    signals = signals_from_tables(z, forget=["a"], retain=["b"])
    assert signals.classes == 3 and signals.notes[0].startswith(
        "No record is of age; these columns were read as outputs"
    )


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two customers' exports and the outputs of a shadow, with ids that a spreadsheet would change."""
    made, wanted = tables("probabilities", NAMES, unlearning="nothing")
    for name, table in (("before", made["before"]), ("after", made["after"]), ("shadow", made["shadows"][0])):
        table.rename(columns={"label": "y"}).to_csv(
            tmp_path / f"{name}.csv", index=False, float_format="%.17g"
        )
    (tmp_path / "asked.txt").write_text("\n".join(made["forget"]))
    pd.DataFrame({"id": made["holdout"], "why": "new"}).to_csv(tmp_path / "never.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return wanted


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["vestige", "audit", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, *capsys.readouterr()


COMMAND = (
    "--before before.csv --after after.csv --shadow shadow.csv --forget asked.txt --holdout never.csv --label y --kind "
    "probabilities --measure iam --require unlearned"
).split()


def test_the_command_audits_files_of_outputs(files, monkeypatch, capsys):
    code, out, err = command(monkeypatch, capsys, *COMMAND, "--out", "o", "--json")
    assert code == 1 and json.loads(out)["audits"]["after"]["outcome"] == "under", err
    manifest = json.loads(Path("o/manifest.json").read_text())
    assert manifest["config"]["before"] == "before.csv" and manifest["config"]["kind"] == "probabilities"
    assert {"after.csv", "before.csv", "shadow.csv", "asked.txt", "never.csv"} <= set(manifest["hashes"])
    signals = Signals.load("o/signals")
    assert sorted(signals.names) == sorted(files.names) and signals.shadows == 1
    assert command(monkeypatch, capsys, *COMMAND, "--out", "o")[0] == 1  # the same again
    Path("again.csv").write_text(Path("shadow.csv").read_text())
    code, _, err = command(
        monkeypatch, capsys, *COMMAND, "--out", "o", "--id", "id", "--retrained", "again.csv"
    )
    assert code == 2 and "o holds another run" in err


def test_text_is_a_path_as_well(files):
    """Files that are named by text are hashed into the manifest, so that a changed one is another audit."""
    lists = {"forget": "asked.txt", "holdout": "never.csv"}
    who = {"before": "before.csv", "shadows": "shadow.csv", **lists, "label": "y", "kind": "probabilities"}
    audit_tables("audit", "after.csv", ["iam"], **who)
    hashes = json.loads(Path("audit/manifest.json").read_text())["hashes"]
    assert {"after.csv", "before.csv", "shadow.csv", *lists.values()} < set(hashes)
    header, *rows = Path("before.csv").read_text().splitlines()
    Path("before.csv").write_text("\n".join([header, *rows[::-1]]))
    with pytest.raises(InputError, match="holds another run"):
        audit_tables("audit", "after.csv", ["iam"], **who)
    with pytest.raises(InputError, match="type DataFrame; text or a path"):
        audit_tables("other", "after.csv", ["iam"], **who | {"before": pd.read_csv("before.csv")})


def test_the_command_says_what_it_lacks(files, monkeypatch, capsys):
    for arguments, message in (
        ([], "Give a file of signals, or the outputs of the audited model, --after"),
        (["x.npz", "--before", "before.csv"], "x.npz holds all that is audited; before belong to --after"),
        ([*COMMAND, "--shadow", "after.csv"], "after.csv is given as the outputs of two models"),
        ([*COMMAND[: COMMAND.index("--kind")]], "give the kind 'probabilities'"),
    ):
        code, _, err = command(monkeypatch, capsys, *arguments)
        assert code == 2 and message in err


def test_classes_are_as_many_as_the_world_has():
    assert len(NAMES) == CLASSES
