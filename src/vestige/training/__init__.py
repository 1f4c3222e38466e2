"""Recipes, the training loop, checkpoints."""

from vestige.estimators import fit_sklearn
from vestige.models.device import device_of, forward_context, has_fast_bf16, pick_device, settled
from vestige.training.batches import Resident, Rows, augmented, batch_count, batches, resident
from vestige.training.checkpoints import load_model, save_model, write_weights
from vestige.training.conversion import Conversion, convert
from vestige.training.fleet import stackable, train_fleet
from vestige.training.loop import (
    Trained,
    descend,
    epoch_seeds,
    make_optimizer,
    set_learning_rate,
    train,
    training_mode,
)
from vestige.training.private import TrainedPrivately, train_private
from vestige.training.recipe import PRESETS, Recipe, RecipeFields, learning_rate, preset
from vestige.training.sparse import train_sparse

__all__ = [
    "PRESETS",
    "Conversion",
    "Recipe",
    "RecipeFields",
    "Resident",
    "Rows",
    "Trained",
    "TrainedPrivately",
    "augmented",
    "batch_count",
    "batches",
    "convert",
    "descend",
    "device_of",
    "epoch_seeds",
    "fit_sklearn",
    "forward_context",
    "has_fast_bf16",
    "learning_rate",
    "load_model",
    "make_optimizer",
    "pick_device",
    "preset",
    "resident",
    "save_model",
    "set_learning_rate",
    "settled",
    "stackable",
    "train",
    "train_fleet",
    "train_private",
    "train_sparse",
    "training_mode",
    "write_weights",
]
