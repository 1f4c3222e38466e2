"""Random labels: which labels are drawn."""

from __future__ import annotations

import numpy as np
from small import DATA, SPLIT

from vestige.unlearning.random_labels import joined, relabelled


def test_drawn_labels():
    rows = DATA
    for epoch in range(50):
        assert (relabelled(rows, 0, epoch).y != rows.y).all()
    drawn = np.concatenate([relabelled(rows, 0, e, true_label=True).y == rows.y for e in range(200)])
    assert abs(drawn.mean() - 1 / 3) < 0.01  # published: the true label one time in C
    assert not np.array_equal(relabelled(rows, 0, 1).y, relabelled(rows, 0, 2).y)
    both = joined(SPLIT.rows("forget"), SPLIT.rows("retain"))
    assert len(both) == 120 and both.ids[0] == DATA.ids[SPLIT.forget[0]]
