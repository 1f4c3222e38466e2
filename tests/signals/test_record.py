import dataclasses

import numpy as np
import pandas as pd
import pytest

from vestige.errors import ArtefactError, InputError, MissingArray
from vestige.signals import Signals

RNG = np.random.default_rng(0)
N, C, S = 12, 4, 2
LABELS = RNG.integers(0, C, N)
LOGITS = RNG.normal(size=(N, C)).astype(np.float32)


def full() -> Signals:
    role = np.repeat(["forget", "retain", "holdout"], 4)
    population = Signals(LABELS[:5], LOGITS[:5], role=np.repeat("holdout", 5))
    return Signals(
        LABELS, LOGITS, LOGITS + 1, RNG.normal(size=(S, N, C)), RNG.random(7), LOGITS[None] - 1, population,
        LOGITS[:5], role=role, ids=[f"s/{i}" for i in range(N)], shadow_ids=["p/1", "p/0"],
        calibration=Signals(LABELS, LOGITS, LOGITS, RNG.normal(size=(S, N, C))),
    )  # fmt: skip


def same(a: Signals, b: Signals) -> bool:
    for field in dataclasses.fields(Signals):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, Signals):
            if not same(x, y):
                return False
        elif (x is None) != (y is None) or (x is not None and not np.array_equal(x, y)):
            return False
    return True


def test_a_folder_gives_back_what_was_saved(tmp_path):
    signals = full()
    signals.save(tmp_path / "s")
    assert same(Signals.load(tmp_path / "s"), signals)


@pytest.mark.parametrize("name", ["arrays.safetensors", "rows.parquet", "signals.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_folder_is_refused(tmp_path, name, damage):
    full().save(tmp_path / "s")
    path = tmp_path / "s" / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        if damage == "flip":
            content[len(content) // 2] ^= 0xFF
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    with pytest.raises(ArtefactError, match=name):
        Signals.load(tmp_path / "s")


def test_npz_with_the_four_arrays_is_enough(tmp_path):
    shadow = RNG.normal(size=(N, C))
    np.savez(tmp_path / "mine.npz", labels=LABELS, original=LOGITS, unlearned=LOGITS, shadow_out=shadow)
    signals = Signals.load(tmp_path / "mine.npz")
    assert signals.shadows == 1 and (signals.roles == "forget").all() and signals.names[3] == "3"


def test_npz_may_hold_attached_records(tmp_path):
    np.savez(
        tmp_path / "m.npz",
        labels=LABELS,
        unlearned=LOGITS,
        **{"population/labels": LABELS, "population/unlearned": LOGITS},
    )
    population = Signals.load(tmp_path / "m.npz").population
    assert population is not None and len(population) == N


def test_csv_columns(tmp_path):
    lines = [
        "id,role,label,unlearned_0,unlearned_1,original_0,original_1,shadow0_0,shadow0_1,shadow1_0,shadow1_1"
    ]
    lines += ["a,forget,0,1,2,3,4,5,6,7,8", "b,retain,1,1,2,3,4,5,6,7,9"]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    signals = Signals.load(tmp_path / "m.csv")
    assert signals.shadow_out.tolist() == [[[5, 6], [5, 6]], [[7, 8], [7, 9]]]
    assert signals.names.tolist() == ["a", "b"] and signals.roles.tolist() == ["forget", "retain"]


BAD = {
    "labels[3] is 4": {"labels": np.where(np.arange(N) == 3, 4, LABELS)},
    "labels has shape": {"labels": LABELS[:-1]},
    "whole numbers": {"labels": LABELS + 0.5},
    "labels[3] is missing": {"labels": np.where(np.arange(N) == 3, np.nan, LABELS)},
    "labels[0] is missing; whole": {"labels": [None, *LABELS[1:].tolist()]},
    "such as 'a'; whole": {"labels": ["a"] * N},
    "unlearned has shape [12]|unlearned has shape (12,)": {"unlearned": LOGITS[:, 0]},
    "original has shape": {"original": LOGITS[:, :-1]},
    "shadow_out has shape": {"shadow_out": LOGITS[:-1]},
    "row 5": {"unlearned": np.where(np.arange(N)[:, None] == 5, np.nan, LOGITS)},
    "shadow_out holds a NaN or an infinity in row 2": {
        "shadow_out": np.where(np.arange(N)[:, None] == 2, np.inf, LOGITS)
    },
    "Did you mean 'forget'": {"role": ["forgot"] * N},
    "'x' appears twice": {"ids": ["x"] * N},
    "trained on 1 of the queried samples": {"ids": [f"a{i}" for i in range(N)], "shadow_ids": ["a7", "b"]},
    "confidences between 0 and 1": {"shadow_fit": [0.5, 1.5]},
    "must be as many": {"shadow_out": LOGITS, "calibration": Signals(LABELS, LOGITS, LOGITS, np.stack([LOGITS] * 2))},
    "has 3 classes": {"population": Signals(LABELS % 3, LOGITS[:, :3])},
}  # fmt: skip


@pytest.mark.parametrize("message", BAD)
def test_bad_arrays_are_named(message):
    fields = {"labels": LABELS, "unlearned": LOGITS} | BAD[message]
    with pytest.raises(InputError) as caught:
        Signals(**fields)
    assert any(part in str(caught.value) for part in message.split("|"))


def test_truth_values_are_labels_of_two_classes():
    assert Signals(LABELS > 1, LOGITS[:, :2]).labels.tolist() == (LABELS > 1).astype(int).tolist()
    with pytest.raises(InputError, match="whole numbers 0..3 are wanted"):
        Signals(LABELS > 1, LOGITS)


@pytest.mark.parametrize("kind", [object, np.uint8, float])
def test_labels_are_whole_numbers_of_any_type(kind):
    labels = Signals((LABELS % 2).astype(kind), LOGITS).labels
    assert labels.dtype == np.int64 and labels.tolist() == (LABELS % 2).tolist()


FRAME = pd.DataFrame(LOGITS, columns=[f"p{k}" for k in range(C)], index=[f"r{i}" for i in range(N)])
OTHER_ORDER = {
    "original has the columns of unlearned in another order": {"original": FRAME[FRAME.columns[::-1]]},
    "original has the rows of unlearned in another order": {"original": FRAME[::-1]},
    r"shadow_out\[1\] has the rows of unlearned": {"shadow_out": [FRAME, FRAME[::-1]]},
    "role and unlearned have different indexes": {"role": pd.Series(["forget"] * N, index=[f"x{i}" for i in range(N)])},
    "original has the column '1' in the place of class 0": {"original": FRAME.set_axis(["1", "0", "2", "3"][:C], axis=1)},
    "unlearned has a column 'index', the numbers": {"unlearned": FRAME.reset_index(drop=True).reset_index()},
}  # fmt: skip


@pytest.mark.parametrize("message", OTHER_ORDER)
def test_tables_in_another_order_are_refused(message):
    with pytest.raises(InputError, match=message):
        Signals(**{"labels": LABELS, "unlearned": FRAME} | OTHER_ORDER[message])


def test_tables_of_pandas_are_read_by_their_values():
    plain = Signals(LABELS, LOGITS, original=LOGITS).original
    for frame in (
        FRAME.astype("Float64"),
        FRAME.astype("float64[pyarrow]"),
        FRAME.reset_index(drop=True),
        FRAME.add_prefix("o"),
        FRAME.set_axis(["index", "level_1", *FRAME.columns[2:]], axis=1),
        FRAME.set_axis(pd.Index(list(range(N))), axis=0),
        pd.concat([FRAME[:3].reset_index(drop=True), FRAME[3:].reset_index(drop=True)]),
    ):
        assert np.array_equal(Signals(pd.Series(LABELS), FRAME, original=frame).original, plain)
    order = np.arange(N)[::-1]
    labels = pd.Series(LABELS, index=order)
    assert np.array_equal(Signals(labels, pd.DataFrame(LOGITS)).labels, LABELS)  # asked of a shuffled table
    with pytest.raises(InputError, match="labels has the rows of unlearned in another order"):
        Signals(labels.reset_index(drop=True), pd.DataFrame(LOGITS, index=order))
    with pytest.raises(InputError, match="unlearned is missing in row 2"):
        Signals(LABELS, FRAME.astype("Float64").mask(np.zeros((N, C)) + np.arange(N)[:, None] == 2))


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([0, 0], "one twice"),
        ([], "no shadow model"),
        ([S], f"position {S}"),
        ([-1], "position -1"),
        ([1.0], "float64"),
    ],
)
def test_shadow_models_are_named_once(models, message):
    signals = Signals(LABELS, LOGITS, shadow_out=[LOGITS + k for k in range(S)])
    assert signals.with_shadows([k == 1 for k in range(S)]).shadow_out.tolist() == [(LOGITS + 1).tolist()]
    with pytest.raises(InputError, match=message):
        signals.with_shadows(models)


def test_a_model_has_one_number_in_a_table(tmp_path):
    names = [f"{model}_{k}" for model in ("unlearned", "shadow0", "shadow00") for k in (0, 1)]
    (tmp_path / "m.csv").write_text(",".join(["label", *names]) + "\n" + "0,1,2,3,4,5,6\n" * 2)
    with pytest.raises(InputError, match="no column 'shadow00_0'. Did you mean 'shadow0_0'"):
        Signals.load(tmp_path / "m.csv")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 not really")
    np.savez(tmp_path / "pickled.npz", labels=np.array([{}], dtype=object), unlearned=LOGITS)
    np.savez(tmp_path / "odd.npz", labels=LABELS, unlearned=LOGITS, orginal=LOGITS)
    np.savez(tmp_path / "few.npz", labels=LABELS)
    (tmp_path / "text.csv").write_text("label,unlearned_0,unlearned_1\n0,a,b\n")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    for name, message in {
        "cut.npz": "not a readable .npz", "pickled.npz": "pickled objects", "odd.npz": "Did you mean 'original'",
        "few.npz": "'unlearned' is missing", "text.csv": "holds text", "model.pkl": "pickle files are refused",
        "none.npz": "no such file", "": "signals.json",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=message):
            Signals.load(tmp_path / name)


def test_a_missing_array_says_how_to_get_it():
    with pytest.raises(MissingArray, match="before unlearning"):
        Signals(LABELS, LOGITS).require("original", "iam")


def test_take_and_of_role_keep_rows_together():
    signals = full()
    part = signals.of_role("retain")
    assert part.names.tolist() == [f"s/{i}" for i in range(4, 8)]
    assert np.array_equal(part.shadow_out, signals.shadow_out[:, 4:8])
    with pytest.raises(InputError, match="no role|There is no role"):
        signals.of_role("kept")


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("field", ["unlearned", "original", "shadow_out", "retrained", "population_in"])
@pytest.mark.parametrize("kind", ["f4", "f8", "f2"])
def test_probabilities_are_no_logits(field, kind):
    fields = {"labels": LABELS, "unlearned": LOGITS, "population": Signals(LABELS, LOGITS)}
    p = softmax(np.stack([LOGITS, LOGITS + 1]) if field in ("shadow_out", "retrained") else LOGITS).astype(
        kind
    )
    with pytest.raises(InputError, match=f"{field} holds probabilities.*take the logarithm"):
        Signals(**fields | {field: p})
    assert np.isfinite(Signals(**fields | {field: np.log(np.maximum(p, 1e-7))}).unlearned).all()
    assert Signals(LABELS, LOGITS, sensitivity=softmax(LOGITS)).sensitivity is not None


def test_overlaps_are_seen_whatever_form_the_ids_have():
    for ids, shadow_ids in (
        (range(N), ["3"]),
        ([str(i) for i in range(N)], np.array([3])),
        (np.arange(N), [3, 3]),
    ):
        with pytest.raises(InputError, match="trained on 1 of the queried samples, among them '3'"):
            Signals(LABELS, LOGITS, shadow_out=LOGITS, ids=list(ids), shadow_ids=shadow_ids)
    for ids in (np.arange(N) * 1.0, "abcdefghijkl", [None] * N, {str(i) for i in range(N)}):
        with pytest.raises(InputError, match="ids"):
            Signals(LABELS, LOGITS, ids=ids)
    with pytest.raises(InputError, match="one text"):
        Signals(LABELS, LOGITS, shadow_ids="p/1")


def test_take_and_with_name_what_is_not_there():
    signals = full()
    for rows, message in (
        ([N], f"position {N}"),
        ([-1], "position -1"),
        ([True], f"mask of {N}"),
        ([], "no rows"),
    ):
        with pytest.raises(InputError, match=message):
            signals.take(rows)
    with pytest.raises(InputError, match="no field 'orginal'. Did you mean 'original'"):
        signals.with_(orginal=None)
    with pytest.raises(InputError, match="population is of type ndarray; a Signals record"):
        Signals(LABELS, LOGITS, population=LOGITS)


def test_with_checks_what_is_replaced_and_nothing_else():
    signals = full()
    signals.original[0, 0] = np.nan  # as nobody should; a check of `original` would find it
    assert (signals.with_(role=["retain"] * N).roles == "retain").all()
    assert signals.with_(unlearned=LOGITS * 2).unlearned[0, 0] == 2 * LOGITS[0, 0]
    for fields, message in (
        (
            {"unlearned": np.where(np.arange(N)[:, None] == 5, np.nan, LOGITS)},
            "unlearned holds a NaN .* row 5",
        ),
        ({"labels": LABELS + C}, "labels"),
        ({"labels": LABELS[:-1]}, "labels has shape"),
        ({"role": ["kept"] * N}, "no role 'kept'"),
        ({"ids": [*map(str, range(1, N)), "p/1"]}, "trained on 1 of the queried samples"),
        ({"shadow_ids": ["s/3"]}, "trained on 1 of the queried samples, among them 's/3'"),
        ({"shadow_out": signals.shadow_out[:1]}, "must be as many"),
        ({"population": None}, "population_in is given without population"),
        ({"unlearned": LOGITS[:5]}, "labels has shape"),
        ({"unlearned": LOGITS[:, :3]}, "labels|original"),
        ({"unlearned": LOGITS[:5], "labels": LABELS[:5]}, "original"),
    ):
        with pytest.raises(InputError, match=message):
            signals.with_(**fields)


def remembered(signals: Signals) -> Signals:
    """The same record with its scaled logits computed anew."""
    return Signals(**{f.name: getattr(signals, f.name) for f in dataclasses.fields(signals) if f.init})


def test_a_record_that_remembers_computes_scaled_logits_once_and_gives_the_same(monkeypatch):
    from vestige.signals import record, transforms

    calls = []
    monkeypatch.setattr(
        record, "scaled_logit", lambda v, y: calls.append(len(v)) or transforms.scaled_logit(v, y)
    )
    signals = full().remembering()
    for _ in range(2):
        for name in ("unlearned", "original", "shadow_out"):
            signals.scaled_logits(name)
            signals.calibration.scaled_logits(name)
    assert len(calls) == 2 * (2 + S)
    rows = np.array([7, 2, 3])
    derived = {
        "take": signals.take(rows),
        "mask": signals.take(signals.roles == "retain"),
        "shadows": signals.with_shadows(np.arange(S) != 0),
        "role": signals.with_(role=["retain"] * N),
    }
    for one in derived.values():
        for name in ("unlearned", "original", "shadow_out"):
            one.scaled_logits(name)
    assert len(calls) == 2 * (2 + S)
    derived |= {
        "unlearned": signals.with_(unlearned=LOGITS * 3),
        "labels": signals.with_(labels=(LABELS + 1) % C),
        "shadow_out": signals.with_(shadow_out=np.flip(signals.shadow_out, axis=-1)),
    }
    for what, one in derived.items():
        fresh = remembered(one)
        for name in ("unlearned", "original", "shadow_out"):
            for part in (slice(None), slice(1, 3)):
                assert np.array_equal(one.scaled_logits(name, part), fresh.scaled_logits(name, part)), (
                    what,
                    name,
                )
    p = softmax(signals.original.astype(np.float64) / 2)[np.arange(N), LABELS]
    assert np.allclose(
        signals.scaled_logits("original", temperature=2.0), np.log(p / (1 - p)), rtol=1e-5, atol=1e-5
    )
    with pytest.raises(ValueError, match="read-only"):
        signals.scaled_logits("original")[0] = 0.0


def test_what_records_share_is_written_once(tmp_path):
    rng = np.random.default_rng(3)
    labels, ids = rng.integers(0, 4, 30), np.arange(30).astype(str)
    known = Signals(labels[:9], rng.normal(size=(9, 4)), shadow_out=rng.normal(size=(1, 9, 4)))
    first = Signals(
        labels, rng.normal(size=(30, 4)), original=rng.normal(size=(30, 4)), shadow_out=rng.normal(size=(1, 30, 4)),
        ids=ids, shadow_ids=["s1"], calibration=known,
    )  # fmt: skip
    first.save(tmp_path / "a", apart=True)
    second = first.with_(unlearned=rng.normal(size=(30, 4)))
    second.save(tmp_path / "b", references=tmp_path / "a")
    for name in (
        "arrays.safetensors",
        "rows.parquet",
        "shadow_ids.parquet",
        "calibration/arrays.safetensors",
    ):
        assert (tmp_path / "a" / name).samefile(tmp_path / "b" / name)
    for record, folder in ((first, "a"), (second, "b")):
        loaded = Signals.load(tmp_path / folder)
        assert np.array_equal(loaded.unlearned, record.unlearned) and np.array_equal(
            loaded.original, first.original
        )
        assert np.array_equal(loaded.calibration.unlearned, known.unlearned) and list(loaded.shadow_ids) == [
            "s1"
        ]


def exchanged(shadows=S, *, first=100, **fields) -> Signals:
    """Shadows' training records, with as many references as the audited samples have."""
    return Signals(
        LABELS, LOGITS, **{"original": LOGITS + 2, "shadow_out": RNG.normal(size=(shadows, N, C))} | fields,
        ids=np.arange(first, first + N),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (lambda: exchanged(original=None), "lacks `original`: what the shadow that saw them"),
        (lambda: exchanged(shadow_out=None), "lacks `shadow_out`: what the models that did not"),
        (lambda: exchanged(role=["retain"] * N), "records of other roles"),
        (lambda: exchanged(1), "has 1 models that never saw a record, the audited samples have 2"),
        (
            lambda: exchanged().with_(ids=[f"s/{i}" for i in range(N)]),
            "holds 12 of the queried samples, among them 's/0'",
        ),
        (lambda: LOGITS, "shadow_train is of type ndarray"),
    ],
)
def test_shadow_training_records_that_calibrate_nothing_are_refused(known, message):
    with pytest.raises(InputError, match=message):
        full().with_(shadow_train=known())


def test_a_new_audited_model_has_its_own_answers_on_the_shadows_training_records(tmp_path):
    shared = full().with_(shadow_train=exchanged())
    assert same(Signals.load(shared.save(tmp_path / "whole")), shared)
    assert shared.with_(unlearned=LOGITS * 2).shadow_train is None
    assert shared.with_shadows(np.array([0])).shadow_train is None
    shared.save(tmp_path / "a", apart=True)
    own = shared.shadow_train.with_(unlearned=LOGITS * 3)
    second = shared.with_(unlearned=LOGITS * 2, shadow_train=own)
    second.save(tmp_path / "b", references=tmp_path / "a")
    third = shared.with_(unlearned=LOGITS * 2)
    third.save(tmp_path / "c", references=tmp_path / "a")
    for record, folder in ((shared, "a"), (second, "b"), (third, "c")):
        assert same(Signals.load(tmp_path / folder), record)
    file = "shadow_train/arrays.safetensors"
    assert (tmp_path / "a" / file).samefile(tmp_path / "b" / file)
