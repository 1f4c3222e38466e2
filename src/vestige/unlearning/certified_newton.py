"""Certified removal: one Newton step for linear models, with the (epsilon, delta) that it guarantees.

The noise b, drawn before training, hides what a step leaves over; a model trained without it has no guarantee, whatever
its residual. So: `CertifiedLinear` carries a certificate; scikit-learn's LogisticRegression gets the same Newton
step, and no claim. More than two classes: one against the rest, each with its own noise, and the budgets add up. Both
presets are the same. The bound is computed from the data; the residual itself is given beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from vestige.arguments import Between, NotNegative, Positive, fitting
from vestige.data.split import Split
from vestige.errors import InputError
from vestige.estimators import flat, labels_for
from vestige.unlearning.registry import register
from vestige.unlearning.work import Work

if TYPE_CHECKING:
    from vestige.data.dataset import Dataset

Floats = NDArray[np.float64]
Loss = Literal["logistic", "squared"]
GAMMA = {"logistic": 0.25, "squared": 0.0}  # how fast the loss's second derivative changes, at most
STATIONARY = 1e-4  # gradient a sample at which a fitted LogisticRegression counts as converged
EXACT = 1e-7  # the same for a CertifiedLinear, which is fitted to the last digit


@dataclass(frozen=True)
class Certificate:
    """What a certified removal guarantees, over all removals from this model so far.

    Attributes
    ----------
    epsilon, delta : float
        Of certified removal; smaller = the removed model is closer to one that never saw the samples.
    bound : float
        Sum of the bounds on the gradient's residual that epsilon follows from.
    residual : float
        The residual of the last removal itself.
    removed : int
        Samples removed so far.
    """

    epsilon: float
    delta: float
    bound: float
    residual: float
    removed: int


class CertifiedLinear(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear classifier whose objective is perturbed, so that samples can be removed from it with a guarantee.

    No intercept: append a column of ones where one is wanted, so that it is penalised like the rest.

    Parameters
    ----------
    loss : {"logistic", "squared"}
        "logistic": logistic regression; "squared": least squares (ridge regression) on targets -1 and 1.
    lam : float
        Strength of the l2 penalty per sample.
    sigma : float
        Deviation of the noise in the objective; 0 = no guarantee.
    seed : int
        Of the noise.
    """

    def __init__(self, lam: float = 1e-3, sigma: float = 1.0, seed: int = 0, loss: Loss = "logistic") -> None:
        self.lam, self.sigma, self.seed, self.loss = lam, sigma, seed, loss

    def fit(self, x: Any, y: Any) -> CertifiedLinear:
        """Fit one weight vector per class (one in all for two classes)."""
        x, y = np.asarray(x, np.float64), np.asarray(y)
        fitting("CertifiedLinear", "lam", self.lam, Positive)
        fitting("CertifiedLinear", "sigma", self.sigma, NotNegative)
        fitting("CertifiedLinear", "loss", self.loss, Loss)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise InputError("CertifiedLinear needs samples of at least two classes.")
        rng = np.random.default_rng((self.seed, 43))
        signs = self.signs(y)
        self.noise_ = self.sigma * rng.normal(size=(len(signs), x.shape[1]))
        self.coef_ = np.stack(
            [_minimum(x, s, self.lam * len(x), b, self.loss) for s, b in zip(signs, self.noise_, strict=True)]
        )
        self.bound_, self.removed_ = 0.0, 0
        self.certificate_: Certificate | None = None
        return self

    def signs(self, y: Any) -> Floats:
        """Return targets -1 or 1, a row per weight vector."""
        classes = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        return np.stack([np.where(np.asarray(y) == c, 1.0, -1.0) for c in classes])

    def predict_proba(self, x: Any) -> Floats:
        """Return class probabilities [N, C]; with more than two classes, normalised over one-against-rest."""
        v = np.asarray(x, np.float64) @ self.coef_.T
        p = expit(v) if self.loss == "logistic" else np.clip((1 + v) / 2, 1e-6, 1 - 1e-6)
        if len(self.classes_) == 2:
            return np.concatenate([1 - p, p], axis=1)
        return np.asarray(p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300))

    def predict(self, x: Any) -> Any:
        """Return the likeliest class of every row."""
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def refuses(model: Any) -> str:
    """Return why the step is not derived for a model, fitted or not; "" for logistic regression with an l2 penalty."""
    penalty = getattr(model, "penalty", None)
    if isinstance(model, CertifiedLinear) or (
        hasattr(model, "C") and not getattr(model, "l1_ratio", None) and penalty not in ("l1", None)
    ):
        return ""
    return (
        f"certified_newton works on logistic regression with an l2 penalty; this is {type(model).__name__}"
        f"{'' if penalty is None else f' with penalty {penalty!r}'}."
    )


@register(
    "certified_newton",
    needs=("forget", "retain"),
    worlds=("sklearn",),
    cites="Guo et al. 2020 (Certified Removal)",
    refuses=refuses,
)
def certified_newton(
    model: Any, split: Split, work: Work, *, delta: Between = 1e-4, max_epsilon: NotNegative | None = None
) -> Any:
    r"""One Newton step off the forget samples, with a certificate where the model was trained for it.

    A `CertifiedLinear` comes back with `certificate_`. A fitted LogisticRegression with an l2 penalty gets the same
    step and no certificate. Raises `InputError` for other models, and where the model is not at its own minimum, as
    the derivation needs.

    Parameters
    ----------
    delta : float
        Of the certificate.
    max_epsilon : float or None
        Refuse where epsilon would exceed this; then retrain.

    Notes
    -----
    .. math::

        \min_w \; \sum_{i} \ell(y_i w^\top x_i) + \tfrac{\lambda n}{2} |w|^2 + b^\top w, \quad b \sim
        \mathcal{N}(0, \sigma^2 I)

    .. math::

        w \leftarrow w + H^{-1} \Delta, \qquad \Delta = \lambda w + \sum_{i \in D_f} \nabla \ell(y_i w^\top
        x_i)

    .. math::

        |\nabla L_{D_r}(w)| \le \gamma \, |X|_2 \, |H^{-1} \Delta|_2 \, |X H^{-1} \Delta|_2, \qquad
        \varepsilon = c \, \frac{\sum \mathrm{bounds}}{\sigma}, \quad \delta = 1.5 \, e^{-c^2 / 2}

    The first line is the training, with the noise b; the second the removal, with the Hessian H without D_f;
    the third the bound on the gradient that is left, and the certificate. The loss is logistic, with gamma =
    1/4, or squared, with gamma = 0: its step lands on the minimum, and what is left is rounding.

    **When to use.** For linear models that were trained for it by `CertifiedLinear`, where a guarantee is
    asked for and the request is small beside the data. It is the one method here whose result comes with a
    proof.

    **When it fails.** Without the noise in training there is no guarantee, whatever the residual: of
    scikit-learn's LogisticRegression it takes the same step and claims nothing. The budgets of the classes
    add up, so that many classes make epsilon large; `max_epsilon` refuses then. No table of the lab book
    measures it: five removals agree with the authors' code, and their bounds to seven digits.

    **Cost.** One Hessian and one linear system: as one step of Newton's method in training, which takes a
    handful.

    References
    ----------
    Guo, Goldstein, Hannun, van der Maaten: Certified Data Removal from Machine Learning Models. ICML 2020,
    arXiv 1911.03030.

    Examples
    --------
    >>> import numpy as np
    >>> import vestige
    >>> from vestige.unlearning.certified_newton import CertifiedLinear
    >>> data = vestige.load_dataset("digits")
    >>> x = (data.x.reshape(len(data), -1) / 255 / 8).astype(np.float32)
    >>> flat = vestige.Dataset("flat", x, data.y, data.ids, data.classes)
    >>> split = vestige.make_split(flat, "random", forget=2, train=110, holdout=5, shadow=5, seed=0)
    >>> rows = flat.take(split.train)
    >>> linear = CertifiedLinear(lam=0.05, sigma=2.0).fit(rows.x, rows.y)
    >>> from vestige.methods import certified_newton
    >>> certified_newton(linear, split).model.certificate_.epsilon > 0
    True
    """
    forget, retain = split.rows("forget"), split.rows("retain")
    work.spend(len(retain))
    if isinstance(model, CertifiedLinear):
        return _certified(model, forget, retain, delta, max_epsilon)
    if max_epsilon is not None:
        raise InputError(
            f"certified_newton: {type(model).__name__} was trained without noise in its objective, so no epsilon can "
            "be promised; train a vestige.unlearning.certified_newton.CertifiedLinear."
        )
    return _plain(model, forget, retain)


def _certified(
    model: CertifiedLinear, forget: Dataset, retain: Dataset, delta: float, max_epsilon: float | None
) -> CertifiedLinear:
    (x_f, y_f), (x, y) = (_read(model, rows) for rows in (forget, retain))
    _expect_every_class(model, y)
    penalty, size, bound, residual = model.lam * len(x), float(np.linalg.norm(x, 2)), model.bound_, 0.0
    targets = zip(model.coef_, model.noise_, model.signs(y_f), model.signs(y), strict=True)
    for w, b, s_f, s in targets:
        everything = np.concatenate([x, x_f]), np.concatenate([s, s_f])
        before = _gradient(w, *everything, penalty + model.lam * len(x_f), b, model.loss)
        start = float(np.linalg.norm(before))
        if start > model.bound_ + EXACT * max(1.0, len(x)):
            raise InputError(
                f"certified_newton: the model is not where training and earlier removals left it on these samples "
                f"(gradient {start:.2g}, at most {model.bound_:.2g} is explained); the split must name the samples it "
                "was trained on, less those that were removed."
            )
        bound += start if model.removed_ == 0 else 0.0  # later ones are inside the bound already
        pull = model.lam * len(x_f) * w + _gradient(w, x_f, s_f, 0.0, np.zeros_like(w), model.loss)
        step = np.linalg.solve(_hessian(w, x, s, penalty, model.loss), pull)
        most = GAMMA[model.loss] * size * float(np.linalg.norm(step) * np.linalg.norm(x @ step))
        w += step
        left = float(np.linalg.norm(_gradient(w, x, s, penalty, b, model.loss)))
        bound += most or left  # of the squared loss only rounding is left, which is counted as it is
        residual = max(residual, left)
    if residual > bound * (1 + 1e-9) + EXACT:
        raise InputError(
            f"certified_newton: the gradient that is left, {residual:.3g}, exceeds its bound {bound:.3g}; no guarantee "
            "holds; retrain."
        )
    c = math.sqrt(2 * math.log(1.5 / delta))
    epsilon = c * bound / model.sigma if model.sigma > 0 else math.inf
    if max_epsilon is not None and epsilon > max_epsilon:
        raise InputError(
            f"certified_newton: the guarantee would be epsilon = {epsilon:.3g}, above {max_epsilon:g}; retrain, or "
            "train with a larger sigma or lam."
        )
    model.bound_, model.removed_ = bound, model.removed_ + len(forget)
    model.certificate_ = Certificate(epsilon, delta, bound, residual, model.removed_)
    return model


def _plain(model: Any, forget: Dataset, retain: Dataset) -> Any:
    """The Newton step on scikit-learn's objective: sum of losses times C, plus |w|^2 / 2, the intercept free."""
    (x, y), (x_f, y_f) = (_read(model, rows) for rows in (retain, forget))
    _expect_every_class(model, y)
    theta = np.concatenate([model.coef_, model.intercept_[:, None]], axis=1)
    penalised = np.append(np.ones(x.shape[1]), 0.0 if model.fit_intercept else 1e12) / model.C
    everything = np.concatenate([x, x_f]), np.concatenate([y, y_f])
    start, _ = _softmax_parts(theta, *everything, model.classes_, penalised)
    if np.linalg.norm(start) > STATIONARY * len(x):
        raise InputError(
            f"certified_newton: the model is not at its minimum on these samples (gradient "
            f"{np.linalg.norm(start):.2g}); fit it to convergence (max_iter, tol) on the split's training samples."
        )
    slope, hessian = _softmax_parts(theta, x, y, model.classes_, penalised)
    step = np.linalg.lstsq(hessian, slope.ravel(), rcond=None)[0].reshape(theta.shape)
    model.coef_, model.intercept_ = theta[:, :-1] - step[:, :-1], theta[:, -1] - step[:, -1]
    return model


def _read(model: Any, rows: Dataset) -> tuple[Floats, NDArray[Any]]:
    """Return the samples [N, F], and their labels as entries of the model's classes. Raises `InputError`."""
    x = flat(rows).astype(np.float64)
    if not hasattr(model, "coef_") or model.coef_.shape[1] != x.shape[1]:
        features = f"takes {model.coef_.shape[1]} features" if hasattr(model, "coef_") else "is not fitted"
        raise InputError(
            f"certified_newton: {type(model).__name__} {features}; {rows.name} has {x.shape[1]} features."
        )
    return x, labels_for(model, rows)


def _expect_every_class(model: Any, y: NDArray[Any]) -> None:
    if not np.isin(model.classes_, y).all():
        raise InputError(
            "certified_newton: a class would be left without samples; retrain on the others instead."
        )


def _softmax_parts(theta: Floats, x: Floats, y: Any, classes: Any, penalty: Floats) -> tuple[Floats, Floats]:
    """Gradient [K, F + 1] and Hessian of the multinomial (K = C) or binary (K = 1) loss, divided by nothing."""
    ones = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    if len(theta) == 1:
        p = expit(ones @ theta.T)
        truth = (np.asarray(y) == classes[1])[:, None]
    else:
        v = ones @ theta.T
        p = np.exp(v - v.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        truth = np.asarray(y)[:, None] == classes[None]
    gradient = (p - truth).T @ ones + theta * penalty
    k, f = theta.shape
    hessian = np.zeros((k, f, k, f))
    for a in range(k):
        for b in range(k):
            weight = p[:, a] * ((a == b) - p[:, b])
            hessian[a, :, b, :] = (ones * weight[:, None]).T @ ones
        hessian[a, :, a, :] += np.diag(penalty)
    return gradient, hessian.reshape(k * f, k * f)


def _minimum(x: Floats, s: Floats, penalty: float, b: Floats, loss: Loss) -> Floats:
    def value(w: Floats) -> tuple[float, Floats]:
        m = s * (x @ w)
        losses = np.logaddexp(0, -m) if loss == "logistic" else (1 - m) ** 2 / 2
        return float(losses.sum() + penalty / 2 * w @ w + b @ w), _gradient(w, x, s, penalty, b, loss)

    w = np.asarray(
        minimize(value, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    )
    for _ in range(20):  # to the last digit: the derivation starts at a minimum
        step = np.linalg.solve(_hessian(w, x, s, penalty, loss), _gradient(w, x, s, penalty, b, loss))
        w = w - step
        if np.linalg.norm(step) <= 1e-12 * max(1.0, float(np.linalg.norm(w))):
            break
    return w


def _gradient(w: Floats, x: Floats, s: Floats, penalty: float, b: Floats, loss: Loss) -> Floats:
    m = s * (x @ w)
    slope = -expit(-m) if loss == "logistic" else m - 1
    return np.asarray((s * slope) @ x + penalty * w + b)


def _hessian(w: Floats, x: Floats, s: Floats, penalty: float, loss: Loss) -> Floats:
    p = expit(s * (x @ w))
    curve = p * (1 - p) if loss == "logistic" else np.ones(len(x))
    return np.asarray((x * curve[:, None]).T @ x + penalty * np.eye(len(w)))
