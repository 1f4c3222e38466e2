"""Loading causal language models of the Hugging Face ecosystem: safetensors only, no foreign code unless asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vestige.arguments import checked
from vestige.errors import ArtefactError, InputError, MissingExtra, need, told, unknown
from vestige.files import parse_json, read_text

DTYPES = ("auto", "float32", "float64", "bfloat16", "float16")


@checked
def load_model(
    name: str | Path,
    *,
    gguf: str | None = None,
    remote_code: bool = False,
    device: str = "auto",
    dtype: str = "auto",
) -> tuple[Any, Any]:
    """Return (model, tokenizer) of a hub id or a folder, in evaluation mode.

    Raises `MissingExtra` without transformers, `ArtefactError` where files are missing or cannot be read, `InputError`
    where the model has no language-model head, or needs code of its own.

    Parameters
    ----------
    name : str or Path
        A folder of adapters (peft) is loaded with its base model, and merged into it.
    gguf : str or None
        The file of quantised weights in the folder, which are turned into float32.
    remote_code : bool
        Run code that comes with the model; refused unless asked for.
    device : str
        "auto": a GPU where there is one; "spread": the layers over all GPUs, by accelerate, for what one
        cannot hold.
    dtype : str
        "auto": bfloat16 on a GPU that computes in it, float32 elsewhere; or a name of a floating type.
    """
    if dtype not in DTYPES:
        raise InputError(unknown("dtype", dtype, DTYPES))
    folder = Path(name)
    if not str(name) or "\0" in str(name) or (_is_path(name) and not folder.is_dir()):
        raise ArtefactError(f"{str(name)!r}: no such folder of a model.")
    adapters = (folder / "adapter_config.json").is_file()
    if adapters:
        _expect_base(folder)
    elif folder.is_dir() and gguf is None and not (folder / "config.json").is_file():
        raise ArtefactError(
            f"{folder}: there is no config.json; a folder that model.save_pretrained wrote is wanted."
        )
    if gguf is not None and not (folder / gguf).is_file() and folder.is_dir():
        raise ArtefactError(f"{folder / gguf}: no such file.")
    transformers = need("transformers", "llm", "Loading a language model")
    import torch

    from vestige.models.device import has_fast_bf16, pick_device

    where = pick_device("auto" if device == "spread" else device)
    if dtype == "auto":
        dtype = "bfloat16" if where.type == "cuda" and has_fast_bf16(where) else "float32"
    options: dict[str, Any] = {"trust_remote_code": remote_code, "dtype": getattr(torch, dtype)}
    own: dict[str, Any] = {"trust_remote_code": remote_code}
    if device == "spread":
        need("accelerate", "llm", "Spreading a model over several GPUs")
        options["device_map"] = "auto"
    if gguf is not None:
        need("gguf", "llm", "Reading a GGUF file")
        options["gguf_file"] = own["gguf_file"] = gguf
    else:
        options["use_safetensors"] = True
    with _reading(name, "has no tokenizer that can be read; tokenizer.save_pretrained writes it"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(name), **own)
    with _reading(name):
        if adapters:
            peft = need("peft", "llm", "Loading adapters")
            model = peft.AutoPeftModelForCausalLM.from_pretrained(str(name), **options).merge_and_unload()
            model.requires_grad_(True)  # peft had frozen the base
        else:
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                str(name), output_loading_info=True, **options
            )
            _expect_head(name, model, info)
    if gguf is not None:
        _forget_quantisation(model)
    return (model if device == "spread" else model.to(where)).eval(), tokenizer


def _is_path(name: str | Path) -> bool:
    """Is it meant as a folder, rather than as a hub id, which has one slash at most?"""
    return isinstance(name, Path) or name.startswith(("/", ".", "~")) or "\\" in name or name.count("/") > 1


def _expect_base(folder: Path) -> None:
    """Raise `ArtefactError` where adapters do not say which model they belong to, or its folder is not there."""
    path = folder / "adapter_config.json"
    try:
        base = parse_json(read_text(path)).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise ArtefactError(f"{path} is no record of adapters: {told(error)}.") from None
    if not base or (_is_path(base) and not Path(base).is_dir()):
        of = f"the base model {base!r}, and there is no such folder" if base else "no base model"
        raise ArtefactError(
            f"{path} names {of}; write its folder there as base_model_name_or_path, or merge the adapters into it."
        )


@contextmanager
def _reading(name: str | Path, fault: str = "is no causal language model") -> Iterator[None]:
    """Turn what transformers raises into one sentence that names the model."""
    try:
        yield
    except (InputError, MissingExtra):
        raise
    except OSError as error:
        raise ArtefactError(f"{name}: {_first(error)}") from None
    except Exception as error:  # the parsers of half a dozen formats, each with errors of its own
        if "trust_remote_code" in str(error):
            raise InputError(
                f"{name} comes with code of its own, which is not run unless you ask for it (remote_code=True); read "
                "it first."
            ) from None
        if isinstance(error, ValueError):
            raise InputError(f"{name} {fault}: {_first(error)}") from None
        raise ArtefactError(f"{name} cannot be read as a language model: {_first(error)}") from error


def _expect_head(name: str | Path, model: Any, info: Mapping[str, Any]) -> None:
    missing = sorted(key for key in info["missing_keys"] if "lm_head" in key or "embed_out" in key)
    if missing and not model.config.tie_word_embeddings:
        raise InputError(
            f"{name} has no language-model head ({missing[0]} is missing); a causal language model is wanted."
        )
    weights = sorted(set(info["missing_keys"]) - set(missing))
    if weights and not missing:
        raise ArtefactError(
            f"{name}: {len(weights)} weights are missing, among them {weights[0]}; they would be random."
        )


def _forget_quantisation(model: Any) -> None:
    """The weights are plain numbers now; saved, they shall not be taken for quantised ones."""
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
