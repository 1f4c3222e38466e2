"""Loading causal language models of the Hugging Face ecosystem: safetensors only, no foreign code unless asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vestige.errors import ArtefactError, InputError, need


def load_model(
    name: str | Path,
    *,
    gguf: str | None = None,
    remote_code: bool = False,
    device: str = "auto",
    dtype: str = "auto",
) -> tuple[Any, Any]:
    """Return (model, tokenizer) of a hub id or a folder, in evaluation mode.

    gguf         the file of quantised weights in the folder, which are turned into float32
    remote_code  run code that comes with the model; refused unless asked for
    device       "auto": a GPU where there is one; "spread": the layers over all GPUs, by accelerate, for what one
                 cannot hold
    dtype        "auto": bfloat16 on a GPU that computes in it, float32 elsewhere; or a name

    Raises `MissingExtra` without transformers, `ArtefactError` where files are missing, `InputError` where the model
    has no language-model head, or needs code of its own.
    """
    transformers = need("transformers", "llm", "Loading a language model")
    import torch

    from vestige.training import has_fast_bf16, pick_device

    where = pick_device("auto" if device == "spread" else device)
    if dtype == "auto":
        dtype = "bfloat16" if where.type == "cuda" and has_fast_bf16(where) else "float32"
    options: dict[str, Any] = {"trust_remote_code": remote_code}
    if device == "spread":
        need("accelerate", "llm", "Spreading a model over several GPUs")
        options["device_map"] = "auto"
    if gguf is not None:
        need("gguf", "llm", "Reading a GGUF file")
        options["gguf_file"] = gguf
    try:
        own = {k: v for k, v in options.items() if k != "device_map"}
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(name), **own)
        if gguf is None:
            options["use_safetensors"] = True
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            str(name), dtype=getattr(torch, dtype), output_loading_info=True, **options
        )
    except OSError as error:
        raise ArtefactError(f"{name}: {_first(error)}") from None
    except ValueError as error:
        if "trust_remote_code" in str(error):
            raise InputError(
                f"{name} comes with code of its own, which is not run unless you ask for it (remote_code=True); read "
                "it first."
            ) from None
        raise InputError(f"{name} is no causal language model: {_first(error)}") from None
    missing = sorted(key for key in info["missing_keys"] if "lm_head" in key or "embed_out" in key)
    if missing and not model.config.tie_word_embeddings:
        raise InputError(
            f"{name} has no language-model head ({missing[0]} is missing); a causal language model is wanted."
        )
    if (
        gguf is not None
    ):  # the weights are plain numbers now; saved, they shall not be taken for quantised ones
        model.hf_quantizer = None
        model.is_quantized = False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    return (model if device == "spread" else model.to(where)).eval(), tokenizer


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
