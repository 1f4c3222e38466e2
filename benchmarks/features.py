"""Do features tell what outputs hide? Networks whose last layer alone forgot, beside exact retrains.

    python -m benchmarks.features [--worlds 20]

Location-30, random requests of 300 records, one shadow. Audited are exact retrains; originals whose last layer alone
was taught to say of the request what a model says that never saw it, and of retained records what it said before
("hidden"); and the untouched original. Printed are the worlds in which the verdict on outputs, and that on features,
finds a vestige, and what is left of the influence by each (median).
"""

from __future__ import annotations

import argparse
import copy
import sys

import numpy as np

import vestige
from benchmarks.worlds import STUDIES
from vestige.evaluation import Features
from vestige.signals import Signals, collect_features, collect_logits

NAME = "location30"
STEPS = 1500
RECIPE = vestige.Recipe(epochs=20, batch_size=64, lr=0.05)


def hidden(original, teacher, forget: vestige.Dataset, retain: vestige.Dataset):
    """Return the original with a last layer that says of `forget` what the teacher says; the others stay."""
    import torch
    from torch.nn import functional

    with torch.random.fork_rng():
        model = copy.deepcopy(original)
    x = torch.from_numpy(np.concatenate([collect_features(model, forget), collect_features(model, retain)]))
    said = np.concatenate([collect_logits(teacher, forget), collect_logits(original, retain)])
    wanted = torch.from_numpy(said).log_softmax(-1)
    head = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    step = torch.optim.Adam(head.parameters(), 0.05)
    groups = (slice(0, len(forget)), slice(len(forget), len(x)))  # which weigh alike
    for _ in range(STEPS):
        step.zero_grad()
        said_now = head(x).log_softmax(-1)
        sum(
            functional.kl_div(said_now[rows], wanted[rows], log_target=True, reduction="batchmean")
            for rows in groups
        ).backward()
        step.step()
    return model


def world(data: vestige.Dataset, seed: int) -> dict[str, tuple[Signals, Features]]:
    """Return signals and features of one split for each audited model."""
    study = STUDIES[NAME]
    counts, n, size = study.counts, study.forget, study.shadow
    split = vestige.make_split(data, "random", forget=n, seed=seed, **counts)

    def fit(rows: np.ndarray, number: int):
        fresh = vestige.build_model("mlp", data.shape, len(data.classes), seed=number, hidden=(512,))
        return vestige.train(fresh, data.take(rows), RECIPE.model_copy(update={"seed": number})).model

    original, shadow = fit(split.train, 10 * seed), fit(split.shadow[:size], 10 * seed + 1)
    teacher = fit(split.shadow[-size:], 10 * seed + 3)
    audited = {
        "retrain": fit(split.retain, 10 * seed + 2),
        "hidden": hidden(original, teacher, data.take(split.forget), data.take(split.retain)),
        "original": original,
    }
    parts = {"forget": split.forget, "retain": split.retain[:1000], "holdout": split.holdout}
    role = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    part = data.take(np.concatenate(list(parts.values())))
    said = {"original": collect_logits(original, part), "shadow_out": collect_logits(shadow, part)}
    held = {"original": collect_features(original, part), "shadow_out": (collect_features(shadow, part),)}
    return {
        name: (
            Signals(part.y, collect_logits(model, part), role=role, ids=part.ids, **said),
            Features(part.ids, collect_features(model, part), **held),
        )
        for name, model in audited.items()
    }


def main(worlds: int) -> None:
    data = vestige.load_dataset(NAME)
    rows: dict[str, list] = {}
    for seed in range(worlds):
        for name, (signals, features) in world(data, seed).items():
            result = vestige.audit(signals, ["random"], features=features)
            figures = {
                one: result.metric("features", one) for one in ("p_under", "influence_left", "probe_accuracy")
            }
            rows.setdefault(name, []).append((result.verdict, figures))
    print(
        "| audited | worlds | outputs: a vestige | left | features: p <= 2.5 % | left | probe, by a shadow |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, each in rows.items():
        left = [1 - verdict.completeness for verdict, _ in each if verdict.completeness is not None]
        inside = [figures["influence_left"].value for _, figures in each]
        probe = np.mean([[f["probe_accuracy"].value, f["probe_accuracy"].reference] for _, f in each], axis=0)
        cells = [
            name, len(each), sum(verdict.outcome == "under" for verdict, _ in each), f"{np.median(left):.2f}",
            sum(figures["p_under"].value <= 0.025 for _, figures in each),
            f"{np.median([value for value in inside if value is not None]):.2f}",
            f"{probe[0]:.0%}, {probe[1]:.0%}",
        ]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=20)
    sys.exit(main(parser.parse_args().worlds))
