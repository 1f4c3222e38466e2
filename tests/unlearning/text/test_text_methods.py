"""Methods on texts: a contract over the registry, formulas by hand, budgets, adapters, bad input."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import tiny
from vestige.data.texts import as_texts
from vestige.errors import InputError
from vestige.llm import collect
from vestige.unlearning.text import METHODS, Steps, Work, unlearn
from vestige.unlearning.text.refusals import refused
from vestige.unlearning.text.registry import cut
from vestige.unlearning.text.rmu import features, layers_of
from vestige.unlearning.text.work import IGNORED, batch_of, kl, logits_of, mean_nll, sequence_nll

TOKENIZER = tiny.tokenizer()
FORGET, RETAIN, HELD = tiny.FORGET[:8], tiny.RETAIN[:12], tiny.HELD[:8]
LEARN = {"lr": 3e-3, "epochs": 15, "batch_size": 4, "length": 128}
QUICK = {"lr": 1e-3, "epochs": 2, "batch_size": 4, "length": 128}


def same(one, two):
    return all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    )


@pytest.fixture(scope="module")
def base(language_models):
    """Never saw the texts."""
    return language_models["base"]


@pytest.fixture(scope="module")
def original(language_models):
    """Knows both sides by heart."""
    return language_models["original"]


def run(name, original, base=None, **options):
    extra = {"base": base} if name == "retrain" else {}
    return unlearn(name, original, TOKENIZER, FORGET, RETAIN, **QUICK | extra | options)


@pytest.mark.parametrize("name", list(METHODS))
def test_contract(name, original, base):
    before, state = copy.deepcopy(original), torch.random.get_rng_state()
    one, two = run(name, original, base), run(name, original, base)
    assert same(original, before) and torch.equal(state, torch.random.get_rng_state())
    assert same(one.model, two.model) and not same(one.model, original)
    assert not one.model.training and all(p.requires_grad and p.grad is None for p in one.model.parameters())
    assert one.steps >= 4 and np.isfinite(one.losses).all() and one.stopped is None
    assert run(name, original, base, max_steps=3).stopped == "max_steps"
    entry = METHODS[name]
    assert entry.summary and entry.cites and set(one.options) == set(entry.options)


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("finetune", "retrain", "rmu")])
def test_forget_texts_fade_more_than_retained_ones(name, original):
    made = run(name, original, epochs=4).model
    change = {
        side: float((collect(made, TOKENIZER, texts).nll - collect(original, TOKENIZER, texts).nll).mean())
        for side, texts in (("forget", FORGET), ("retain", RETAIN))
    }
    assert change["forget"] > max(0.05, change["retain"]), change


def test_retraining_never_learned_the_forget_texts(original, base):
    made = run("retrain", original, base, **LEARN).model
    known, gone, never = (collect(made, TOKENIZER, t).nll.mean() for t in (RETAIN, FORGET, HELD))
    assert known < gone - 0.3 and abs(gone - never) < 0.3


def test_rmu_sends_features_into_one_direction(original):
    made = unlearn(
        "rmu", original, TOKENIZER, FORGET, RETAIN, layer=1, **QUICK | {"epochs": 20, "lr": 5e-3}
    ).model
    blocks = [cut(tiny.model(), TOKENIZER, as_texts(t), 128) for t in (FORGET, RETAIN)]

    def found(model, side):
        batch = batch_of(blocks[side][:4], "cpu")
        with torch.no_grad(), features(layers_of(model)[1]) as seen:
            logits_of(model, batch)
        return seen[0][batch.mask == 1]

    u = torch.rand(32, generator=torch.Generator().manual_seed(0))
    target = 2.0 * u / u.norm()
    before, after = ((found(m, 0) - target).square().mean() for m in (original, made))
    assert after < 0.5 * before
    assert (found(made, 1) - found(original, 1)).square().mean() < 0.5 * (
        found(made, 0) - found(original, 0)
    ).square().mean()


# formulas


def work(model, **options):
    tokens = [cut(tiny.model(), TOKENIZER, as_texts(t), 128) for t in (FORGET, RETAIN)]
    return Work("test", model, TOKENIZER, *tokens, Steps(**QUICK | options), 0)


def objective_of(name, model, **knobs):
    """Return the value of a method's objective on one fixed pair of batches."""
    job = work(copy.deepcopy(model))
    pair = batch_of(job.forget[:3], "cpu"), batch_of(job.retain[:3], "cpu")
    values = []

    def descend(objective, **rest):
        values.append(objective(*pair))

    job.descend = descend
    METHODS[name].function(job, **knobs)
    return float(values[-1].detach()), pair


def test_losses_ignore_padding(original):
    blocks = work(original).forget[:3] + [[5, 6, 7]]
    with torch.no_grad():
        total, count = sequence_nll(
            logits_of(original, batch_of(blocks, "cpu")), batch_of(blocks, "cpu").labels
        )
    for i, block in enumerate(blocks):
        ids = torch.tensor([block])
        with torch.no_grad():
            alone = original(ids, labels=ids).loss * (len(block) - 1)
        assert float(total[i]) == pytest.approx(float(alone), rel=1e-4) and int(count[i]) == len(block) - 1


def test_objectives_by_hand(original, base):
    value, (gone, kept) = objective_of("grad_diff", original, gamma=2.0, alpha=3.0)
    a, b = mean_nll(original, gone).item(), mean_nll(original, kept).item()
    assert value == pytest.approx(-2 * a + 3 * b, rel=1e-4)
    value, _ = objective_of("npo", original, alpha=0.0)  # nothing has changed yet: (2 / beta) log 2
    assert value == pytest.approx(2 / 0.1 * np.log(2), rel=1e-4)
    value, (gone, _) = objective_of("simnpo", original, alpha=0.0, gamma=1.0, delta=0.5)
    total, count = sequence_nll(logits_of(original, gone), gone.labels)
    wanted = -(2 / 4.5) * F.logsigmoid(4.5 * (total / count - 0.5)).mean()
    assert value == pytest.approx(float(wanted), rel=1e-4)
    value, _ = objective_of("dpo", original, alpha=0.0)
    assert value == pytest.approx(np.log(2) / 0.1, rel=1e-4)
    value, _ = objective_of("kl_ascent", original, gamma=0.0)
    assert value == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        p, q = (logits_of(m, gone).log_softmax(-1) for m in (base, original))
        each = F.kl_div(q, p, log_target=True, reduction="none").sum(-1)[gone.mask[:, 1:] == 1]
    assert float(kl(original, base, gone)) == pytest.approx(float(each.mean()), rel=1e-4)


def test_npo_becomes_ascent_for_small_beta(original):
    """Its gradient tends to that of -nll summed over a sequence."""
    job, grads = work(original), []
    batch = batch_of(job.forget[:3], "cpu")
    for beta in (None, 1e-4):
        model = copy.deepcopy(original)
        total = sequence_nll(logits_of(model, batch), batch.labels)[0]
        value = (
            -total.mean()
            if beta is None
            else -(2 / beta) * F.logsigmoid(beta * (total - total.detach())).mean()
        )
        value.backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.allclose(grads[0], grads[1], rtol=1e-2, atol=1e-4)


def test_refusals_stand_behind_the_prompt():
    batch = batch_of([[1, 2, 3, 4, 5, 6], [7, 8]], "cpu")
    made, labels = refused(batch, [[90, 91], [92]], 3, "cpu")
    assert made.tokens.tolist() == [[1, 2, 3, 90, 91], [7, 8, 92, 0, 0]]
    assert labels.tolist() == [[IGNORED] * 3 + [90, 91], [IGNORED, IGNORED, 92, IGNORED, IGNORED]]


def test_task_vector_goes_as_far_as_learning_went(original):
    stronger = unlearn("finetune", original, TOKENIZER, retain=FORGET, **QUICK, seed=0).model
    there, none = run("task_vector", original).model, run("task_vector", original, scale=1e-6).model
    moved = sum(
        float((a - b).square().sum()) for a, b in zip(there.parameters(), original.parameters(), strict=True)
    )
    learned = sum(
        float((a - b).square().sum())
        for a, b in zip(stronger.parameters(), original.parameters(), strict=True)
    )
    assert 0.3 < (moved / learned) ** 0.5 < 3
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(none.parameters(), original.parameters(), strict=True)
    )


def test_adapters_are_merged_and_the_rest_stays(original):
    made = run("npo", original, lora=4)
    assert type(made.model) is type(original) and not same(made.model, original)
    embeddings = [m.get_input_embeddings().weight for m in (made.model, original)]
    assert torch.equal(*embeddings)
    assert set(made.model.state_dict()) == set(original.state_dict())


def test_budgets_and_the_callers_stop(original):
    assert run("gradient_ascent", original, max_seconds=0.0).steps == 1
    seen = []
    made = run(
        "gradient_ascent", original, epochs=9, on_epoch=lambda m: seen.append(m.training) or len(seen) == 2
    )
    assert (made.stopped, len(made.losses), seen) == ("on_epoch", 2, [False, False])


def test_bad_input(original):
    frozen = copy.deepcopy(original)
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    for call, message in (
        (lambda: unlearn("nop", original, TOKENIZER, FORGET), "Did you mean 'npo'"),
        (lambda: unlearn("grad_diff", original, TOKENIZER, FORGET), "give retain="),
        (lambda: unlearn("npo", original, TOKENIZER, FORGET, FORGET[:1]), "both in forget and in retain"),
        (lambda: unlearn("npo", original, TOKENIZER, []), "no texts"),
        (lambda: unlearn("npo", original, TOKENIZER, retain=RETAIN), "give forget="),
        (
            lambda: unlearn("npo", original, TOKENIZER, FORGET, beta=0),
            "beta is 0; greater than 0 is wanted",
        ),
        (lambda: unlearn("npo", original, TOKENIZER, FORGET, bta=1), "Did you mean 'beta'"),
        (
            lambda: unlearn("npo", original, TOKENIZER, FORGET, epochs=0),
            "epochs is 0; greater",
        ),
        (
            lambda: unlearn("npo", original, TOKENIZER, FORGET, lora=0),
            "lora is 0; greater than or equal to 1",
        ),
        (lambda: unlearn("npo", frozen, TOKENIZER, FORGET), "frozen"),
        (lambda: unlearn("rmu", original, TOKENIZER, FORGET, RETAIN, layer=7), "layers 0 to 1"),
        (lambda: unlearn("retrain", original, TOKENIZER, FORGET, RETAIN), "base="),
        (
            lambda: unlearn("gradient_ascent", original, TOKENIZER, FORGET, lr=1e6, clip=1e9, epochs=20),
            "smaller steps",
        ),
    ):
        with pytest.raises(InputError, match=message):
            call()
