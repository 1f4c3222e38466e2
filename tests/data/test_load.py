"""Loaders: small files made here in every published layout, the real local copies where they are."""

from __future__ import annotations

import gzip
import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import vestige
from vestige.data.registry import DATASETS
from vestige.errors import ArtefactError, InputError

RNG = np.random.default_rng(0)


def test_digits_are_embedded():
    data = vestige.load_dataset("digits")
    assert data.x.shape == (1797, 1, 8, 8) and data.x.max() == 255 and data.ids[7] == "digits/0007"
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_every_name_of_the_field_is_known():
    wanted = (
        "digits cifar10 cifar100 cinic10 mnist stl10 agedb location30 purchase100 texas100 adult us_accidents"
    )
    assert {"insta", *wanted.split()} <= set(DATASETS)
    assert all(DATASETS[name].home for name in DATASETS)


# the real data


def test_real_cifar10(real_data):
    data = vestige.load_dataset("cifar10", root=real_data, part="test")
    assert data.x.shape == (10_000, 3, 32, 32) and data.classes[3] == "cat"
    assert np.bincount(data.y).tolist() == [1000] * 10 and data.ids[-1] == "cifar10/test/9999"
    assert 110 < data.x.mean() < 130


def test_real_location30(real_data, monkeypatch):
    monkeypatch.setenv("VESTIGE_DATA", str(real_data))
    data = vestige.load_dataset("location30")
    assert data.x.shape == (5010, 446) and len(data.classes) == 30 and set(np.unique(data.x)) == {0, 1}
    assert vestige.load_dataset("location30", root=real_data / "location30").fingerprint == data.fingerprint


def test_real_adult(real_data):
    data = vestige.load_dataset("adult", root=real_data)
    assert len(data) == 30_162 and data.y.mean() == pytest.approx(0.249, abs=0.001) and data.x.shape[1] == 104
    codes = vestige.load_dataset("adult", root=real_data, encoding="label")
    assert codes.x.shape[1] == 14 and "as published" in codes.notes[1] and np.array_equal(codes.ids, data.ids)


def test_real_us_accidents(real_data):
    data = vestige.load_dataset("us_accidents", root=real_data)
    assert len(data) == 5000 and data.y.sum() == 2105 and "TMC" in data.notes[1]
    assert vestige.load_dataset("us_accidents", root=real_data, encoding="paper").x.shape[1] == 25


# the published layouts, made small


def cifar_records(n, labels):
    return RNG.integers(0, 10, (n, 3072 + labels), dtype=np.uint8)


BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name,labels,files", [("cifar10", 1, BATCHES), ("cifar100", 2, ["train.bin"])])
def test_cifar_binary(name, labels, files, packed, tmp_path):
    records = [cifar_records(4, labels) for _ in files]
    archive = tmp_path / ("cifar-10-binary.tar.gz" if labels == 1 else "cifar-100-binary.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        for file, content in zip(files, records, strict=True):
            info = tarfile.TarInfo(f"batches/{file}")
            info.size = content.size
            tar.addfile(info, io.BytesIO(content.tobytes()))
            if not packed:
                (tmp_path / file).write_bytes(content.tobytes())
    if not packed:
        archive.unlink()
    data = vestige.load_dataset(name, root=tmp_path)
    whole = np.concatenate(records)
    assert np.array_equal(data.y, whole[:, labels - 1]) and np.array_equal(
        data.x[3].ravel(), whole[3, labels:]
    )


def test_cifar_pickles_are_refused(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="pickled and refused"):
        vestige.load_dataset("cifar10", root=tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"123")
    with pytest.raises(ArtefactError, match="cut off"):
        vestige.load_dataset("cifar10", root=tmp_path, part="test")


def test_mnist_idx(tmp_path):
    pixels, labels = RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8), np.array([3, 1, 4, 1, 5], np.uint8)
    head = (5).to_bytes(4, "big")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(bytes(4) + head + bytes(8) + pixels.tobytes())
    )
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes(4) + head + labels.tobytes())
    data = vestige.load_dataset("mnist", root=tmp_path)
    assert np.array_equal(data.x[:, 0], pixels) and data.y.tolist() == [3, 1, 4, 1, 5]


def test_stl10_is_column_major(tmp_path):
    pixels = RNG.integers(0, 256, (2, 3, 96, 96), dtype=np.uint8)
    (tmp_path / "train_X.bin").write_bytes(pixels.swapaxes(2, 3).tobytes())
    (tmp_path / "train_y.bin").write_bytes(bytes([1, 10]))
    data = vestige.load_dataset("stl10", root=tmp_path)
    assert np.array_equal(data.x, pixels) and data.y.tolist() == [0, 9]


def test_texas_purchase_and_insta(tmp_path):
    (tmp_path / "feats").write_text("1,0\n0,1\n")
    (tmp_path / "labels").write_text("100\n1\n")
    assert vestige.load_dataset("texas100", root=tmp_path).y.tolist() == [99, 0]
    np.save(tmp_path / "purchase.npy", np.array([[2, 1, 0], [1, 0, 0]]))
    assert vestige.load_dataset("purchase100", root=tmp_path).y.tolist() == [1, 0]
    (tmp_path / "insta_ny.csv").write_text("locid,h0,h1,cat\n9,1,2,0\n8,3,4,8\n")
    data = vestige.load_dataset("insta", root=tmp_path)
    assert data.x.tolist() == [[1, 2], [3, 4]] and data.y.tolist() == [0, 8]


def test_agedb_names_carry_the_age(tmp_path):
    for name in ("0_A_7_m.jpg", "1_B_101_f.jpg"):
        Image.new("RGB", (20, 30)).save(tmp_path / name)
    assert vestige.load_dataset("agedb", root=tmp_path, size=(8, 8)).y.tolist() == [0, 9]


def test_adult_in_the_layout_of_its_home(tmp_path):
    row = "39, ?, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, "
    row += "2174, 0, 40, Cuba, {}\n"
    other = row.replace("?", "Private")
    (tmp_path / "adult.data").write_text(row.format("<=50K") + other.format(">50K"))
    (tmp_path / "adult.test").write_text("|1x3 Cross validator\n" + other.format(">50K."))
    data = vestige.load_dataset("adult", root=tmp_path)
    assert data.y.tolist() == [0, 1, 1] and "workclass" in data.notes[0]


# the user's own


def test_own_npz_and_table_and_images(tmp_path):
    np.savez(
        tmp_path / "mine.npz", x=RNG.normal(size=(4, 3)), y=["b", "a", "b", "b"], ids=["p", "q", "r", "s"]
    )
    data = vestige.load_dataset(tmp_path / "mine.npz")
    assert data.y.tolist() == [1, 0, 1, 1] and data.classes == ("a", "b") and data.ids[1] == "q"
    pd.DataFrame({"age": [1.5, 2.0], "city": ["x", "y"], "target": [0, 1], "who": ["u1", "u2"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    data = vestige.load_dataset(tmp_path / "t.csv", label="target", id="who")
    assert (
        data.x.tolist() == [[1.5, 1, 0], [2, 0, 1]]
        and data.ids.tolist() == ["u1", "u2"]
        and "city" in data.notes[0]
    )
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        Image.new("RGB", (5, 4), "red").save(tmp_path / "pets" / label / "1.png")
    data = vestige.load_dataset(str(tmp_path / "pets"))
    assert data.x.shape == (2, 3, 4, 5) and data.classes == ("cat", "dog") and data.ids[0] == "pets/cat/1.png"


def test_bad_files(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    (tmp_path / "m.pkl").write_bytes(b"\x80")
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], dtype=object), y=[0])
    np.savez(tmp_path / "noy.npz", x=np.zeros((2, 2)))
    (tmp_path / "t.csv").write_text("a,labl\n1,0\n,1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken" / "a").mkdir(parents=True)
    (tmp_path / "broken" / "a" / "x.png").write_bytes(b"\x89PNG no")
    for name, options, message in (
        ("cut.npz", {}, "cut off"), ("cut.parquet", {}, "not readable"), ("m.pkl", {}, "pickle files are refused"),
        ("pickled.npz", {}, "pickled objects"), ("noy.npz", {}, "no array 'y'"), ("t.csv", {}, "Did you mean 'labl'"),
        ("t.csv", {"label": "labl"}, "column 'a' is empty in row 1"), ("t.csv", {"lable": "x"}, "Did you mean 'label'"),
        ("empty", {}, "no images"), ("broken", {}, "cannot be decoded"), ("gone.npz", {}, "no such file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            vestige.load_dataset(tmp_path / name, **options)


def test_bad_names_and_roots(tmp_path, monkeypatch):
    monkeypatch.delenv("VESTIGE_DATA", raising=False)
    for call, message in (
        (lambda: vestige.load_dataset("cifar11"), "Did you mean 'cifar10'"),
        (lambda: vestige.load_dataset("cifar10", root=tmp_path / "no"), "no such folder"),
        (lambda: vestige.load_dataset("cifar10", root=tmp_path), "data_batch_1.bin is missing"),
        (lambda: vestige.load_dataset("cifar10", root=tmp_path, part="trian"), "Did you mean 'train'"),
        (lambda: vestige.load_dataset("adult", root=tmp_path, encodng="label"), "Did you mean 'encoding'"),
        (lambda: vestige.load_dataset("agedb"), "given out on request only"),
        (lambda: vestige.load_dataset("us_accidents"), "needs a login"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_no_data_set_is_read_from_a_neighbour(tmp_path):
    """A root that holds several data sets gives each its own files, and none another's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def parquet(folder, mode, size):
        raw = io.BytesIO()
        Image.new(mode, size, 7).save(raw, format="PNG")
        folder.mkdir(parents=True, exist_ok=True)
        rows = pa.table({"img": [{"bytes": raw.getvalue(), "path": ""}] * 2, "label": [0, 1]})
        pq.write_table(rows, folder / "train.parquet")

    parquet(tmp_path / "cifar10", "RGB", (32, 32))
    assert vestige.load_dataset("cifar10", root=tmp_path).x.shape == (2, 3, 32, 32)
    with pytest.raises(InputError, match="missing"):
        vestige.load_dataset("mnist", root=tmp_path)
    with pytest.raises(InputError, match="another data set"):
        vestige.load_dataset("mnist", root=tmp_path / "cifar10")
    parquet(tmp_path / "mnist", "L", (28, 28))
    assert vestige.load_dataset("mnist", root=tmp_path).x.shape == (2, 1, 28, 28)


def test_a_root_with_real_data_sets_has_no_mnist(real_data):
    for name in ("mnist", "cifar100", "stl10", "purchase100", "insta"):
        with pytest.raises(InputError):
            vestige.load_dataset(name, root=real_data)


def test_own_labels_keep_their_names(tmp_path):
    def load(y, **arrays):
        np.savez(tmp_path / "own.npz", x=np.zeros((len(y), 2)), y=y, **arrays)
        return vestige.load_dataset(tmp_path / "own.npz")

    gaps = load([1, 7, 1])
    assert gaps.y.tolist() == [0, 1, 0] and gaps.classes == ("1", "7")
    named = load([2, 0, 2], classes=["zebra", "ant", "cat"])
    assert named.y.tolist() == [2, 0, 2] and named.classes[named.y[0]] == "cat"
    by_name = load(["cat", "zebra"], classes=["zebra", "ant", "cat"])
    assert by_name.y.tolist() == [2, 0]
    for y, message in (([3, 0], "there are 3 classes"), (["cta", "ant"], "Did you mean 'cat'")):
        with pytest.raises(InputError, match=message):
            load(y, classes=["zebra", "ant", "cat"])


def test_tables_that_are_not_what_they_should_be(tmp_path):
    """A missing or strange entry is a sentence with its place, never a class."""
    for file, text, name, message in (
        ("a.csv", "Severity,Humidity\n2,1.0\n,2.0\n", "us_accidents", "row 1, column Severity"),
        ("a.csv", "Severity,Humidity\n2,1.0\n9,2.0\n", "us_accidents", "Severity is 9"),
        ("a.csv", "Severity,Humidity\n2,\n3,\n", "us_accidents", "'Humidity' is empty"),
        ("bangkok", "1,0\nx,1\n", "location30", "is no number"),
        ("bangkok", "31,0\n", "location30", "a label is 31"),
        ("bangkok", "1,\n", "location30", "is no number"),
        ("bangkok", "", "location30", "is empty"),
        ("insta_ny.csv", "locid,h0,cat\n9,1,2\n9,q,2\n", "insta", "row 1, column h0"),
    ):
        folder = tmp_path / name / str(abs(hash(text)))
        folder.mkdir(parents=True)
        (folder / file).write_text(text)
        with pytest.raises(InputError, match=message):
            vestige.load_dataset(name, root=folder)
    (folder / "insta_ny2.csv").write_text("locid,h0,cat\n9,1,2\n")
    with pytest.raises(InputError, match="there are 2"):
        vestige.load_dataset("insta", root=folder)
