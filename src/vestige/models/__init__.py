"""The small networks that the papers use. Any `nn.Module` from batches to logits may take their place."""

from vestige.models.copies import copied
from vestige.models.initial import reinitialise, seeded
from vestige.models.registry import MODELS, Architecture, build_model, register
from vestige.models.scale import InputScale, fit_input_scale, to_float

__all__ = [
    "MODELS",
    "Architecture",
    "InputScale",
    "build_model",
    "copied",
    "fit_input_scale",
    "register",
    "reinitialise",
    "seeded",
    "to_float",
]
