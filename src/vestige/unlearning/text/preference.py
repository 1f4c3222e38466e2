"""Forgetting as a preference: the forget texts are what is not preferred.

    npo     (2 / beta) mean log(1 + (p / p_0)^beta)                          Zhang et al. 2024
    simnpo  (2 / beta) mean log(1 + exp(-beta (nll / tokens - delta)))       Fan et al. 2024
    dpo     -(1 / beta) mean log sigma(beta (log p/p_0 (refusal) - log p/p_0 (forget)))   Rafailov et al. 2023

p of a whole sequence, p_0 the original's. With `alpha` above 0 and retained texts, alpha nll(retain) is added. Unlike
ascent they flatten out as the texts fade: NPO in relation to the original, SimNPO by the loss a token alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.unlearning.text.registry import register
from vestige.unlearning.text.work import IGNORED, Batch, Work, batch_of, logits_of, mean_nll, sequence_nll

if TYPE_CHECKING:
    from torch import Tensor

REFUSALS = (
    "I do not know about that.",
    "I have no information on this.",
    "I am not able to answer that.",
    "That is not something I can tell you.",
)
NPO, SIMNPO = "Zhang et al. 2024 (NPO)", "Fan et al. 2024 (SimNPO)"
DPO = "Rafailov et al. 2023 (DPO), as in TOFU (Maini et al. 2024)"


@register("npo", needs=("forget",), cites=NPO)
def npo(work: Work, *, beta: float = 0.1, alpha: float = 1.0) -> None:
    """Negative preference: push forget sequences below their likelihood under the original, ever more gently.

    beta   inverse temperature; towards 0 it becomes gradient ascent
    alpha  weight of the loss on retained texts, where there are any
    """
    import torch
    import torch.nn.functional as F

    _expect_above_zero("npo", beta=beta)
    original = work.frozen()

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        with torch.no_grad():
            before = sequence_nll(logits_of(original, forget), forget.labels)[0]
        after = sequence_nll(logits_of(work.model, forget), forget.labels)[0]
        value = -(2 / beta) * F.logsigmoid(beta * (after - before)).mean()
        return value + (alpha * mean_nll(work.model, retain) if retain is not None else 0)

    work.descend(objective)


@register("simnpo", needs=("forget",), cites=SIMNPO)
def simnpo(
    work: Work, *, beta: float = 4.5, delta: float = 0.0, gamma: float = 0.125, alpha: float = 1.0
) -> None:
    """Negative preference by the mean token loss, without a reference model.

    delta  loss in nats above which a sequence counts as forgotten
    gamma  weight of forgetting; alpha: of the loss on retained texts, where there are any
    """
    import torch.nn.functional as F

    _expect_above_zero("simnpo", beta=beta)

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        total, count = sequence_nll(logits_of(work.model, forget), forget.labels)
        value = -gamma * (2 / beta) * F.logsigmoid(beta * (total / count - delta)).mean()
        return value + (alpha * mean_nll(work.model, retain) if retain is not None else 0)

    work.descend(objective)


@register("dpo", needs=("forget",), cites=DPO)
def dpo(work: Work, *, beta: float = 0.1, alpha: float = 1.0, prompt: int = 16) -> None:
    """Prefer a refusal to how a forget text goes on after its first tokens.

    prompt  tokens of a block that stand before the answer; the rest of the block is the answer
    """
    import torch
    import torch.nn.functional as F

    _expect_above_zero("dpo", beta=beta)
    original = work.frozen()
    refusals = [work.tokenizer(" " + text, add_special_tokens=False)["input_ids"] for text in REFUSALS]

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        chosen, wanted = refused(forget, refusals, prompt, work.device)
        rejected = forget.labels.clone()
        rejected[:, :prompt] = IGNORED
        with torch.no_grad():
            before = (
                sequence_nll(logits_of(original, chosen), wanted)[0],
                sequence_nll(logits_of(original, forget), rejected)[0],
            )
        after = (
            sequence_nll(logits_of(work.model, chosen), wanted)[0],
            sequence_nll(logits_of(work.model, forget), rejected)[0],
        )
        margin = (before[0] - after[0]) - (before[1] - after[1])
        value = -(1 / beta) * F.logsigmoid(beta * margin).mean()
        return value + (alpha * mean_nll(work.model, retain) if retain is not None else 0)

    work.descend(objective)


@register("refusal", needs=("forget",), cites="IdkNLL, as in TOFU (Maini et al. 2024)")
def refusal(work: Work, *, alpha: float = 1.0, prompt: int = 16) -> None:
    """Learn to answer the beginning of a forget text with a refusal.

    prompt  tokens of a block that stand before the answer
    """
    refusals = [work.tokenizer(" " + text, add_special_tokens=False)["input_ids"] for text in REFUSALS]

    def objective(forget: Batch, retain: Batch | None) -> Tensor:
        chosen, wanted = refused(forget, refusals, prompt, work.device)
        total, count = sequence_nll(logits_of(work.model, chosen), wanted)
        value = total.sum() / count.sum()
        return value + (alpha * mean_nll(work.model, retain) if retain is not None else 0)

    work.descend(objective)


def refused(forget: Batch, refusals: list[list[int]], prompt: int, device: Any) -> tuple[Batch, Tensor]:
    """Return the prompts with a refusal behind each, and labels of the refusals alone."""
    rows = [
        forget.tokens[i, : min(prompt, int(forget.mask[i].sum()))].tolist() for i in range(len(forget.tokens))
    ]
    answers = [refusals[i % len(refusals)] for i in range(len(rows))]
    batch = batch_of([row + answer for row, answer in zip(rows, answers, strict=True)], device)
    labels = batch.labels.clone()
    for i, row in enumerate(rows):
        labels[i, : len(row)] = IGNORED
    return batch, labels


def _expect_above_zero(name: str, **values: float) -> None:
    for knob, value in values.items():
        if not value > 0:
            raise InputError(f"{name}: {knob} is {value}; above 0 is wanted.")
