# Written by tests/stubs.py from the registry; do not edit: make stubs
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

from vestige.measures.registry import MEASURES as MEASURES
from vestige.measures.registry import Measure as Measure
from vestige.measures.registry import Scores
from vestige.measures.registry import measure as measure
from vestige.measures.registry import register as register
from vestige.signals import Signals

def bavaria(signals: Signals, *, weight: float = 4.0, predictive: Literal["t", "normal"] = "t", preset: str = ...) -> Scores:
    """Log-likelihood ratio "never seen" against "still fitted", with a Bayesian variance; above 0 = unlearned.

    Parameters
    ----------
    weight : float
        Nu, of how many models the pooled variance counts as; LiRA pools at infinity.
    predictive : {"t", "normal"}
        "t": Student's; "normal": a normal of the posterior variance.
    """

def confidence(signals: Signals, *, preset: str = ...) -> Scores:
    """-p_u: minus the true-label confidence of the unlearned model; needs no other model.
    """

def confidence_difference(signals: Signals, *, preset: str = ...) -> Scores:
    """p_o - p_u: how much true-label confidence was lost; 0 = unchanged.
    """

def dratio(signals: Signals, *, c: float = 0.001, preset: str = ...) -> Scores:
    """Share of the way from the original's signal to the shadows' that was gone; 1 = all of it or more.

    Parameters
    ----------
    c : float
        Added to both ways, so that a short one does not decide.
    """

def emia_population(signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy", preset: str = ...) -> Scores:
    """Share of never-seen samples whose loss under the unlearned model is smaller; uniform if never seen.

    The population is `population`, or else the holdout samples (each then counts itself as a tie).

    Parameters
    ----------
    loss : {"cross_entropy", "true_logit"}
        "cross_entropy", or "true_logit": log(1 + exp(-v)) of the raw logit v, as published.
    """

def emia_reference(signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy", preset: str = ...) -> Scores:
    """Quantile of the sample's loss among its losses under never-seen models; 0.5 = in their middle.

    Parameters
    ----------
    loss : {"cross_entropy", "true_logit"}
        "cross_entropy", or "true_logit": log(1 + exp(-v)) of the raw logit v, as published.
    """

def iam(signals: Signals, *, family: Literal["gumbel", "norm", "ecdf", "beta", "kde"] = "gumbel", scale: Literal["calibrated", "pooled", "per_sample"] = "calibrated", steps: int | None = None, signal: Literal["logloss", "probability", "taylor_soft_margin", "scaled_logit", "negative_loss"] = "logloss", mode: Literal["auto", "online", "offline"] = "auto", output: Literal["score", "log_odds"] = "score", eps1: float = 0.01, eps2: float = 1e-05, towards: Literal["original", "shadow"] = "original", batch: int | None = None, preset: str = ...) -> Scores:
    """Interpolated approximate measurement: 1 = like models that never saw the sample, 0 = like the original.

    Returns [N], larger = more unlearned. 0.5 is not a calibrated threshold.

    Parameters
    ----------
    family : {"gumbel", "norm", "ecdf", "beta", "kde"}
        Distribution of the interpolated signal: "gumbel", "norm", "ecdf", "beta", "kde".
    scale : {"calibrated", "pooled", "per_sample"}
        "calibrated": standard deviation over a calibration set (the retained samples); "pooled": over all
        queried samples; "per_sample": over shadows alone (at least two).
    steps : int or None
        None: exact integral by quadrature; K: K interpolation steps as published, from 2 to 100,000.
    signal : {"logloss", "probability", "taylor_soft_margin", "scaled_logit", "negative_loss"}
        "logloss" (bounded Gumbel map), "probability", "taylor_soft_margin", "scaled_logit", "negative_loss".
    mode : {"auto", "online", "offline"}
        "online": O from `original`; "offline": O = mean signal of `shadow_fit`; "auto": online where there is
        an original.
    output : {"score", "log_odds"}
        "score" in [0, 1], or "log_odds" of it in nats, which does not saturate (gumbel and norm).
    eps1, eps2 : float
        Bounds of the Gumbel map (published for Purchase and Texas, offline: 1e-1, 1e-6).
    towards : {"original", "shadow"}
        What the original is interpolated with. "original": as published, from models that never saw the
        sample (a = 0) to the original (a = 1). "shadow": as published for language models, from the original
        to the mean loss of the models that never saw the sample, by the signal of 1 - p; needs the original.
    batch : int or None
        Samples that are scored by themselves, in their order, so that a pooled scale is that of a batch
        (published for language models: 64); None: all together.
    """

def informia(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", preset: str = ...) -> Scores:
    """Log-ratio of reference to unlearned confidence, above that of never-seen samples; 0 = as these on average.

    The population is `population` with its `shadow_out`, or else the holdout samples.

    Parameters
    ----------
    parameters : Parameters
        A named set of constants, of which it takes temperature and a; see `rmia_offline`.
    """

def informia_tokens(*, information: Any, share: float = 1.0, preset: str = ...) -> Scores:
    """Minus the mean information of the `share` of a text's tokens that tell most beyond a reference; 0 = as it.

    Parameters
    ----------
    share : float
        Of the tokens, at least one; 1: all of them, as published.
    """

def ldiff(signals: Signals, *, preset: str = ...) -> Scores:
    """How unusual the change of the scaled logit is among never-seen samples; 0.5 = as among them.

    The population is `population` with its `original`, or else the holdout samples.
    """

def linear_gap(signals: Signals, *, form: Literal["shrunk_logit", "loss_ratio"] = "shrunk_logit", preset: str = ...) -> Scores:
    """Share of the way from fitted (0) to never seen (1 in `paper`; below 1 in `recommended`, which shrinks).

    Parameters
    ----------
    form : {"shrunk_logit", "loss_ratio"}
        "shrunk_logit": of scaled logits, near 0 where the way is short; "loss_ratio": of losses, as
        published.
    """

def lira_offline(signals: Signals, *, variance: Literal["pooled", "per_sample"] = "pooled", tail: Literal["one_sided", "two_sided", "quantile"] = "one_sided", preset: str = ...) -> Scores:
    """How far the scaled logit lies below that of models that never saw the sample; 0 = at their mean.

    Parameters
    ----------
    variance : {"pooled", "per_sample"}
        "pooled" over samples, or "per_sample" over shadows, with 1e-30 added.
    tail : {"one_sided", "two_sided", "quantile"}
        "one_sided": -(lambda_u - mu)/sd, in standard deviations, larger = more unlearned; "two_sided":
        log-density under never-seen models, in nats; "quantile": the first through the normal CDF. Published:
        two-sided for random forget sets, the quantile for classes and parts of them, where with one shadow it
        is 0 or 1.
    """

def lira_online(signals: Signals, *, variance: Literal["pooled", "per_sample", "across_samples"] = "pooled", preset: str = ...) -> Scores:
    """Log-likelihood ratio "never seen" against "still fitted"; 0 = both as likely, above = unlearned.

    Parameters
    ----------
    variance : {"pooled", "per_sample", "across_samples"}
        "pooled" and "per_sample" as in `lira_offline`; "across_samples": that of the shadows' mean over all
        samples, for texts.
    """

def logloss_difference(signals: Signals, *, eps1: float = 0.01, eps2: float = 1e-05, preset: str = ...) -> Scores:
    """Difference of the bounded Gumbel signal that IAM works on; 0 = unchanged.

    Parameters
    ----------
    eps1, eps2 : float
        Bounds of the Gumbel map, as in `iam`.
    """

def loss(*, nll: Any, preset: str = ...) -> Scores:
    """Mean token loss after unlearning; knows neither the text's difficulty nor what it was before.
    """

def loss_difference(signals: Signals, *, preset: str = ...) -> Scores:
    """CE_u - CE_o: how much the cross-entropy rose; 0 = unchanged.
    """

def lowercase(*, nll: Any, lower: Any, preset: str = ...) -> Scores:
    """Loss over the loss of the lowercased text: what is known by heart suffers from another writing.
    """

def mia_confidence(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    """Non-membership by the true-label confidence (its log-odds in the recommended form).

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    """

def mia_correctness(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    """Non-membership by whether the prediction is right.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    """

def mia_entropy(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    """Non-membership by the entropy of the prediction; does not look at the label.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    """

def mia_modified_entropy(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", form: Literal["right", "published"] = "right", preset: str = ...) -> Scores:
    """Non-membership by the modified entropy, which grows where the confidence goes to a wrong label.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    form : {"right", "published"}
        "right", or "published": what the code of Unlearn-Sparse computes where a batch holds every class, -
        sum over k of (1 - p_k) log p_k, which does not depend on the label.
    """

def mia_probability(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    """Non-membership by the whole probability vector (its logarithms in the recommended form).

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    """

def min_k(*, tokens: Any, share: float = 0.2, preset: str = ...) -> Scores:
    """Minus the mean log-probability of the `share` of tokens that surprise most, at least one.

    Parameters
    ----------
    share : float
        Of the tokens of a text.
    """

def min_k_plus(*, tokens: Any, share: float = 0.2, weighting: Literal["model", "vocabulary"] = "model", preset: str = ...) -> Scores:
    """The same, each token's log-probability centred and scaled over the vocabulary.

    Parameters
    ----------
    share : float
        Of the tokens of a text.
    weighting : {"model", "vocabulary"}
        "model": mean and deviation weighted by the model's probabilities, as the method is defined;
        "vocabulary": each token alike, as the published benchmarks compute it.
    """

def monotone(signals: Signals, *, trees: int = 60, leaves: int = 8, penalty: float = 5.0, folds: int = 3, preset: str = ...) -> Scores:
    """Log-likelihood ratio "never seen" against "still fitted", fitted under IAM's monotonicity; above 0 = unlearned.

    Parameters
    ----------
    trees : int
        Boosted trees in each fold.
    leaves : int
        Of each tree, at most.
    penalty : float
        L2, on the values of leaves.
    folds : int
        Into which the records of known truth are split by their ids.
    """

def neighbourhood(*, nll: Any, neighbours: Any, preset: str = ...) -> Scores:
    """Loss minus the mean loss of texts that say nearly the same.
    """

def pac(*, tokens: Any, swapped: Any, high: float = 0.05, low: float = 0.3, preset: str = ...) -> Scores:
    """Polarised distance (best `high` share minus worst `low` share of log p) of the text minus that of swapped ones.

    A text known by heart has no bad tokens, and its swapped copies have: the lower, the more of it is known.

    Parameters
    ----------
    high : float
        Share of the best tokens.
    low : float
        Share of the worst tokens.
    """

def quantile(signals: Signals, *, trees: int = 60, folds: int = 5, preset: str = ...) -> Scores:
    """How far the scaled logit lies below the median of never-seen samples like it; larger = more unlearned.

    Parameters
    ----------
    trees : int
        Boosted trees of 8 leaves for each of the three quantiles.
    folds : int
        Into which the holdout samples are split where there is no `population`; a sample is never measured by
        a regression that it took part in.
    """

def random(signals: Signals, *, seed: int = 0, preset: str = ...) -> Scores:
    """Uniform noise, fixed by each sample's id: what a measure that knows nothing scores; its AUC is 0.5.

    Parameters
    ----------
    seed : int
        Of the noise.
    """

def ratio(*, nll: Any, out: Any, preset: str = ...) -> Scores:
    """Loss after unlearning over that of a model that never saw the text; 1 = as if never seen.
    """

def recall(*, nll: Any, prefixed: Any, preset: str = ...) -> Scores:
    """Loss over the loss behind a prefix of texts that were never seen: a prefix disturbs what is known by heart.
    """

def rmia_offline(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", signal: Literal["softmax", "taylor_soft_margin"] = "softmax", gamma: float | None = None, ties: float = 0.5, preset: str = ...) -> Scores:
    """Share of never-seen samples that this one does not exceed, relative to shadows; 1 = none is exceeded.

    The population is `population` with its `shadow_out`, or else the holdout samples.

    Parameters
    ----------
    parameters : {"cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"}
        A named set of constants: "cifar10", "cinic10", "cifar100", "purchase", "texas", "location", and
        "texts": likelihoods of tokens as they are.
    signal : {"softmax", "taylor_soft_margin"}
        "softmax", or "taylor_soft_margin" as published.
    gamma : float or None
        How many times the ratio must be exceeded; default: the set's.
    ties : float
        How an exact tie counts, from 0 (published) to 1.
    """

def rmia_online(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", signal: Literal["softmax", "taylor_soft_margin"] = "softmax", gamma: float | None = None, ties: float = 0.5, preset: str = ...) -> Scores:
    """As `rmia_offline`, with the original as the model that saw the sample; options as there.

    Needs `population` (with its `shadow_out`) and `population_in`, a model trained on the population. On texts gamma
    is 1; the published 2 ties every text that is not far likelier than the others.

    Parameters
    ----------
    parameters : {"cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"}
        A named set of constants, see `rmia_offline`.
    signal : {"softmax", "taylor_soft_margin"}
        "softmax", or "taylor_soft_margin" as published.
    gamma : float or None
        How many times the ratio must be exceeded; default: the set's.
    ties : float
        How an exact tie counts, from 0 (published) to 1.
    """

def rmia_ratio(signals: Signals, *, preset: str = ...) -> Scores:
    """Log of the mean reference confidence over that of the unlearned model; 0 = as confident as the references.

    The references are the shadows, and the original with the same weight where it is there.
    """

def samia(signals: Signals, *, folds: int = 3, epochs: int = 20, optimiser: Literal["adam", "sgd"] = "adam", limit: int = 4000, seed: int = 0, preset: str = ...) -> Scores:
    """Non-membership by a transformer on output, sensitivity and label.

    Parameters
    ----------
    folds : int
        Parts for cross-fitting; 1: one attacker that has seen what it scores.
    epochs : int
        Of the attacker's training.
    optimiser : {"adam", "sgd"}
        "adam", or "sgd" as published.
    seed : int
        Of the attacker's weights and batches.
    limit : int
        At most so many members and non-members train the attacker.
    """

def scaled_logit_difference(signals: Signals, *, preset: str = ...) -> Scores:
    """logit p_o - logit p_u: how much the log-odds of the true label fell; 0 = unchanged.
    """

def surp(*, tokens: Any, share: float = 0.4, max_entropy: float = 2.0, preset: str = ...) -> Scores:
    """Minus the mean log p of tokens in the lowest `share` whose prediction has an entropy below `max_entropy` nats.

    A text without such tokens scores as its least likely token does.

    Parameters
    ----------
    share : float
        Quantile of the text's own log-probabilities below which a token surprises.
    max_entropy : float
        In nats, of predictions that are sure.
    """

def unleak(signals: Signals, *, attack: Literal["logistic", "mlp"] = "logistic", seed: int = 0, preset: str = ...) -> Scores:
    """Probability that the sample was deleted, by a classifier trained on simulated deletions.

    Parameters
    ----------
    attack : {"logistic", "mlp"}
        "logistic": logistic regression, with the scaled logits too; "mlp": the published network.
    seed : int
        Of the network.
    """

def update_lira(signals: Signals, *, variance: Literal["pooled", "per_sample"] = "pooled", preset: str = ...) -> Scores:
    """Drop of the sample's quantile among never-seen models, from the original to the unlearned; 0 = unchanged.

    With one shadow and the published variance, the score is -1, 0 or 1.

    Parameters
    ----------
    variance : {"pooled", "per_sample"}
        "pooled" and "per_sample" as in `lira_offline`.
    """

def zlib(*, tokens: Any, texts: Any, per: Literal["byte", "ratio"] = "byte", preset: str = ...) -> Scores:
    """Loss measured against how well a compressor that knows nothing does on the text.

    Parameters
    ----------
    per : {"byte", "ratio"}
        "byte": whole loss over compressed bytes; "ratio": mean token loss over compressed bytes per
        character, as published.
    """

def __getattr__(name: str) -> Callable[..., Scores]: ...
