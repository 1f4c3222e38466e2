"""The small networks that the papers use. Any `nn.Module` from batches to logits may take their place."""

from vestige.models.copies import copied, restore_types
from vestige.models.device import device_of, pick_device
from vestige.models.initial import reinitialise, seeded
from vestige.models.outputs import answer, expect_logits, expect_logits_in_training, first_logits, read_as
from vestige.models.registry import MODELS, Architecture, ModelConfig, build_model, register
from vestige.models.scale import InputScale, fit_input_scale, to_float

__all__ = [
    "MODELS",
    "Architecture",
    "InputScale",
    "ModelConfig",
    "answer",
    "build_model",
    "copied",
    "device_of",
    "expect_logits",
    "expect_logits_in_training",
    "first_logits",
    "fit_input_scale",
    "pick_device",
    "read_as",
    "register",
    "reinitialise",
    "restore_types",
    "seeded",
    "to_float",
]
