"""Data sets with stable sample ids, and the splits of an unlearning request."""

from vestige.data.dataset import Dataset
from vestige.data.load import DataConfig, load_dataset
from vestige.data.split import Split, make_split

__all__ = ["DataConfig", "Dataset", "Split", "load_dataset", "make_split"]
