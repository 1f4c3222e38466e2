import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import oracles
from vestige.signals import transforms as t

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]])
LABELS = np.array([0, 1, 2])


def test_confidence_and_loss_are_softmax():
    p = oracles.softmax_confidence(LOGITS, LABELS)
    assert np.allclose(t.confidence(LOGITS, LABELS), p, rtol=1e-14)
    assert np.allclose(t.loss(LOGITS, LABELS), -np.log(p), rtol=1e-13)
    assert np.allclose(t.scaled_logit(LOGITS, LABELS), np.log(p / (1 - p)), rtol=1e-12, atol=1e-15)


def test_margin_by_hand():
    assert t.margin(LOGITS, LABELS).tolist() == [2.0, 0.0, -3.0]


def test_bounded_gumbel_constants_of_the_paper():
    # r(0), r(1) for (1e-2, 1e-5) are -2.4443 and 4.6062, for (1e-1, 1e-6) -2.6330 and 2.3026
    for eps1, eps2, low, high in ((1e-2, 1e-5, -2.4443, 4.6062), (1e-1, 1e-6, -2.6330, 2.3026)):
        half = -np.log(eps1 - np.log(0.5 + eps2))
        assert t.bounded_gumbel(np.array(0.5), eps1, eps2) == pytest.approx(
            (half - low) / (high - low), abs=2e-5
        )
    ends = t.bounded_gumbel(np.array([0.0, 1.0]))
    assert ends == pytest.approx([0, 1], abs=1e-14)


def test_bounded_gumbel_needs_room_at_one():
    with pytest.raises(ValueError, match="eps1"):
        t.bounded_gumbel(np.array(0.5), eps1=1e-6, eps2=1e-5)


def test_taylor_soft_margin_by_hand():
    # z = v / 2 = (1, 0), margin 0.6: T(0.4) = 1.490667 (three terms past 1), T(0) = 1
    own = 1 + 0.4 + 0.08 + 0.4**3 / 6
    assert t.taylor_soft_margin(np.array([[2.0, 0.0]]), np.array([0]))[0] == pytest.approx(
        own / (own + 1), rel=1e-14
    )
    # another logit of 4: z = 2, T(2) = 1 + 2 + 2 + 8 / 6
    other = 5 + 8 / 6
    assert t.taylor_soft_margin(np.array([[2.0, 4.0]]), np.array([0]))[0] == pytest.approx(
        own / (own + other), rel=1e-14
    )


@pytest.mark.parametrize("name", t.SIGNALS)
def test_shadow_axis_is_carried(name):
    stack = np.stack([LOGITS, LOGITS[::-1]])
    both = t.SIGNALS[name](stack, LABELS)
    assert both.shape == (2, 3) and np.array_equal(both[0], t.SIGNALS[name](LOGITS, LABELS))


@given(arrays(np.float64, (4, 5), elements=st.floats(-30, 30)), st.floats(-1e6, 1e6))
def test_a_constant_added_to_a_samples_logits_changes_nothing(logits, constant):
    labels = np.array([0, 1, 2, 4])
    for name in ("logloss", "probability", "scaled_logit", "negative_loss"):
        signal = t.SIGNALS[name]
        assert np.allclose(signal(logits, labels), signal(logits + constant, labels), rtol=1e-6, atol=1e-6)


def test_extreme_logits_stay_finite():
    logits = np.array([[1e30, 0.0, -1e30], [-1e30, 1e30, 0.0], [1e30, 1e30, 1e30]], np.float32)
    for name in ("logloss", "probability", "scaled_logit", "negative_loss"):
        assert np.isfinite(t.SIGNALS[name](logits, np.array([0, 0, 1]))).all()
    assert t.scaled_logit(logits, np.array([0, 0, 1]))[2] == pytest.approx(-np.log(2))
