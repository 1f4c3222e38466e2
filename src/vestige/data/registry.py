"""What a data set is to vestige: a name, where it comes from, and a function that reads a local folder."""

from __future__ import annotations

from dataclasses import dataclass

from vestige.registry import Entry, Registry


@dataclass(frozen=True)
class Download:
    """One file at its public home. `digest` is its published MD5; None: the first download is recorded."""

    url: str
    file: str
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Source(Entry):
    """A registered data set; its function reads a folder: `(root, *, options) -> Dataset`.

    Attributes
    ----------
    description : str
        What it holds, in a line.
    home : str
        Where it is given out, and under which terms.
    downloads : tuple[Download, ...]
        What to fetch where there is no local folder; empty: it cannot be fetched, and `home` says why.
    embedded : bool
        It comes with an installed package; no folder is read.
    """

    description: str
    home: str
    cites: str = ""
    downloads: tuple[Download, ...] = ()
    embedded: bool = False

    @property
    def summary(self) -> str:
        """What it holds."""
        return self.description


DATASETS: Registry[Source] = Registry("data set", "vestige.data", "vestige.datasets", Source)
register = DATASETS.register
