"""From what a user has, a model and data, to a system."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from vestige.errors import InputError, unknown
from vestige.signals.kinds import Outputs
from vestige.systems.base import System, expect_system
from vestige.systems.output_system import Asked, outputs


def system_of(model: Any, data: Any = None, *, forget: Sequence[str] = (), **options: Any) -> System:
    """Return the system of a model and its data.

    Parameters
    ----------
    model
        A `System`; a scikit-learn estimator or pipeline, LightGBM and XGBoost included; a `torch.nn.Module`; a
        Hugging Face model; or its outputs, `Outputs` and `Asked`.
    data
        What it was trained on; see `vestige.systems.estimators`, `networks` and `transformers` for the kinds of data
        and the options that they take.
    forget
        Who will be forgotten: the original of a system that chooses itself what it never saw has seen them.

    Raises
    ------
    InputError
        Where the model is none of these, where data come beside a system that has its own, and as the systems do.
    """
    if hasattr(model, "records") and hasattr(model, "outputs"):
        given = [name for name, value in ({"data": data} | options).items() if value is not None]
        if given:
            raise InputError(f"A system has its own records; leave out {', '.join(given)}.")
        return expect_system(model)
    options = {name: value for name, value in options.items() if value is not None}
    if isinstance(model, (Outputs, Asked)):
        return _built(outputs, model, data, options)
    options["forget"] = forget
    torch = sys.modules.get("torch")  # who has made a module has imported torch
    if torch is not None and isinstance(model, torch.nn.Module):
        return _network(model, data, options)
    if hasattr(model, "fit") and hasattr(model, "get_params"):
        from vestige.systems.estimator_system import estimators

        return _built(estimators, model, data, options)
    if torch is not None and callable(model):  # a function that returns one
        return _network(model, data, options)
    raise InputError(
        f"model is of type {type(model).__name__}; a scikit-learn estimator, a torch.nn.Module or a function that "
        "returns one, a Hugging Face model, or a vestige.systems.System is wanted."
    )


def _built(build: Callable[..., System], model: Any, data: Any, options: dict[str, Any]) -> System:
    """Return the system that a builder makes. Raises `InputError` for an option that it does not have."""
    inner = ("model", "data", "forget", "build")
    known = [name for name in inspect.signature(build).parameters if name not in inner]
    for name in options:
        if name != "forget" and name not in known:
            raise InputError(unknown("option", name, known))
    return build(model, data, **options)


def _network(model: Any, data: Any, options: dict[str, Any]) -> System:
    if "tokenizer" in options:
        from vestige.systems.huggingface import transformers

        return _built(transformers, model, data, options)
    from vestige.systems.network import networks

    return _built(networks, model, data, options)
