"""Image data sets: digits, CIFAR, CINIC, MNIST, STL-10, AgeDB. All give uint8 [N, C, H, W]."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestige.data.dataset import Dataset, joined, numbered
from vestige.data.files import present
from vestige.data.own import image_folder
from vestige.data.pictures import Pixels, decode
from vestige.data.registry import Download, register
from vestige.errors import ArtefactError, InputError
from vestige.files import EXPANSION, FREE_BYTES, check_expansion, parse_json, read_bytes, reading, regular

Part = Literal["train", "test", "all"]
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
PUBLISHED = "free for research"


@register(
    "digits",
    description="1,797 handwritten digits, 8 x 8 grey, 10 classes; embedded",
    home="scikit-learn (UCI, CC BY 4.0)",
    embedded=True,
)
def digits(root: Path) -> Dataset:
    """scikit-learn's digits; grey values 0..16 are stretched to 0..255."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)[:, None]
    return Dataset("digits", pixels, found.target, numbered("digits", len(pixels)), tuple("0123456789"))


@register(
    "cifar10",
    description="60,000 photographs, 32 x 32 colour, 10 classes",
    home=f"www.cs.toronto.edu/~kriz (Krizhevsky 2009), {PUBLISHED}",
    downloads=(
        Download(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
        ),
    ),
)
def cifar10(root: Path, *, part: Part = "train") -> Dataset:
    """CIFAR-10 from Parquet (Hugging Face layout) or the binary version, unpacked or not."""
    train = [f"data_batch_{i}.bin" for i in range(1, 6)]
    files = {"train": train, "test": ["test_batch.bin"]}
    home = ("cifar-10-batches-bin", "cifar-10-binary.tar.gz")
    return _cifar("cifar10", root, part, files, home, 1, "label", CIFAR10)


@register(
    "cifar100",
    description="60,000 photographs, 32 x 32 colour, 100 classes",
    home=f"www.cs.toronto.edu/~kriz (Krizhevsky 2009), {PUBLISHED}",
    downloads=(
        Download(
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8",
        ),
    ),
)
def cifar100(root: Path, *, part: Part = "train") -> Dataset:
    """CIFAR-100 (fine labels) from Parquet (Hugging Face layout) or the binary version, unpacked or not."""
    names = tuple(str(i) for i in range(100))
    files = {"train": ["train.bin"], "test": ["test.bin"]}
    home = ("cifar-100-binary", "cifar-100-binary.tar.gz")
    return _cifar("cifar100", root, part, files, home, 2, "fine_label", names)


def _cifar(
    name: str,
    root: Path,
    part: str,
    files: dict[str, list[str]],
    home: tuple[str, str],
    labels: int,
    column: str,
    classes: tuple[str, ...],
) -> Dataset:
    """Read the wanted parts: `labels` label bytes, the last of which counts, then 3,072 pixels a record."""

    def read(one: str) -> tuple[Pixels, NDArray[Any], tuple[str, ...]]:
        parquet = present(root, f"{one}.parquet", f"{one}-*.parquet", folders=(name, "data", "plain_text"))
        if parquet is not None:
            return _parquet_images(parquet, column, classes, shape=(3, 32, 32), name=name)
        raw = b"".join(_bytes_of(root, file, *home, name=name) for file in files[one])
        if len(raw) % (3072 + labels):
            raise ArtefactError(
                f"{root}: the binary files of {name} have a size that is no number of records; cut off?"
            )
        records = np.frombuffer(raw, np.uint8).reshape(-1, 3072 + labels)
        return records[:, labels:].reshape(-1, 3, 32, 32), records[:, labels - 1], classes

    return _parts(name, part, read)


@register(
    "cinic10",
    description="270,000 images of CIFAR-10 and ImageNet, 32 x 32 colour, 10 classes",
    home="datashare.ed.ac.uk/handle/10283/3192 (Darlow et al. 2018); unpack CINIC-10.tar.gz",
)
def cinic10(root: Path, *, part: Literal["train", "valid", "test"] = "train") -> Dataset:
    """CINIC-10 from its image folders train/, valid/, test/."""
    if not (root / part).is_dir():
        raise InputError(f"{root / part}: no such folder; cinic10 is read from train/, valid/ and test/.")
    return image_folder(root / part, size=(32, 32), name="cinic10", prefix=f"cinic10/{part}/")


MNIST_HOME = "https://ossci-datasets.s3.amazonaws.com/mnist/"


@register(
    "mnist",
    description="70,000 handwritten digits, 28 x 28 grey, 10 classes",
    home="yann.lecun.com (LeCun et al. 1998)",
    downloads=tuple(
        Download(MNIST_HOME + file, file, digest)
        for file, digest in (
            ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
            ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
            ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
        )
    ),
)
def mnist(root: Path, *, part: Part = "train") -> Dataset:
    """MNIST from its idx files, packed or not, or from Parquet (Hugging Face layout)."""
    names = tuple("0123456789")

    def read(one: str) -> tuple[Pixels, NDArray[Any], tuple[str, ...]]:
        parquet = present(root, f"{one}.parquet", f"{one}-*.parquet", folders=("mnist", "data"))
        if parquet is not None:
            return _parquet_images(parquet, "label", names, shape=(1, 28, 28), name="mnist")
        stem = "train" if one == "train" else "t10k"
        pixels = _idx(root, f"{stem}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
        return pixels, _idx(root, f"{stem}-labels-idx1-ubyte", 8), names

    return _parts("mnist", part, read)


def _idx(root: Path, file: str, header: int) -> Pixels:
    path = present(root, file, f"{file}.gz", folders=("raw", "MNIST/raw"))
    if path is None:
        raise InputError(f"{root}: {file} (or .gz) is missing.")
    raw = _unzipped(path) if path.suffix == ".gz" else read_bytes(path)
    count = int.from_bytes(raw[4:8], "big")
    if not count or (len(raw) - header) % count:
        raise ArtefactError(f"{path}: {len(raw)} bytes do not hold {count} records; was it cut off?")
    return np.frombuffer(raw, np.uint8, offset=header)


def _unzipped(path: Path) -> bytes:
    most = max(FREE_BYTES, EXPANSION * regular(path).stat().st_size)
    with reading(path), gzip.open(path) as file:
        raw = file.read(most + 1)
    check_expansion(path, len(raw))
    return raw


@register(
    "stl10",
    description="13,000 labelled photographs, 96 x 96 colour, 10 classes",
    home=f"cs.stanford.edu/~acoates/stl10 (Coates et al. 2011), {PUBLISHED}",
    downloads=(
        Download(
            "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            "stl10_binary.tar.gz",
            "91f7769df0f17e558f3565bffb0c7dfb",
        ),
    ),
)
def stl10(root: Path, *, part: Part = "train") -> Dataset:
    """STL-10, its labelled images, from the binary version, unpacked or not."""

    def read(one: str) -> tuple[Pixels, NDArray[Any], tuple[str, ...]]:
        x = _bytes_of(root, f"{one}_X.bin", "stl10_binary", "stl10_binary.tar.gz", name="stl10")
        y = _bytes_of(root, f"{one}_y.bin", "stl10_binary", "stl10_binary.tar.gz", name="stl10")
        if len(x) != len(y) * 27_648:
            raise ArtefactError(f"{root}: {one}_X.bin and {one}_y.bin of stl10 do not fit; cut off?")
        pixels = np.frombuffer(x, np.uint8).reshape(-1, 3, 96, 96).swapaxes(2, 3)
        return np.ascontiguousarray(pixels), np.frombuffer(y, np.uint8) - 1, STL10

    return _parts("stl10", part, read)


@register(
    "agedb",
    description="16,488 faces with their age; classes are decades",
    home="ibug.doc.ic.ac.uk/resources/agedb (Moschoglou et al. 2017); given out on request only",
)
def agedb(root: Path, *, size: tuple[int, int] = (64, 64)) -> Dataset:
    """AgeDB from its images, named number_person_age_sex.jpg; the class is the decade, from 0 to 9."""
    paths = sorted(
        p for p in root.rglob("*.jpg") if p.stem.split("_")[-2:-1] and p.stem.split("_")[-2].isdigit()
    )
    if not paths:
        raise InputError(
            f"{root}: no image named number_person_age_sex.jpg; agedb is given out on request only."
        )
    ages = np.array([int(p.stem.split("_")[-2]) for p in paths])
    pixels = decode(map(read_bytes, paths), size=size, where=str(root))
    decades = np.minimum(ages, 99) // 10
    ids = np.array([f"agedb/{p.stem}" for p in paths])
    classes = tuple(f"{10 * i} to {10 * i + 9}" for i in range(10))
    return Dataset(
        "agedb", pixels, decades.astype(np.int64), ids, classes, ("Ages of 100 and more count as 99.",)
    )


def _parquet_images(
    path: Path, column: str, classes: tuple[str, ...], *, shape: tuple[int, int, int], name: str
) -> tuple[Pixels, NDArray[Any], tuple[str, ...]]:
    import pyarrow.parquet as pq

    with reading(path, "not a readable Parquet file"):
        table = pq.read_table(regular(path))
    image = next((c for c in ("img", "image") if c in table.column_names), None)
    if image is None or column not in table.column_names:
        raise InputError(
            f"{path}: columns 'img' and {column!r} are wanted; it has {', '.join(table.column_names)}."
        )
    with reading(path, "its columns are not those of an image data set", "."):
        metadata = parse_json((table.schema.metadata or {}).get(b"huggingface", b"{}").decode())
        names = metadata.get("info", {}).get("features", {}).get(column, {}).get("names")
        raw = [bytes(row["bytes"]) for row in table.column(image).to_pylist()]
    pixels = decode(raw, where=str(path), mode="L" if shape[0] == 1 else "RGB")
    if pixels.shape[1:] != shape:
        raise InputError(
            f"{path}: its images are {list(pixels.shape[1:])}, and those of {name} {list(shape)}: another data set?"
        )
    return pixels, table.column(column).to_numpy(), tuple(names) if names else classes


def _bytes_of(root: Path, member: str, unpacked: str, archive_name: str, *, name: str) -> bytes:
    """Return a file of the folder, of the folder that its archive unpacks to, or of the archive."""
    path = present(root, member, folders=(unpacked,))
    if path is not None:
        return read_bytes(path)
    archive = present(root, archive_name)
    if archive is None:
        if present(root, "data_batch_1", "cifar-10-python.tar.gz", "cifar-100-python.tar.gz", "batches.meta"):
            raise InputError(
                f"{root} holds the Python version of {name}, which is pickled and refused; take the binary one."
            )
        raise InputError(f"{root}: {member} is missing; {name} is read from Parquet or its binary version.")
    with reading(archive, "not a readable archive"), tarfile.open(regular(archive)) as tar:
        inner = next((m for m in tar if Path(m.name).name == member), None)
        file = tar.extractfile(inner) if inner is not None else None
        if inner is None or file is None:
            raise InputError(f"{archive}: {member} is missing in it.")
        check_expansion(archive, inner.size)
        return file.read()


def _parts(
    name: str, part: str, read: Callable[[str], tuple[Pixels, NDArray[Any], tuple[str, ...]]]
) -> Dataset:
    sets = []
    for one in ("train", "test") if part == "all" else (part,):
        pixels, labels, classes = read(one)
        sets.append(Dataset(name, pixels, labels, numbered(f"{name}/{one}", len(pixels)), classes))
    return joined(*sets)
