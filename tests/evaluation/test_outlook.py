"""The outlook is as sharp as an audit of such a world is."""

from __future__ import annotations

import numpy as np
import pytest

from vestige.errors import InputError
from vestige.evaluation.outlook import outlook, outlooks, pilot


def test_a_model_that_remembers_more_gives_a_sharper_verdict():
    views = [outlook(60, 300, 300, gap=gap, worlds=3) for gap in (0.0, 2.0, 8.0)]
    left = [view.left_at_most for view in views]
    assert left == sorted(left, reverse=True) and left[0] == 1.0 and left[2] < 0.1
    assert [view.finds_untouched for view in views][::2] == [0.0, 1.0]
    assert views[2].unlearned >= 2 / 3 and views[0].unlearned == 0
    assert "8 shadow models" not in views[2].sentence and "60 records" in views[2].sentence


def test_a_pilot_finds_gap_and_ease_of_a_known_world():
    rng = np.random.default_rng(0)
    easy, noise = rng.normal(0, 3, 40_000), rng.normal(0, 1.5, (3, 40_000))
    gap, ease = pilot(easy + noise[0] + 6, easy + noise[1], easy + noise[2])
    assert gap == pytest.approx(4, rel=0.05) and ease == pytest.approx(2, rel=0.05)


def test_pilots_that_are_one_have_no_endless_gap():
    same = np.arange(10.0)
    gap, _ = pilot(same + 1, same, same)
    assert 0 < gap < 100


def test_more_shadows_are_looked_at_too():
    assert [view.shadows for view in outlooks(20, 50, 50, 4.0, 1.0, 2, worlds=1)] == [2, 3, 8]


@pytest.mark.parametrize("change", [{"alpha": 0.0001}, {"tolerance": 2.0}, {"gap": -1.0}, {"worlds": 0}])
def test_bad_options_are_refused(change):
    with pytest.raises(InputError):
        outlook(20, 50, 50, **change)
