"""Users' files, opened at one door: regular files of a size that can be read, and parsers whose faults are sentences.

The limits are stated here and named in every message. A file is looked at before it is read: a pipe or a device, a file
larger than memory, and one that would expand far beyond its size on the disk are refused.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import stat
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vestige.errors import ArtefactError, InputError, shown, told
from vestige.values import DIGITS

if TYPE_CHECKING:
    import pandas as pd

MEGA, GIGA = 2**20, 2**30
RECORD_BYTES = 256 * MEGA
"""Bytes of a JSON record that are read."""
DEPTH = 100
"""Levels of lists and objects in JSON that are read."""
EXPANSION, FREE_BYTES = 200, 256 * MEGA
"""How many times its size on the disk a packed file may hold; below FREE_BYTES any number of times."""
COLUMNS, HEADER_CHARACTERS = 50_000, 16 * MEGA
"""Columns of a table, and characters of its first line, that are read."""
SEPARATORS = (";", "\t", "|")
"""What some write between the columns of a table in place of a comma."""
MEMBERS = 10_000
"""Arrays of an `.npz` file that are read."""


def memory() -> int:
    """Return the bytes of memory that this machine has; no file larger than that is read."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return 16 * GIGA


def size_of(count: float) -> str:
    """Return a number of bytes as a message says it."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TB"


KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def as_path(value: Any) -> Path:
    """Return what a caller gives as a path. Raises `InputError` for what is none, and for text that no system takes."""
    try:
        path = Path(value)
        os.fsencode(path)
    except TypeError:
        raise InputError(f"A path is of type {type(value).__name__}; text or a path is wanted.") from None
    except UnicodeEncodeError as error:
        raise InputError(f"{shown(value)} cannot be opened ({told(error)[:60]}).") from None
    if "\0" in str(path):
        raise InputError(f"{shown(str(path))} cannot be opened: it holds the character NUL.")
    return path


def looked_at(path: Path) -> os.stat_result | None:
    """Return what the system says of `path`, None where nothing is there.

    Raises `InputError` for a path that cannot be: a NUL in it, a name too long, a folder that may not be entered.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)[:200]!r} cannot be opened ({told(error)[:60]}).") from None


def regular(path: Path | str, most: int | None = None) -> Path:
    """Return `path` where it is a regular file of at most `most` bytes; default: as much as there is memory.

    Raises `ArtefactError` where it is missing, `InputError` where it is something else or larger.
    """
    path = as_path(path)
    facts = looked_at(path)
    if facts is None:
        raise ArtefactError(f"{path}: no such file.")
    for is_kind, kind in KINDS:
        if is_kind(facts.st_mode):
            raise InputError(f"{path} is {kind}; a regular file is wanted.")
    most = memory() if most is None else most
    if facts.st_size > most:
        raise InputError(f"{path} has {size_of(facts.st_size)}; at most {size_of(most)} are read.")
    return path


@contextlib.contextmanager
def reading(path: Path | str, fault: str = "not readable", hint: str = "; was it cut off?") -> Iterator[None]:
    """Turn whatever a parser raises into `ArtefactError`, one sentence that names the file.

    Only calls of the parser belong inside: here a broken stream, a lying header and a bug look alike.
    """
    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8; convert it first.") from None
    except Exception as error:
        raise ArtefactError(f"{path}: {fault} ({told(error)}){hint}") from None


def read_text(path: Path | str, most: int | None = None) -> str:
    """Return a UTF-8 file's text without its byte-order mark. Raises `InputError` as `regular`, or where it is none."""
    path = regular(path, most)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); convert it first.") from None
    except OSError as error:
        raise InputError(f"{path}: not readable ({told(error)}).") from None


def read_bytes(path: Path | str, most: int | None = None) -> bytes:
    """Return a file's bytes. Raises `InputError` as `regular`."""
    with reading(path, hint="."):
        return regular(path, most).read_bytes()


def read_lines(path: Path | str) -> list[str]:
    """Return the lines of a UTF-8 file, each as it is written; a line ends with a newline alone, or with CR and LF."""
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def read_ids(path: Path | str) -> list[str]:
    """Read a user's list of ids: one per line, exactly as it is written; blank lines are ignored."""
    return [line for line in read_lines(path) if line.strip()]


# JSON

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def parse_json(text: str) -> Any:
    """Return what JSON says.

    Raises `ValueError`, its text a reason in words, for what is no JSON, for a key that stands twice, for NaN, for half
    of a surrogate pair, for integers of more than 40 digits and for more than 100 levels.
    """
    if text.count("[") + text.count("{") > DEPTH:
        level = 0
        for token in TOKENS.finditer(text):
            level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            if level > DEPTH:
                raise ValueError(f"it nests deeper than {DEPTH} levels")
    try:
        value = json.loads(text, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"it nests deeper than {DEPTH} levels") from None
    if SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character (a lone surrogate)") from None
    return value


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; at most {DIGITS} are read")
    return int(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} stands twice")
    return value


# arrays


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the plain arrays of an `.npz` file.

    Raises `InputError` where the file is missing, holds pickled objects, or expands to more than 200 times its size on
    the disk (free below 256 MB) or than memory; `ArtefactError` where it cannot be read.
    """
    regular(path)
    with reading(path, "not a readable .npz file"):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        count = _entries(path)
    names = [member.filename for member in members]
    if count not in (len(names), 0xFFFF):
        raise ArtefactError(
            f"{path}: its directory has {count} entries, {len(names)} are there; was it damaged?"
        )
    if not names:
        raise InputError(f"{path} holds no arrays.")
    if len(names) > MEMBERS or len(set(names)) < len(names):
        fault = f"more than {MEMBERS:,} arrays" if len(names) > MEMBERS else "an array that stands twice"
        raise InputError(f"{path}: it holds {fault}; each array is wanted once.")
    check_expansion(path, sum(member.file_size for member in members))
    arrays: dict[str, np.ndarray] = {}
    with reading(path, "not a readable .npz file"):
        try:
            with np.load(path, allow_pickle=False) as file:
                for name in file.files:
                    arrays[name] = file[name]
        except ValueError as error:
            if "pickle" in str(error).lower():
                raise InputError(
                    f"{path}: it holds pickled objects, which are refused; plain number and text arrays are wanted."
                ) from None
            raise
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: {name!r} is no array; plain number and text arrays are wanted.")
    return arrays


def _entries(path: Path) -> int:
    """Return how many members the last record of a zip file says that there are."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557))
        tail = file.read()
    place = tail.rindex(b"PK\5\6")
    return int.from_bytes(tail[place + 10 : place + 12], "little")


def check_expansion(path: Path, expanded: int) -> None:
    """Refuse a packed file that holds far more than its size on the disk, or more than memory."""
    size = path.stat().st_size
    if expanded > memory():
        raise InputError(
            f"{path} expands to {size_of(expanded)}; at most {size_of(memory())}, the memory here, are read."
        )
    if expanded > FREE_BYTES and expanded > EXPANSION * size:
        raise InputError(
            f"{path} has {size_of(size)} and expands to {size_of(expanded)}; at most {EXPANSION} times its size "
            "is read."
        )


def read_npy(path: Path) -> np.ndarray:
    """Read an `.npy` file of plain numbers. Raises as `read_npz`."""
    regular(path)
    with reading(path, hint="; a plain number array is wanted."):
        array = np.load(
            path, allow_pickle=False, mmap_mode="r"
        )  # a map: its header cannot claim what is not there
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path} is no .npy file.")
        return np.array(array)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a `.safetensors` file. Raises `ArtefactError` where it cannot be read."""
    from safetensors.numpy import load_file

    with reading(path, "not a readable .safetensors file"):
        return dict(load_file(regular(path)))


# tables


def read_table(path: Path, *, written: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """Read Parquet or CSV; a named index of Parquet becomes a column, an unnamed one stays the index.

    Raises `InputError` where the file is missing, has a column twice or more than 50,000 of them, or would expand
    beyond `check_expansion`; `ArtefactError` where it cannot be read.

    Parameters
    ----------
    written : Sequence[str]
        Columns that are read as text exactly as it is written, not as numbers or missing entries.
    options : Any
        Those of `pandas.read_csv`.
    """
    regular(path)
    return _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, written, options)


def _csv(path: Path, written: Sequence[str], options: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    header = [name or f"Unnamed: {place}" for place, name in enumerate(first_row(path))]
    if header == ["Unnamed: 0"]:
        raise InputError(f"{path} is empty; a first line with the names of the columns is wanted.")
    if len(header) > COLUMNS:
        raise InputError(f"{path} has {len(header):,} columns; at most {COLUMNS:,} are read.")
    if "header" not in options:
        _check_separated(path, header)
        _check_distinct(path, header)
    texts = [name for name in written if name in header]
    if texts:
        gaps = {name: list(GAPS) for name in header if name not in texts}
        options = options | {"keep_default_na": False, "na_values": gaps}
        options["dtype"] = options.get("dtype", {}) | dict.fromkeys(texts, str)
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table: pd.DataFrame = pd.read_csv(path, low_memory=False, index_col=False, **options)
        except pd.errors.ParserWarning:
            raise InputError(
                f"{path}: rows have more entries than its first line, {len(header)}; that line names every column, and "
                "a text that holds a comma stands in quotes."
            ) from None
    return table


GAPS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""What pandas takes for a missing entry, in columns that are not read as they are written."""


def _check_separated(path: Path, header: list[str]) -> None:
    marks = [mark for mark in SEPARATORS if len(header) == 1 and mark in header[0]]
    if marks:
        raise InputError(
            f"{path}: the columns of its first line are separated by {marks[0]!r}; a comma is wanted, and a point in "
            "numbers."
        )


def first_row(path: Path) -> list[str]:
    """Return the entries of a CSV file's first line that is not blank."""
    with reading(path):
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.read(HEADER_CHARACTERS)
        if len(head) == HEADER_CHARACTERS and "\n" not in head and "\r" not in head:
            raise InputError(f"{path}: its first line is longer than {HEADER_CHARACTERS:,} characters.")
        head = BLANK_LINES.sub("", head)
        simple = re.split(r"[\r\n]", head, maxsplit=1)[0]
        if '"' not in simple:
            return simple.split(",")
        return next(csv.reader(io.StringIO(head, newline="")), [])


BLANK_LINES = re.compile(r"\A([ \t]*[\r\n])+")


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet as pq

    with reading(path):
        facts = pq.read_metadata(path)
    if facts.num_columns > COLUMNS:
        raise InputError(f"{path} has {facts.num_columns:,} columns; at most {COLUMNS:,} are read.")
    check_expansion(path, facts.num_rows * facts.num_columns)  # a byte an entry: what is constant takes none
    with reading(path):
        check_expansion(path, _text_bytes(path))
        _check_distinct(path, [str(name) for name in pq.read_schema(path).names])
        table = pd.read_parquet(path)
        if any(name is not None for name in table.index.names):
            table = table.reset_index()
    table.columns = pd.Index([str(name) for name in table.columns])
    _check_distinct(path, list(table.columns))
    return table


def _text_bytes(path: Path) -> int:
    """Return how many bytes the texts of a Parquet file take once each stands in its row; there each stands once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    texts = [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]
    total = 0
    for column in pq.read_table(path, columns=texts, read_dictionary=texts).columns if texts else []:
        for part in column.chunks:
            lengths = pc.binary_length(part.dictionary).to_numpy(zero_copy_only=False)
            times = np.bincount(part.indices.drop_null().to_numpy(), minlength=len(lengths))
            total += int(lengths @ times)
    return total


def _check_distinct(path: Path, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice; rename or drop one.")


def numbered_plainly(table: pd.DataFrame) -> bool:
    """Are the rows numbered 0, 1, ..., so that the index says nothing of its own?"""
    import pandas as pd

    return bool(table.index.equals(pd.RangeIndex(len(table))))
