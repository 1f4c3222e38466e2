"""Fitted estimators in files that run no code when they are read, and estimators described by what decides a result.

Files are written by skops: arrays, and names of types with their attributes. A type is made again where it is

    one that skops trusts: scikit-learn's public estimators, NumPy's types, plain values
    a class, not a function, of scikit-learn, NumPy, SciPy, pandas, LightGBM, XGBoost or vestige
    part of the estimator that the system was given, such as a transformer of the user's own
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from vestige.errors import InputError, told
from vestige.store import array_hash, key_of
from vestige.systems.tables import is_sparse, sparse_hash

FILE = "model.skops"
LIBRARIES = ("sklearn", "numpy", "scipy", "pandas", "lightgbm", "xgboost", "vestige")
HARMLESS = {"builtins.object", "collections.OrderedDict", "collections.defaultdict"}


def save_estimator(model: Any, folder: Path) -> None:
    """Write an estimator to a folder. Raises `InputError` where a part has no name to be found by, such as a lambda."""
    kind, remedy = type(model).__name__, "Write a System of your own, with save and load."
    try:
        skops.io.dump(model, folder / FILE)
        nameless = [name for name in skops.io.get_untrusted_types(file=folder / FILE) if _value(name) is None]
    except Exception as error:  # foreign code: a part of the user's model has no form
        raise InputError(f"{kind} cannot be kept in a file: {told(error, 300)}. {remedy}") from error
    if nameless:
        raise InputError(
            f"{kind} cannot be kept in a file, for {nameless[0]} has no name in its module; define it there. {remedy}"
        )


def load_estimator(folder: Path, like: Any) -> Any:
    """Return the estimator that a folder holds.

    Parameters
    ----------
    like : Any
        An estimator of the user's, whose types are trusted besides those of the libraries.

    Raises
    ------
    InputError
        For a file that names other types, and for one that cannot be read.
    """
    path = folder / FILE
    try:
        named = skops.io.get_untrusted_types(file=path)
        trusted = [name for name in named if _of_library(name) or name in HARMLESS]
        if len(trusted) < len(named):
            own = _types_of(like)
            trusted = [name for name in named if name in trusted or name in own]
        strange = sorted(set(named) - set(trusted))
        if not strange:
            return skops.io.load(path, trusted=trusted)
    except InputError:
        raise
    except Exception as error:  # foreign code: a damaged file, a class that is no longer there
        raise InputError(f"{path}: the model cannot be read ({told(error, 300)}).") from error
    raise InputError(
        f"{path}: the file names {', '.join(strange[:5])}, which is no part of the model that the system was given; it "
        "is not loaded, for it may run foreign code."
    )


def _types_of(model: Any) -> set[str]:
    """Return the types and functions that an estimator is made of, and all classes of its own modules."""
    names = set(skops.io.get_untrusted_types(data=skops.io.dumps(model)))
    for name in list(names):
        module = sys.modules.get(name.rpartition(".")[0])
        if module is not None and module.__name__.partition(".")[0] not in (
            *sys.stdlib_module_names,
            *LIBRARIES,
        ):
            names |= {
                f"{module.__name__}.{key}" for key, value in vars(module).items() if _is_own(value, module)
            }
    return names


def _is_own(value: Any, module: Any) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _of_library(name: str) -> bool:
    """Is it a class of a library that is known? Functions, which may do anything, are not."""
    return name.partition(".")[0] in LIBRARIES and isinstance(_value(name), type)


def _value(name: str) -> Any:
    """Return what a full name means, None where there is nothing."""
    module, _, last = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last, None)
    except ImportError:
        return None


def described(value: Any) -> Any:
    """Return what an estimator, or a parameter of one, is, as JSON allows it: the same in every process."""
    if isinstance(value, BaseEstimator) or (hasattr(value, "get_params") and not isinstance(value, type)):
        parameters = value.get_params(deep=False)
        return [_coded(type(value)), {name: described(parameters[name]) for name in sorted(parameters)}]
    if isinstance(value, (list, tuple)):
        return [described(one) for one in value]
    if isinstance(value, dict):
        return {str(key): described(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return array_hash(value)
    if is_sparse(value):
        return sparse_hash(value)
    if isinstance(value, type) or callable(value):
        return [
            _coded(value),
            described(vars(value)) if hasattr(value, "__dict__") and not _is_code(value) else None,
        ]
    if " at 0x" in (text := repr(value)):
        return [_coded(type(value)), described(vars(value)) if hasattr(value, "__dict__") else None]
    return text


def _is_code(value: Any) -> bool:
    return inspect.isroutine(value) or isinstance(value, type)


def _coded(value: Callable[..., Any] | type) -> str:
    """Return the name of a class or function, with a hash of its source where it is the user's own."""
    module = getattr(value, "__module__", None) or ""
    name = f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    if module.partition(".")[0] in (*LIBRARIES, *sys.stdlib_module_names) and module != "__main__":
        return name
    try:
        return f"{name} {key_of(inspect.getsource(value))}"
    except (OSError, TypeError):  # typed at a prompt, or compiled
        return name


def versions_of(model: Any) -> dict[str, str]:
    """Return the versions of the libraries that an estimator's classes come from."""
    names, pending = {"numpy", "sklearn"}, [model]
    while pending:
        value = pending.pop()
        names.add(type(value).__module__.partition(".")[0])
        inner = value.get_params(deep=False).values() if hasattr(value, "get_params") else ()
        for one in inner:
            pending += [one] if hasattr(one, "get_params") and not isinstance(one, type) else []
            pending += (
                [part for step in one for part in step if hasattr(part, "get_params")] if _steps(one) else []
            )
    found = {name: getattr(sys.modules.get(name), "__version__", "") for name in sorted(names)}
    return {name: str(version) for name, version in found.items() if version}


def _steps(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(step, tuple) for step in value)
