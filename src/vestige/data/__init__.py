"""Data sets with stable sample ids, and the splits of an unlearning request."""

from vestige.data.copies import Copies, copies_in, find_copies
from vestige.data.dataset import Dataset
from vestige.data.load import DataConfig, load_dataset
from vestige.data.split import Split, make_split

__all__ = [
    "Copies",
    "DataConfig",
    "Dataset",
    "Split",
    "copies_in",
    "find_copies",
    "load_dataset",
    "make_split",
]
