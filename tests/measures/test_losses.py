"""Measures on texts: published AUCs, closed forms, direction, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vestige
from vestige import llm
from vestige.errors import InputError, MissingArray
from vestige.evaluation import auc
from vestige.measures import MEASURES
from vestige.signals.transforms import of_losses

NAMES = ("loss", "ratio", "linear_gap", "lira_online", "rmia_ratio", "iam")


def texts(n=200, seed=0):
    """Losses before (fit) below those of a reference (out)."""
    rng = np.random.default_rng(seed)
    out = rng.gamma(8, 0.3, n)
    return out * rng.uniform(0.3, 0.6, n), out


@pytest.fixture(scope="module")
def published(reference):
    def column(name):
        return np.loadtxt(reference / "iam_llm" / f"{name}.txt", skiprows=1)

    arrays = {"nll": column("nlloss"), "fit": column("fitRef_nlloss"), "out": column("ref_nlloss")}
    return column("label"), arrays


@pytest.mark.parametrize(
    "name,value", [("iam", 0.9355), ("lira_online", 0.9299), ("loss", 0.8747), ("ratio", 0.9124)]
)
def test_published_aucs_to_every_digit(published, name, value):
    labels, arrays = published
    scores = llm.measure(name, preset="paper", **arrays)
    assert round(auc(scores[labels == 0], scores[labels == 1]), 4) == value


def test_the_recommended_iam_does_not_saturate(published):
    labels, arrays = published
    arrays = arrays | {
        "nll": arrays["fit"]
    }  # an untouched model: the published score is 1e-16 from 0 for many
    scores = llm.measure("iam", **arrays)
    repeated = 1 - len(np.unique(np.stack(list(arrays.values())), axis=1).T) / len(labels)
    assert 1 - len(np.unique(scores)) / len(scores) <= repeated + 1e-4 < 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["recommended", "paper"])
def test_larger_is_more_unlearned(name, preset):
    fit, out = texts()
    kept = llm.measure(name, preset=preset, nll=fit, fit=fit, out=out)
    gone = llm.measure(name, preset=preset, nll=out, fit=fit, out=out)
    assert (gone > kept).all()


def test_iam_is_its_formula():
    """The published sum over steps, written as arrays."""
    fit, out = texts(50)
    nll = (fit + out) / 2

    def g(x):
        return -np.log(0.1 - np.log(1e-5 + 1 - np.exp(-x)))

    a = np.arange(1000)[:, None] / 999
    x = g(fit) + a * (g(out) - g(fit))
    beta = np.sqrt(6) * x.std(axis=1, keepdims=True) / np.pi
    f = np.exp(-np.exp(-(g(nll) - x + 0.5772 * beta) / beta))[:-1]
    wanted = (a[1:] * f).sum(axis=0) / a[1:].sum()
    assert np.allclose(llm.measure("iam", preset="paper", nll=nll, fit=fit, out=out), wanted, atol=1e-12)


def test_closed_forms():
    nll, fit, out = np.array([1.0]), np.array([0.5]), np.array([2.0])
    assert llm.measure("linear_gap", nll=nll, fit=fit, out=out)[0] == pytest.approx(1 / 3)
    assert llm.measure("ratio", nll=nll, out=out)[0] == 0.5
    wanted = np.log((np.exp(-0.5) + np.exp(-2)) / 2) + 1
    assert llm.measure("rmia_ratio", nll=nll, fit=fit, out=out)[0] == pytest.approx(wanted)
    h = {x: -x - np.log(1 - np.exp(-x)) for x in (0.5, 1.0, 2.0)}
    wanted = ((h[1.0] - h[0.5]) ** 2 - (h[1.0] - h[2.0]) ** 2) / 2e-60
    assert llm.measure("lira_online", preset="paper", nll=nll, fit=fit, out=out)[0] == pytest.approx(wanted)


@given(seed=st.integers(0, 1000))
def test_order_does_not_matter(seed):
    """With one scale over all texts; the published batches of 64 do depend on it."""
    fit, out = texts(70, seed)
    nll = np.sqrt(fit * out)
    order = np.random.default_rng(seed).permutation(70)
    for name in NAMES:
        first = llm.measure(name, nll=nll, fit=fit, out=out)
        assert np.allclose(llm.measure(name, nll=nll[order], fit=fit[order], out=out[order]), first[order])


def test_bad_input():
    fit, out = texts(10)
    for call, message in (
        (lambda: llm.measure("iam", nll=fit, fit=fit), "iam needs `out`"),
        (lambda: llm.measure("iamm", nll=fit), "Did you mean 'iam'"),
        (lambda: llm.measure("iam", nll=fit, fit=fit, out=out[:4]), "speaks of|one loss a text"),
        (lambda: llm.measure("loss", nll=-fit), "finite loss of 0 or more"),
        (lambda: llm.measure("loss", nll=fit * np.nan), "finite loss of 0 or more"),
        (lambda: llm.measure("iam", nll=fit, fit=out * 0 + 1, out=out * 0 + 1), "same loss on all samples"),
        (lambda: llm.measure("iam", nll=fit[:1], fit=fit[:1], out=out[:1]), "same loss on all samples"),
        (
            lambda: llm.measure("iam", nll=fit, fit=fit, out=out, batch=1),
            "batch is 1; greater than or equal to 2 is wanted",
        ),
        (lambda: llm.measure("lira_online", nll=fit, fit=fit, out=out * 0 + 1), "no scale"),
    ):
        with pytest.raises((InputError, MissingArray), match=message):
            call()
    zero = np.zeros(10)
    for name in NAMES:
        assert np.isfinite(llm.measure(name, nll=zero, fit=fit, out=out)).all()


def test_rmia_online_by_hand():
    """pr = p / mean of the references' p; the share of other texts with pr(x) / pr(z) > gamma, turned."""
    rng = np.random.default_rng(0)
    fit, out = texts(50)
    nll = out * rng.uniform(0.5, 1, 50)
    population = np.stack([out, fit, out], axis=1)[:20] * rng.uniform(0.8, 1.2, (20, 3))

    def pr(a, b, c):
        return np.exp(-a) / ((np.exp(-b) + np.exp(-c)) / 2)

    for preset, gamma in (("recommended", 1), ("paper", 2)):
        found = llm.measure("rmia_online", preset=preset, nll=nll, fit=fit, out=out, population=population)
        above = pr(nll, fit, out)[:, None] / pr(*population.T)[None] > gamma
        assert found == pytest.approx(1 - above.mean(axis=1))
    with pytest.raises(InputError, match="three losses a text"):
        llm.measure("rmia_online", nll=nll, fit=fit, out=out, population=nll)


def test_a_measure_of_texts_is_that_of_samples():
    """A text is a sample of two classes with the probability exp(-loss); its measure is the one of that name."""
    fit, out = texts(60)
    losses = {"nll": np.sqrt(fit * out), "fit": fit, "out": out}
    signals = vestige.Signals(
        np.zeros(60, int), of_losses(losses["nll"]), original=of_losses(fit), shadow_out=of_losses(out)
    )
    for name in ("iam", "linear_gap", "lira_online", "rmia_ratio"):
        preset = "texts" if "texts" in MEASURES[name].presets else "recommended"
        scores = vestige.measure(name, signals, preset=preset)
        assert np.array_equal(llm.measure(name, **losses), scores), name
    whole = vestige.measure("iam", signals, preset="texts", batch=60)
    with pytest.raises(InputError, match="shadow"):
        vestige.measure("iam", signals, towards="shadows")
    assert np.array_equal(whole, llm.measure("iam", **losses))
    assert not np.array_equal(llm.measure("iam", **losses, batch=20), whole)
    assert (
        MEASURES["iam"].unit_of(MEASURES["iam"].resolve({}, "texts")) == "log-odds"
    )  # and no bounds, as a score of 0 to 1 has
    assert MEASURES["iam"].range_of({"output": "log_odds"}) == (None, None)
    assert MEASURES["iam"].range_of({"output": "score"}) == (0, 1)


def test_what_reads_texts_alone_is_not_asked_of_samples():
    with pytest.raises(InputError, match="min_k reads texts, not samples"):
        vestige.measure("min_k", vestige.Signals([0, 1], [[1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(InputError, match="no text measure 'samia'"):
        llm.measure("samia", nll=[1.0])
    assert "samia" not in llm.MEASURES and "min_k" in llm.MEASURES and len(llm.MEASURES) == 16
