"""`TextSignals`: what a model says of every token of every text. All that measures on texts read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import ArtefactError, InputError
from vestige.files import as_path, looked_at
from vestige.values import as_array, as_ids

Floats32 = NDArray[np.float32]
Floats = NDArray[np.float64]
PER_TOKEN = ("logp", "mean", "std", "entropy", "weighted_std")


@dataclass(frozen=True, eq=False)
class TextSignals:
    """Signals of n texts with T scored tokens in all; a text's first token has nothing before it and is not scored.

    Attributes
    ----------
    logp : float32 [T]
        Log-probability of the token, nats.
    mean, std : float32 [T]
        Of the log-probabilities of the whole vocabulary, each token alike.
    entropy : float32 [T]
        Of the prediction, nats; minus the mean log-probability weighted by probability.
    weighted_std : float32 [T]
        Deviation of the log-probabilities weighted by probability.
    start, end : int32 [T]
        Where the token stands in the text, characters; -1 where the tokenizer does not say.
    offsets : int64 [n+1]
        A text's tokens are offsets[i] to offsets[i + 1].
    characters : int64 [n]
        Length of the text.
    ids : str [n]
    hashes : str [n]
        What each text is, `Texts.hashes`; None in files of earlier versions.

    Raises
    ------
    InputError
        Where the arrays do not fit or a log-probability is not finite.
    """

    logp: Floats32
    mean: Floats32
    std: Floats32
    entropy: Floats32
    weighted_std: Floats32
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    offsets: NDArray[np.int64]
    characters: NDArray[np.int64]
    ids: NDArray[np.str_]
    hashes: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        for name in (*PER_TOKEN, "start", "end", "offsets", "characters"):
            array = as_array(name, getattr(self, name))
            kinds, wanted = ("f", "floats") if name in PER_TOKEN else ("iu", "whole numbers")
            if array.dtype.kind not in kinds:
                raise InputError(f"{name} is {array.dtype}; {wanted} are wanted.")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "ids", as_ids("ids", self.ids))
        if self.hashes is not None:
            object.__setattr__(self, "hashes", as_ids("hashes", self.hashes, distinct=False))
        n, offsets = len(self.ids), self.offsets
        if offsets.shape != (n + 1,) or self.characters.shape != (n,):
            raise InputError(f"{n} ids need {n + 1} offsets and {n} lengths, which are whole numbers.")
        total = int(offsets[-1])
        if self.hashes is not None and self.hashes.shape != (n,):
            raise InputError(f"hashes has shape {list(self.hashes.shape)}; [{n}] is wanted.")
        for name in (*PER_TOKEN, "start", "end"):
            if getattr(self, name).shape != (total,):
                raise InputError(f"{name} has shape {list(getattr(self, name).shape)}; [{total}] is wanted.")
        if (np.diff(self.offsets) < 1).any():
            text = self.ids[int(np.flatnonzero(np.diff(self.offsets) < 1)[0])]
            raise InputError(f"Text {text!r} has no token to score; at least two tokens are needed.")
        if offsets[0] != 0:
            raise InputError(f"The first offset is {offsets[0]}; 0 is wanted.")
        if not np.isfinite(self.logp).all():
            text = self.ids[
                int(np.searchsorted(self.offsets, int(np.flatnonzero(~np.isfinite(self.logp))[0]), "right"))
                - 1
            ]
            raise InputError(f"The model gives text {str(text)!r} a log-probability that is not finite.")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        loss = f"mean loss {self.nll.mean():.4g} nats"
        return f"TextSignals({len(self):,} texts, {len(self.logp):,} scored tokens, {loss})"

    @property
    def tokens(self) -> NDArray[np.int64]:
        """[n] scored tokens of each text."""
        return np.diff(self.offsets)

    @property
    def nll(self) -> Floats:
        """[n] mean token loss in nats: what differs between tokenizers is the unit."""
        return self.totals / self.tokens

    @property
    def nll_per_character(self) -> Floats:
        """[n] loss per character in nats: comparable between models with different tokenizers."""
        return self.totals / self.characters

    @property
    def totals(self) -> Floats:
        """[n] loss of the whole text in nats."""
        return -np.add.reduceat(self.logp.astype(np.float64), self.offsets[:-1])

    def of(self, text: int) -> slice:
        """Return where the tokens of a text are."""
        return slice(int(self.offsets[text]), int(self.offsets[text + 1]))

    def expect(self, ids: Sequence[str], hashes: Sequence[str] | None, of: str) -> None:
        """Raise `InputError` unless these are the signals of the same texts in the same order, by id and by content.

        Parameters
        ----------
        of : str
            Whose texts they are to be, for the message.
        """
        if list(self.ids) != list(ids):
            missing = sorted(set(map(str, ids)) - set(map(str, self.ids)))
            why = f"{missing[0]!r} is missing" if missing else "they are in another order"
            raise InputError(f"The signals are not of the texts of {of}: {why}; ids must agree, one by one.")
        if self.hashes is None or hashes is None:
            return
        other = np.flatnonzero(np.asarray(self.hashes) != np.asarray(hashes))
        if len(other):
            raise InputError(
                f"The signals are not of the texts of {of}: {len(other)} texts say something else under the same id, "
                f"among them {str(self.ids[other[0]])!r}."
            )

    def save(self, path: Path | str) -> Path:
        """Write one Parquet file, a row a text, its tokens as lists."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from vestige.store import published

        columns: dict[str, Any] = {"id": pa.array(self.ids.tolist()), "characters": pa.array(self.characters)}
        if self.hashes is not None:
            columns["hash"] = pa.array(self.hashes.tolist())
        for name in (*PER_TOKEN, "start", "end"):
            columns[name] = pa.ListArray.from_arrays(
                pa.array(self.offsets, pa.int32()), pa.array(getattr(self, name))
            )
        path = as_path(path)
        with published(path) as temporary:
            pq.write_table(pa.table(columns), temporary)
        return path

    @classmethod
    def load(cls, path: Path | str) -> TextSignals:
        """Read a file, or every part of a folder in order. Raises `ArtefactError` where one cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = as_path(path)
        looked_at(path)
        files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise ArtefactError(f"{path} holds no signals (part-*.parquet).")
        parts = []
        for file in files:
            try:
                table = pq.read_table(file)
                offsets = np.concatenate(
                    [[0], np.cumsum(pa.compute.list_value_length(table["logp"]).to_numpy())]
                )
                flat = {
                    n: table[n].combine_chunks().flatten().to_numpy() for n in (*PER_TOKEN, "start", "end")
                }
                parts.append(
                    cls(
                        **flat, offsets=offsets.astype(np.int64), characters=table["characters"].to_numpy(),
                        ids=np.array(table["id"].to_pylist(), dtype=np.str_),
                        hashes=np.array(table["hash"].to_pylist(), dtype=np.str_)
                        if "hash" in table.column_names else None,
                    )
                )  # fmt: skip
            except InputError as error:
                raise ArtefactError(f"{file}: {error}") from None
            except (
                Exception
            ) as error:  # the parser's own, and what a file of another kind makes of the arrays
                why = " ".join(str(error).split())[:200]
                raise ArtefactError(f"{file}: not readable signals ({why}); was it cut off?") from None
        return joined(parts)


def joined(parts: Sequence[TextSignals]) -> TextSignals:
    """Return the texts of all parts, one after another."""
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([p.tokens for p in parts]))]).astype(np.int64)
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(TextSignals)
        if f.name not in ("offsets", "hashes")
    }
    known = [p.hashes for p in parts if p.hashes is not None]
    hashes = np.concatenate(known) if len(known) == len(parts) else None
    return TextSignals(**arrays, offsets=offsets, hashes=hashes)
