"""What the methods of Krähenmann et al. 2023 share: settings, citation, and the retained samples that they look at."""

from __future__ import annotations

import numpy as np

from vestige.data.dataset import Dataset
from vestige.unlearning.work import Steps, Work

ETH = Steps(epochs=5, lr=0.001, nesterov=True, batch_size=128, augment="none")
CITES = "Krähenmann et al. 2023 (Forget with Precision)"
RETAIN_SHARE = 0.02


def retain_sample(retain: Dataset, work: Work) -> Dataset:
    """Return a random 2 % of the retained samples, at least one batch or all."""
    count = min(len(retain), max(round(RETAIN_SHARE * len(retain)), work.steps.batch_size))
    return retain.take(np.random.default_rng((work.seed, 13)).permutation(len(retain))[:count])
