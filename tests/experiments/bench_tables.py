"""A table so small that it is filled in seconds, for the tests of the bench."""

from __future__ import annotations

import yaml

BLOCK = {
    "data": {"name": "digits"},
    "counts": {"train": 200, "holdout": 100, "shadow": 400, "shadow_size": 200},
    "model": {"name": "mlp", "hidden": [16]},
    "recipe": {"epochs": 3, "batch_size": 32, "lr": 0.05},
}


TINY = {
    "name": "tiny", "title": "A tiny table", "source": "the tests", "kind": "separation", "figure": "auc", "percent": True,
    "favourite": "IAM-On",
    "measures": {
        "Random": "random", "LiRA-On": "lira_online", "IAM-On": {"name": "iam", "mode": "online"},
    },
    "published": {"digits · random": {"Random": 50.0, "LiRA-On": 63.41, "IAM-On": 67.10}},
    "small": {
        "splits": 3, "shadows": 3, "blocks": {"digits": BLOCK},
        "requests": {"random": {"scenario": "random", "forget": 40}},
    },
}  # fmt: skip


def tiny(folder, **changes):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return path
