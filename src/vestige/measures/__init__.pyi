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
    r"""Log-likelihood ratio "never seen" against "still fitted", with a Bayesian variance; above 0 = unlearned.

    weight      nu, of how many models the pooled variance counts as; LiRA pools at infinity
    predictive  "t": Student's; "normal": a normal of the posterior variance

    Notes
    -----
    .. math::

        t(x) = \mathrm{Student}_{\nu + n - 1}\left( \bar x, \; \left(1 + \tfrac{1}{n}\right) \frac{\nu
        \tau^2 + SS}{\nu + n - 1} \right), \qquad
        \mathrm{score} = \log t_{\mathrm{out}}(\lambda_u) - \log t_{\mathrm{in}}(\lambda_u)

    x are the scaled logits of n models on one record, SS their squared deviations from the mean, tau^2 the
    variance between models pooled over records, nu is `weight`. For the one model that saw the record SS is 0.

    **When to use.** With a handful of shadows, where a record's own variance is worth something and not to be
    trusted alone: between `lira_online` with the pooled and with its own variance.

    **When it fails.** As `lira_online`: where a shadow has the class that goes, or the spread of models
    differs between classes. Only the abstract of the paper was at hand, so that the constants are ours. No
    table of the lab book measures it.

    **Cost.** The original and one shadow model.

    References
    ----------
    Brännvall: Exponential-Family Membership Inference: From LiRA and RMIA to BaVarIA. 2026, arXiv 2603.11799.
    """

def confidence(signals: Signals, *, preset: str = ...) -> Scores:
    r"""-p_u: minus the true-label confidence of the unlearned model; needs no other model.

    Notes
    -----
    .. math::

        \mathrm{score} = -p_u(y \,|\, x)

    **When to use.** Where there is nothing but the unlearned model. It recognises a whole class without error
    (1.000 on all three data sets; lab book, results: which measure).

    **When it fails.** It knows nothing of a record's own difficulty: 0.318 on part of a class of CIFAR-10,
    0.530 on random requests of Adult (lab book, results).

    **Cost.** No further model.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def confidence_difference(signals: Signals, *, preset: str = ...) -> Scores:
    r"""p_o - p_u: how much true-label confidence was lost; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = p_O(y \,|\, x) - p_u(y \,|\, x)

    **When to use.** As the control that every measure with shadows has to beat, and as the measure where
    there is no shadow: level with `iam` on Adult (0.659; 0.656), and ahead of it at 1 % of retained records
    missed (0.176; 0.154; lab book, results: which measure).

    **When it fails.** A record that the original never fitted has nothing to lose: it looks kept. On part of
    a class it is behind measures with shadows (0.655; `iam` 0.952 on Location-30). Its p-values accuse up to
    7.3 % on Adult at a promised 5 % (lab book, results; calibration).

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def dratio(signals: Signals, *, c: float = 0.001, preset: str = ...) -> Scores:
    r"""Share of the way from the original's signal to the shadows' that was gone; 1 = all of it or more.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{c + \max(r_O - r_u, 0)}{c + \max(r_O - \bar r_S, 0)} \quad \mathrm{in} \; [0,
        1]

    r is the bounded Gumbel signal of IAM, the bar its mean over shadows. The maxima have a floor of 1e-10.

    **When to use.** To read a share of the way between 0 and 1 off each record.

    **When it fails.** All that went the whole way or further score 1 and tie: at 1 % of retained records
    missed it recognises none of the forgotten ones on any data set. Its p-values from exchanged shadows
    accuse 11 to 21 % at a promised 5 % (lab book, results; calibration).

    **Cost.** The original and one shadow model.

    References
    ----------
    Wang et al.: Has Approximate Machine Unlearning been evaluated properly? 2024, arXiv 2403.12830 v1, in the
    form that the code of Wang et al. 2025 (IAM) keeps.
    """

def emia_population(signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy", preset: str = ...) -> Scores:
    r"""Share of never-seen samples whose loss under the unlearned model is smaller; uniform if never seen.

    The population is `population`, or else the holdout samples (each then counts itself as a tie).

    Notes
    -----
    .. math::

        \mathrm{score}(x) = \frac{1}{|Z|} \left| \left\{ z \in Z : \ell_u(z) < \ell_u(x) \right\} \right|

    Z is the population of never-seen records, and the loss is that of the unlearned model.

    **When to use.** Where there is nothing but the unlearned model and never-seen records. Its null is exact:
    an exactly unlearned record has a uniform score.

    **When it fails.** It knows nothing of a record's own difficulty. On part of a class it points the wrong
    way (0.323 on Location-30, 0.318 on CIFAR-10): the class keeps the model confident, and its easy records
    look more retained than the rest (lab book, results: which measure).

    **Cost.** No further model.

    References
    ----------
    Ye, Maddi, Murakonda, Bindschaedler, Shokri: Enhanced Membership Inference Attacks against Machine Learning
    Models. CCS 2022, arXiv 2111.09679.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def emia_reference(signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy", preset: str = ...) -> Scores:
    r"""Quantile of the sample's loss among its losses under never-seen models; 0.5 = in their middle.

    Notes
    -----
    .. math::

        \mathrm{score}(x) = \hat F_x\left( \ell_u(x) \right), \qquad \hat F_x \; \mathrm{through} \; \left(
        0, 0 \right), \left( \ell_{(s)}(x), \tfrac{s}{S + 1} \right), \left( 1000, 1 \right)

    The l_(s) are the record's own losses under the S shadow models in ascending order; between the points the
    function is linear.

    **When to use.** With many shadows and without the original: a quantile among never-seen models, without
    an assumed distribution.

    **When it fails.** With one shadow it has two pieces and says little: 0.914 on Location-30 (`iam` 0.974),
    0.520 on part of a class of CIFAR-10 (lab book, results: which measure). As published it takes the raw
    logit of the true label, which ignores all others.

    **Cost.** One shadow model, and as many as the quantile should be fine.

    References
    ----------
    Ye, Maddi, Murakonda, Bindschaedler, Shokri: Enhanced Membership Inference Attacks against Machine Learning
    Models. CCS 2022, arXiv 2111.09679.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def iam(signals: Signals, *, family: Literal["gumbel", "norm", "ecdf", "beta", "kde"] = "gumbel", scale: Literal["calibrated", "pooled", "per_sample"] = "calibrated", steps: int | None = None, signal: Literal["logloss", "probability", "taylor_soft_margin", "scaled_logit", "negative_loss"] = "logloss", mode: Literal["auto", "online", "offline"] = "auto", output: Literal["score", "log_odds"] = "score", eps1: float = 0.01, eps2: float = 1e-05, towards: Literal["original", "shadow"] = "original", batch: int | None = None, preset: str = ...) -> Scores:
    r"""Interpolated approximate measurement: 1 = like models that never saw the sample, 0 = like the original.

    family   distribution of the interpolated signal: "gumbel", "norm", "ecdf", "beta", "kde"
    scale    "calibrated": standard deviation over a calibration set (the retained samples);
             "pooled": over all queried samples; "per_sample": over shadows alone (at least two)
    steps    None: exact integral by quadrature; K: K interpolation steps as published, from 2 to 100,000
    signal   "logloss" (bounded Gumbel map), "probability", "taylor_soft_margin", "scaled_logit",
             "negative_loss"
    mode     "online": O from `original`; "offline": O = mean signal of `shadow_fit`; "auto": online where
             there is an original
    output   "score" in [0, 1], or "log_odds" of it in nats, which does not saturate (gumbel and norm)
    eps1, eps2  bounds of the Gumbel map (published for Purchase and Texas, offline: 1e-1, 1e-6)
    towards  what the original is interpolated with. "original": as published, from models that never saw the sample
             (a = 0) to the original (a = 1). "shadow": as published for language models, from the original to the mean
             loss of the models that never saw the sample, by the signal of 1 - p; needs the original
    batch    samples that are scored by themselves, in their order, so that a pooled scale is that of a batch
             (published for language models: 64); None: all together

    Returns [N], larger = more unlearned. 0.5 is not a calibrated threshold.

    Notes
    -----
    .. math::

        X_a = (1 - a) \, S + a \, O, \qquad
        \mathrm{score}(u) = 1 - 2 \int_0^1 a \, F_a(u) \, da

    O, S and u are a record's signals, larger where the model fits it better: under the original, under shadow
    models that never saw it, and under the unlearned model. F_a is the distribution function of X_a: of
    `family`, with its mean and scale. a = 0 is never seen, a = 1 is fitted.

    **When to use.** As the first choice for random requests: on Location-30 and Adult it was first or level
    with the first, with one shadow as with four (0.974 and 0.656; lab book, results: which measure). A
    verdict takes its log-odds where the original is given.

    **When it fails.** On CIFAR-10 `rmia_online` and `rmia_ratio` were ahead of it (0.714 and 0.709; 0.691),
    and at 1 % of the retained records missed the plain differences of loss and confidence recognise as many
    (lab book, results). 0.5 is no threshold, and scores of two data sets cannot be compared. On requests that
    are harder or easier than the retained records its AUC misleads (lab book, monotone).

    **Cost.** The original and one shadow model; then 0.2 s for thousands of records, and time that hardly
    grows with the shadows.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def informia(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", preset: str = ...) -> Scores:
    r"""Log-ratio of reference to unlearned confidence, above that of never-seen samples; 0 = as these on average.

    parameters  a named set of constants, of which it takes temperature and a; see `rmia_offline`

    The population is `population` with its `shadow_out`, or else the holdout samples.

    Notes
    -----
    .. math::

        r(x) = \log \frac{t_u(x)}{\frac{1 + a}{2} \, \bar t_S(x) + \frac{1 - a}{2}}, \qquad
        \mathrm{score}(x) = \frac{1}{|Z|} \sum_{z \in Z} r(z) - r(x)

    t is a model's confidence in the true label, the bar its mean over shadow models, trimmed; Z is the
    population of never-seen records. It sets where 0 lies alone.

    **When to use.** As `rmia_offline`, where a score without steps is wanted: no threshold, no ties.

    **When it fails.** As `rmia_offline`, it does not know what the original made of the record. Only the
    abstract and summaries of the paper were at hand; its form by tokens is not this one. No table of the lab
    book measures it.

    **Cost.** One shadow model and a population with the shadows' outputs.

    References
    ----------
    Tao, Shokri: (Token-Level) InfoRMIA: Stronger Membership Inference and Memorization Assessment for LLMs.
    ICLR 2026, arXiv 2510.05582.
    """

def ldiff(signals: Signals, *, preset: str = ...) -> Scores:
    r"""How unusual the change of the scaled logit is among never-seen samples; 0.5 = as among them.

    The population is `population` with its `original`, or else the holdout samples.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{A + B}{2}, \qquad
        A = \frac{1}{2} \left( 1 + \Phi\left( \tfrac{\lambda_O - m}{s} \right) - \Phi\left( \tfrac{\lambda_u
        - m}{s} \right) \right), \qquad
        B = 1 - \mathrm{Laplace}(\lambda_u - \lambda_O)

    m and s are the mean and the standard deviation of the scaled logit over never-seen records; the Laplace
    distribution is fitted to their differences.

    **When to use.** Where there is no shadow, but never-seen records with the original's outputs: 0.970 on
    random requests of Location-30, ahead of every plain difference (lab book, results: which measure).

    **When it fails.** It compares with records of all difficulties: 0.605 on Adult, where a plain difference
    of confidences has 0.659, and 0.054 recognised at 1 % of retained records missed, where that has 0.176
    (lab book, results).

    **Cost.** The original, and its outputs on never-seen records.

    References
    ----------
    Wang et al.: Has Approximate Machine Unlearning been evaluated properly? 2024, arXiv 2403.12830 v1, in the
    form that the code of Wang et al. 2025 (IAM) keeps.
    """

def linear_gap(signals: Signals, *, form: Literal["shrunk_logit", "loss_ratio"] = "shrunk_logit", preset: str = ...) -> Scores:
    r"""Share of the way from fitted (0) to never seen (1 in `paper`; below 1 in `recommended`, which shrinks).

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{g \, w}{w^2 + s^2}, \qquad g = \lambda_O - \lambda_u, \quad w = \lambda_O -
        \mu_S

    lambda is the scaled logit under the original O and the unlearned model u, mu_S its mean over shadows, s^2
    the mean of w^2 over a calibration set. In `paper` the score is g / w, of cross-entropies.

    **When to use.** As a control: the share of the way from the original to the never-seen level, in one
    line. For texts it is near the best: an AUC of 0.922 on the published losses of 7,753 texts (`iam` 0.936;
    lab book, results: published figures).

    **When it fails.** Where original and shadows agree there is no way to measure along, and the published
    ratio is noise of any size. On a whole class of Adult, where a shadow has the class, it falls to 0.62, and
    it is behind the plain difference of logits on random requests (0.941; 0.966 on Location-30; lab book,
    results: which measure).

    **Cost.** The original and one shadow model.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def lira_offline(signals: Signals, *, variance: Literal["pooled", "per_sample"] = "pooled", tail: Literal["one_sided", "two_sided", "quantile"] = "one_sided", preset: str = ...) -> Scores:
    r"""How far the scaled logit lies below that of models that never saw the sample; 0 = at their mean.

    variance  "pooled" over samples, or "per_sample" over shadows, with 1e-30 added
    tail      "one_sided": -(lambda_u - mu)/sd, in standard deviations, larger = more unlearned;
              "two_sided": log-density under never-seen models, in nats; "quantile": the first through the
              normal CDF. Published: two-sided for random forget sets, the quantile for classes and parts of
              them, where with one shadow it is 0 or 1

    Notes
    -----
    .. math::

        \lambda = \log \frac{p}{1 - p}, \qquad \mathrm{score} = -\frac{\lambda_u - \mu_S}{\sigma_S}

    mu_S and sigma_S are the mean and the standard deviation of a record's scaled logit under shadow models.
    "two_sided" is the log-density instead, "quantile" the normal distribution function.

    **When to use.** Where the original is not at hand, and a score in standard deviations of never-seen
    models is wanted.

    **When it fails.** It does not know what the record was fitted to: 0.868 on random requests of Location-30
    (`iam` 0.974), 0.519 on part of a class of Adult (lab book, results: which measure). As published its
    variance is each record's own: with one shadow 1e-30, and the score a step.

    **Cost.** One shadow model; several give each record a variance of its own.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def lira_online(signals: Signals, *, variance: Literal["pooled", "per_sample", "across_samples"] = "pooled", preset: str = ...) -> Scores:
    r"""Log-likelihood ratio "never seen" against "still fitted"; 0 = both as likely, above = unlearned.

    variance  "pooled" and "per_sample" as in `lira_offline`; "across_samples": that of the shadows' mean over all
              samples, for texts

    Notes
    -----
    .. math::

        \mathrm{score} = \log \mathcal{N}(\lambda_u; \mu_S, \sigma^2) - \log \mathcal{N}(\lambda_u;
        \lambda_O, \sigma^2)

    lambda is the scaled logit, log p / (1 - p), O the original, S the shadows; sigma is one standard deviation
    for all records in `recommended`.

    **When to use.** Where a likelihood ratio in nats is wanted, for texts above all: an AUC of 0.930 on the
    published losses of 7,753 texts (lab book, results: published figures).

    **When it fails.** As published, with 1e-30 for the variance of the one model that saw the record, the
    score is the difference of two logits on a scale of 1e59, whatever the shadows say: the same from two
    shadows on (reproduction, Figure 5). On whole classes of Adult, where a shadow has the class, it falls to
    0.69, and its p-values from simulated deletions accuse 10 to 12 % at a promised 5 % (lab book, results;
    calibration).

    **Cost.** The original and one shadow model.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def logloss_difference(signals: Signals, *, eps1: float = 0.01, eps2: float = 1e-05, preset: str = ...) -> Scores:
    r"""Difference of the bounded Gumbel signal that IAM works on; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = r(p_O) - r(p_u), \qquad r(p) = \frac{-\log(\epsilon_1 - \log(p + \epsilon_2)) -
        r_0}{r_1 - r_0}

    r is the bounded Gumbel signal that IAM works on, between 0 and 1; r_0 and r_1 are its values at p = 0 and p
    = 1 before scaling.

    **When to use.** To see what IAM's interpolation adds to its own signal: nothing on random requests of
    Adult (0.656 both), 0.02 on Location-30 (0.957; 0.974; lab book, results: which measure).

    **When it fails.** As `confidence_difference`.

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def loss(*, nll: Any, preset: str = ...) -> Scores:
    r"""Mean token loss after unlearning; knows neither the text's difficulty nor what it was before.

    Notes
    -----
    .. math::

        \mathrm{score} = \mathrm{nll}_u = -\frac{1}{T} \sum_{t=1}^{T} \log p_u(x_t \,|\, x_{<t})

    **When to use.** Where there is nothing but the model after unlearning: an AUC of 0.875 on the published
    losses of 7,753 texts of a retrained model (lab book, results: published figures).

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (guide, language models). It calls models unlearned that
    were taught to refuse or taught wrong texts (reproduction, Tables 6 and 7).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha: Privacy Risk in Machine Learning: Analyzing the Connection to
    Overfitting. CSF 2018, arXiv 1709.01604.
    """

def loss_difference(signals: Signals, *, preset: str = ...) -> Scores:
    r"""CE_u - CE_o: how much the cross-entropy rose; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = \mathrm{CE}_u(x, y) - \mathrm{CE}_O(x, y)

    **When to use.** As `confidence_difference`, where losses are what is given. At 1 % of retained records
    missed it recognises twice as many photographs as `iam` (0.102; 0.048; lab book, results: which measure).

    **When it fails.** As `confidence_difference`. Losses have no upper end: a few records that were very
    wrong to begin with carry a mean.

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def lowercase(*, nll: Any, lower: Any, preset: str = ...) -> Scores:
    r"""Loss over the loss of the lowercased text: what is known by heart suffers from another writing.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\mathrm{nll}_u(x)}{\mathrm{nll}_u(\mathrm{lower}(x))}

    **When to use.** Where no second model is at hand: the text in another writing is the reference.

    **When it fails.** It needs texts whose capitals carry something: in code, lists or languages without
    capitals it says nothing. Against holdout texts it is at chance (0.464 under retraining; guide, language
    models).

    **Cost.** Two passes of the model after unlearning.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """

def mia_confidence(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    r"""Non-membership by the true-label confidence (its log-odds in the recommended form).

    Notes
    -----
    .. math::

        \mathrm{feature} = \lambda_u, \qquad \mathrm{score} = \log \frac{P(\mathrm{non\,member} \,|\,
        \lambda_u)}{P(\mathrm{member} \,|\, \lambda_u)}

    lambda is the scaled logit of the true label, in `paper` the confidence. Members are the retained records,
    non-members the holdout records. `paper` is the attack behind "MIA-efficacy" in the literature on
    unlearning.

    **When to use.** To report the figure that other papers report, beside a measure that knows the record's
    difficulty.

    **When it fails.** It is a monotone function of the unlearned model's confidence and ranks records as
    `confidence` does: 0.530 on Adult, 0.318 on part of a class of CIFAR-10 (lab book, results: which
    measure). As published it scores records that it was fitted on.

    **Cost.** No further model; one logistic regression in five folds, as published a support vector
    classifier.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """

def mia_correctness(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    r"""Non-membership by whether the prediction is right.

    Notes
    -----
    .. math::

        \mathrm{feature} = 1\left[ \arg\max_k p_k = y \right], \qquad \mathrm{score} = \log
        \frac{P(\mathrm{non\,member} \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    Members are the retained records, non-members the holdout records.

    **When to use.** As a control: what accuracy alone says. Its two values are the two of the prediction,
    right or wrong.

    **When it fails.** With two values nothing can be told at a strict error rate: none is recognised at 1 %
    of retained records missed on random requests of Adult and CIFAR-10, and part of a class of CIFAR-10
    stands at 0.246 (lab book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """

def mia_entropy(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    r"""Non-membership by the entropy of the prediction; does not look at the label.

    Notes
    -----
    .. math::

        \mathrm{feature} = -\sum_k p_k \log p_k, \qquad \mathrm{score} = \log \frac{P(\mathrm{non\,member}
        \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    Members are the retained records, non-members the holdout records.

    **When to use.** Where labels are not to be trusted: it does not look at them.

    **When it fails.** A model that is sure of a wrong label has no entropy either: 0.472 on random requests
    of Adult, 0.543 on a whole class of CIFAR-10, which every measure that sees the label recognises (lab
    book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """

def mia_modified_entropy(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", form: Literal["right", "published"] = "right", preset: str = ...) -> Scores:
    r"""Non-membership by the modified entropy, which grows where the confidence goes to a wrong label.

    form  "right", or "published": what the code of Unlearn-Sparse computes where a batch holds every class,
          - sum over k of (1 - p_k) log p_k, which does not depend on the label

    Notes
    -----
    .. math::

        \mathrm{feature} = -(1 - p_y) \log p_y - \sum_{k \ne y} p_k \log(1 - p_k)

    The score is the log-odds of non-member by this feature. Members are the retained records, non-members the
    holdout records. In `paper` the feature is what the code of Unlearn-Sparse computes, which does not depend
    on the label.

    **When to use.** Where the metric attacks of the literature are reported: the best of the five on part of
    a class of Location-30 (0.724; lab book, results: which measure).

    **When it fails.** As every measure of the unlearned model alone: 0.291 on part of a class of CIFAR-10,
    0.592 on random requests of Adult (lab book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """

def mia_probability(signals: Signals, *, attack: Literal["logistic", "svc"] = "logistic", preset: str = ...) -> Scores:
    r"""Non-membership by the whole probability vector (its logarithms in the recommended form).

    Notes
    -----
    .. math::

        \mathrm{feature} = (\log p_1, \dots, \log p_C), \qquad \mathrm{score} = \log
        \frac{P(\mathrm{non\,member} \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    In `paper` the feature is p itself. Members are the retained records, non-members the holdout records.

    **When to use.** As the attack of the literature that sees everything that the output shows but the label.

    **When it fails.** A linear attack on C numbers learns less from them than from the right one: 0.777 on
    random requests of Location-30, where `mia_confidence` has 0.906 (lab book, results: which measure). It
    needs the probability of every class.

    **Cost.** No further model; one logistic regression on C features in five folds, the slowest of the five.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """

def min_k(*, tokens: Any, share: float = 0.2, preset: str = ...) -> Scores:
    r"""Minus the mean log-probability of the `share` of tokens that surprise most, at least one.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \log p_u(x_t \,|\, x_{<t})

    M is the `share` of tokens with the smallest probability.

    **When to use.** Where only the model after unlearning is at hand: a text known by heart has no surprising
    tokens.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (guide, language models).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Shi et al.: Detecting Pretraining Data from Large Language Models. ICLR 2024, arXiv 2310.16789.
    """

def min_k_plus(*, tokens: Any, share: float = 0.2, weighting: Literal["model", "vocabulary"] = "model", preset: str = ...) -> Scores:
    r"""The same, each token's log-probability centred and scaled over the vocabulary.

    weighting  "model": mean and deviation weighted by the model's probabilities, as the method is defined;
               "vocabulary": each token alike, as the published benchmarks compute it

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \frac{\log p_u(x_t \,|\, x_{<t}) - \mu_t}{\sigma_t}

    mu_t and sigma_t are the mean and the standard deviation of the log-probability over the vocabulary,
    weighted by the model, or each token alike as published; M is the `share` of tokens with the smallest
    values.

    **When to use.** As `min_k`, where predictions differ in how sure they are.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (guide, language models). Published benchmarks compute it
    with an unweighted vocabulary (`preset="paper"`), which is not how it is defined.

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Zhang et al.: Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models. 2024,
    arXiv 2404.02936.
    """

def monotone(signals: Signals, *, trees: int = 60, leaves: int = 8, penalty: float = 5.0, folds: int = 3, preset: str = ...) -> Scores:
    r"""Log-likelihood ratio "never seen" against "still fitted", fitted under IAM's monotonicity; above 0 = unlearned.

    trees    boosted trees in each fold
    leaves   of each tree, at most
    penalty  L2, on the values of leaves
    folds    into which the records of known truth are split by their ids

    Notes
    -----
    .. math::

        \mathrm{score} = \log \frac{P(\lambda_O, \bar \lambda_S, \lambda_u \,|\, \mathrm{never \;
        seen})}{P(\lambda_O, \bar \lambda_S, \lambda_u \,|\, \mathrm{still \; fitted})}

    lambda is the scaled logit under the original, on average over the shadows, and under the unlearned model.
    The ratio is fitted by boosted trees that rise in the first two and fall in the third, and combined with
    IAM's log-odds.

    **When to use.** Where the request is like the retained records and hundreds of these are at hand: ahead
    of `iam` by 0.010 on random requests of Location-30 and by 0.025 on Adult, and by 0.03 to 0.04 at 1 % of
    retained records missed (lab book, monotone).

    **When it fails.** On requests that are harder or easier than the retained records its AUC is no fair
    figure: it tells models that have forgotten nothing from retained records as well as retrained ones (0.898
    and 0.898 on easy digits). No verdict rests on it (lab book, monotone).

    **Cost.** The original and one shadow model; 0.3 s for 7,300 records. Below 50 records of either kind it
    is IAM.

    References
    ----------
    A measure of our own: the lab book, monotone.
    """

def neighbourhood(*, nll: Any, neighbours: Any, preset: str = ...) -> Scores:
    r"""Loss minus the mean loss of texts that say nearly the same.

    Notes
    -----
    .. math::

        \mathrm{score} = \mathrm{nll}_u(x) - \frac{1}{K} \sum_{k=1}^{K} \mathrm{nll}_u(\tilde x_k)

    The tilde marks neighbours: texts that say nearly the same, in other words.

    **When to use.** Where no second model is at hand: how much better is this text known than what says
    nearly the same?

    **When it fails.** It is as good as the neighbours are; here a reference model proposes words from what
    comes before, where a masked model saw both sides as published. Against holdout texts it is at chance
    (0.467 under retraining; guide, language models).

    **Cost.** K + 1 passes of the model after unlearning, and those that propose the neighbours.

    References
    ----------
    Mattern et al.: Membership Inference Attacks against Language Models via Neighbourhood Comparison. Findings
    of ACL 2023, arXiv 2305.18462.
    """

def pac(*, tokens: Any, swapped: Any, high: float = 0.05, low: float = 0.3, preset: str = ...) -> Scores:
    r"""Polarised distance (best `high` share minus worst `low` share of log p) of the text minus that of swapped ones.

    A text known by heart has no bad tokens, and its swapped copies have: the lower, the more of it is known.

    Notes
    -----
    .. math::

        \mathrm{score} = d(x) - \frac{1}{K} \sum_{k=1}^{K} d(\tilde x_k), \qquad d(x) =
        \mathrm{mean}_{\mathrm{high}} \log p_u - \mathrm{mean}_{\mathrm{low}} \log p_u

    The tilde marks copies of the text with words swapped; the means are over the `high` best and the `low`
    worst share of tokens.

    **When to use.** Where no second model is at hand: a text known by heart has no bad tokens, and its
    swapped copies have.

    **When it fails.** It depends on how words are swapped. Against holdout texts it is at chance (0.477 under
    retraining; guide, language models).

    **Cost.** K + 1 passes of the model after unlearning.

    References
    ----------
    Ye et al.: Data Contamination Calibration for Black-box LLMs. Findings of ACL 2024, arXiv 2405.11930.
    """

def quantile(signals: Signals, *, trees: int = 60, folds: int = 5, preset: str = ...) -> Scores:
    r"""How far the scaled logit lies below the median of never-seen samples like it; larger = more unlearned.

    trees  boosted trees of 8 leaves for each of the three quantiles
    folds  into which the holdout samples are split where there is no `population`; a sample is never measured by a
           regression that it took part in

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{\lambda_u - q_{50}(x)}{\left( q_{84}(x) - q_{16}(x) \right) / 2}

    lambda is the scaled logit, and the q are quantiles of it among never-seen records of the same class and of
    the same share of probability among the other classes, by boosted trees.

    **When to use.** Where there is no shadow and no original, and never-seen records are many: it allows for
    the class, which `emia_population` does not.

    **When it fails.** Class and the shares of the other classes say little of a record's difficulty; the
    published regression sees its features, which signals do not hold. With two classes it sees the class
    alone. No table of the lab book measures it.

    **Cost.** No further model; three quantile regressions in five folds.

    References
    ----------
    Bertran, Tang, Kearns, Morgenstern, Roth, Wu: Scalable Membership Inference Attacks via Quantile Regression.
    NeurIPS 2023, arXiv 2307.03694.
    """

def random(signals: Signals, *, seed: int = 0, preset: str = ...) -> Scores:
    r"""Uniform noise, fixed by each sample's id: what a measure that knows nothing scores; its AUC is 0.5.

    Notes
    -----
    .. math::

        \mathrm{score}(x) = h(\mathrm{seed}, \mathrm{id}(x)) \in [0, 1)

    **When to use.** As a negative control beside every other measure: what a measure that knows nothing
    scores.

    **When it fails.** An AUC of it that excludes 0.5 says that something is wrong with the comparison, or
    that one interval in twenty was seen: from 0.486 to 0.548 in the nine comparisons of the lab book
    (results: which measure).

    **Cost.** No model, no time.

    References
    ----------
    A control.
    """

def ratio(*, nll: Any, out: Any, preset: str = ...) -> Scores:
    r"""Loss after unlearning over that of a model that never saw the text; 1 = as if never seen.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\mathrm{nll}_u}{\mathrm{nll}_{\mathrm{out}}}

    **When to use.** Where a reference model that never saw the texts is at hand and the original is not: an
    AUC of 0.912 on the published losses of 7,753 texts (loss alone 0.875; lab book, results: published
    figures).

    **When it fails.** A reference that saw the texts makes them look unlearned. Without the original it does
    not know how far a text was known to begin with: against holdout texts it stood at 0.335 under retraining
    (guide, language models).

    **Cost.** One pass of the model after unlearning and one of the reference.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """

def recall(*, nll: Any, prefixed: Any, preset: str = ...) -> Scores:
    r"""Loss over the loss behind a prefix of texts that were never seen: a prefix disturbs what is known by heart.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\mathrm{nll}_u(x)}{\mathrm{nll}_u(x \,|\, \mathrm{prefix})}

    The prefix is made of texts that no model saw.

    **When to use.** Where no second model is at hand but texts of the same kind that were never seen: a
    prefix of these disturbs what is known by heart.

    **When it fails.** It depends on the prefix. Against holdout texts it stood at 0.293 under retraining,
    below chance by the texts themselves (guide, language models).

    **Cost.** Two passes of the model after unlearning, the second over longer texts.

    References
    ----------
    Xie et al.: ReCaLL: Membership Inference via Relative Conditional Log-Likelihoods. EMNLP 2024, arXiv
    2406.15968.
    """

def rmia_offline(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", signal: Literal["softmax", "taylor_soft_margin"] = "softmax", gamma: float | None = None, ties: float = 0.5, preset: str = ...) -> Scores:
    r"""Share of never-seen samples that this one does not exceed, relative to shadows; 1 = none is exceeded.

    parameters  a named set of constants: "cifar10", "cinic10", "cifar100", "purchase", "texas", "location", and
                "texts": likelihoods of tokens as they are
    signal      "softmax", or "taylor_soft_margin" as published
    gamma       how many times the ratio must be exceeded; default: the set's
    ties        how an exact tie counts, from 0 (published) to 1

    The population is `population` with its `shadow_out`, or else the holdout samples.

    Notes
    -----
    .. math::

        r(x) = \frac{t_u(x)}{\frac{1 + a}{2} \, \bar t_S(x) + \frac{1 - a}{2}}, \qquad
        \mathrm{score}(x) = 1 - \frac{1}{|Z|} \left| \left\{ z \in Z : \frac{r(x)}{r(z)} > \gamma \right\}
        \right|

    t is a model's confidence in the true label, the bar its mean over shadow models, of which 20 % are trimmed
    on either side; Z is the population of never-seen records.

    **When to use.** Where the original is not at hand, and shadows and never-seen records are: 0.921 on
    random requests of Location-30 (`iam` 0.974; lab book, results: which measure).

    **When it fails.** Without the original it does not know what the record was fitted to: it is behind its
    online form on every random request, and on part of a class of CIFAR-10 below chance (0.446; lab book,
    results). As published, the Taylor soft margin is negative for very wrong records, so that ratios change
    their sign. Its constants were chosen for six data sets.

    **Cost.** One shadow model and a population with the shadows' outputs; sorting the population once.

    References
    ----------
    Zarifzadeh, Liu, Shokri: Low-Cost High-Power Membership Inference Attacks. ICML 2024, arXiv 2312.03262.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def rmia_online(signals: Signals, *, parameters: Literal["cifar10", "cinic10", "cifar100", "purchase", "texas", "location", "texts"] = "cifar10", signal: Literal["softmax", "taylor_soft_margin"] = "softmax", gamma: float | None = None, ties: float = 0.5, preset: str = ...) -> Scores:
    r"""As `rmia_offline`, with the original as the model that saw the sample; options as there.

    Needs `population` (with its `shadow_out`) and `population_in`, a model trained on the population. On texts gamma
    is 1; the published 2 ties every text that is not far likelier than the others.

    Notes
    -----
    .. math::

        r(x) = \frac{t_u(x)}{\frac{1}{2} \left( \bar t_S(x) + t_O(x) \right)}, \qquad
        \mathrm{score}(x) = 1 - \frac{1}{|Z|} \left| \left\{ z \in Z : \frac{r(x)}{r(z)} > \gamma \right\}
        \right|

    As `rmia_offline`, with the original O as the one model that saw the record, counted as often as there are
    shadows; for the population that is the model in `population_in`.

    **When to use.** On photographs: first on random requests of CIFAR-10 in both studies (0.714; lab book,
    results: which measure; 0.708; reproduction, Table 1).

    **When it fails.** It needs one more model, trained on the population. On Location-30 it was behind `iam`
    (0.948; 0.974). As published on texts (gamma 2) it gives nearly all texts one score: an AUC of 55 where
    the others have 100 (reproduction, Table 6).

    **Cost.** The original, one shadow model, and a model trained on the population.

    References
    ----------
    Zarifzadeh, Liu, Shokri: Low-Cost High-Power Membership Inference Attacks. ICML 2024, arXiv 2312.03262.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def rmia_ratio(signals: Signals, *, preset: str = ...) -> Scores:
    r"""Log of the mean reference confidence over that of the unlearned model; 0 = as confident as the references.

    The references are the shadows, and the original with the same weight where it is there.

    Notes
    -----
    .. math::

        \mathrm{score} = \log \frac{\frac{1}{2} \left( \bar p_S + p_O \right)}{p_u}

    p is the confidence in the true label; without the original its place is empty, and the mean over the
    shadows stands alone. It is the limit of RMIA without population: no constants, no steps, no ties.

    **When to use.** Where `rmia_online` would be taken and no population is at hand: level with it on
    CIFAR-10 (0.709; 0.714), and at a strict error rate too (0.128 of forgotten records recognised at 1 % of
    retained ones missed; lab book, results: which measure).

    **When it fails.** On tables with many classes it is far behind `iam`: 0.878 on Location-30 (0.974; lab
    book, results). With p-values from exchanged shadows it accuses up to 13 % at a promised 5 % (lab book,
    calibration).

    **Cost.** One shadow model, better with the original.

    References
    ----------
    Zarifzadeh, Liu, Shokri: Low-Cost High-Power Membership Inference Attacks. ICML 2024, arXiv 2312.03262.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def samia(signals: Signals, *, folds: int = 3, epochs: int = 20, optimiser: Literal["adam", "sgd"] = "adam", limit: int = 4000, seed: int = 0, preset: str = ...) -> Scores:
    r"""Non-membership by a transformer on output, sensitivity and label.

    folds      parts for cross-fitting; 1: one attacker that has seen what it scores
    epochs     of the attacker's training
    optimiser  "adam", or "sgd" as published
    limit      at most so many members and non-members train the attacker

    Notes
    -----
    .. math::

        s_k = \frac{1}{m} \sum_{i=1}^{m} \frac{|f_k(x + \sigma \xi_i) - f_k(x)|}{\sigma}, \qquad
        \mathrm{score} = \log \frac{P(\mathrm{non\,member} \,|\, p, s, y)}{P(\mathrm{member} \,|\, p, s, y)}

    s is the sensitivity of the output to noise in the input, and the attacker is a transformer with a token
    (p_k, s_k, is k the label) for each class. Members are the retained records, non-members the holdout
    records.

    **When to use.** On part of a class: 0.968 on Location-30 and 0.789 on CIFAR-10, ahead of all others (lab
    book, results: which measure). There it sees the sensitivity, which the output does not show.

    **When it fails.** It is a measure of the unlearned model alone: 0.543 on random requests of Adult, 0.629
    of CIFAR-10, behind a plain difference (lab book, results). As published it scores records that it was
    fitted on.

    **Cost.** Ten more passes over all records for the sensitivity, and the training of the attacker: two
    minutes where others take milliseconds.

    References
    ----------
    Yuan and Zhang: Membership Inference Attacks and Defenses in Neural Network Pruning. USENIX Security 2022;
    the attacker of Sharma et al. 2024 (Discriminative Adversarial Unlearning).
    """

def scaled_logit_difference(signals: Signals, *, preset: str = ...) -> Scores:
    r"""logit p_o - logit p_u: how much the log-odds of the true label fell; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = \lambda_O - \lambda_u, \qquad \lambda = \log \frac{p}{1 - p}

    **When to use.** Where the original is very sure of everything, so that a difference of confidences rounds
    to 0: near `iam` on random requests of Location-30, without any shadow (0.966; 0.974; lab book, results:
    which measure).

    **When it fails.** The further out, the larger the difference of logits that means nothing: 0.604 on
    random requests of Adult, where the difference of confidences has 0.659, and 0.026 recognised at 1 % of
    retained records missed, where that has 0.176 (lab book, results).

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """

def surp(*, tokens: Any, share: float = 0.4, max_entropy: float = 2.0, preset: str = ...) -> Scores:
    r"""Minus the mean log p of tokens in the lowest `share` whose prediction has an entropy below `max_entropy` nats.

    A text without such tokens scores as its least likely token does.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \log p_u(x_t \,|\, x_{<t}), \qquad
        M = \left\{ t : \log p_u(x_t \,|\, x_{<t}) \le q_s, \; H_t < h \right\}

    q_s is the quantile of the text's own log-probabilities at `share`, H_t the entropy of the prediction and h
    is `max_entropy`.

    **When to use.** As `min_k`, on tokens where the model is sure and wrong.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (guide, language models). It tells forgotten from retained
    texts least sharply of a model that was taught wrong texts: an AUC of 72, where `loss` has 99
    (reproduction, Table 6).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Zhang, Wu: Adaptive Pre-training Data Detection for Large Language Models via Surprising Tokens. 2024, arXiv
    2407.21248.
    """

def unleak(signals: Signals, *, attack: Literal["logistic", "mlp"] = "logistic", seed: int = 0, preset: str = ...) -> Scores:
    r"""Probability that the sample was deleted, by a classifier trained on simulated deletions.

    Notes
    -----
    .. math::

        \phi(x) = \pi\left( p_O(x) \right) - \pi\left( p_u(x) \right), \qquad \mathrm{score} =
        P(\mathrm{deleted} \,|\, \phi(x))

    pi keeps the three largest probabilities, levels all others and sorts by the original. The classifier is
    trained on simulated deletions between shadow models. In `recommended` it also sees the scaled logits of the
    true label.

    **When to use.** Where simulated deletions are at hand (three shadows or more): 0.973 on random requests
    of Location-30, level with `iam` (0.974; lab book, results: which measure).

    **When it fails.** On photographs and on parts of classes it is behind `iam` (0.675; 0.691), and as
    published its network has next to nothing to learn from where shadows are grouped: below chance with eight
    (37; reproduction, Figure 5).

    **Cost.** The original, three shadow models or more with their outputs on the pool, and one regression.

    References
    ----------
    Chen, Zhang, Wang, Backes, Humbert, Zhang: When Machine Unlearning Jeopardizes Privacy. CCS 2021, arXiv
    2005.02205.

    In the form in which Wang et al. 2025 (IAM) use it, arXiv 2506.06112.

    Examples
    --------
    >>> import numpy as np
    >>> import vestige
    >>> from vestige.measures import unleak
    >>> rng = np.random.default_rng(0)
    >>> def deleted(n):
    ... # n records of 5 classes, half of them deleted: the unlearned model is less sure of these
    ...     labels, role = rng.integers(0, 5, n), np.repeat(["forget", "retain"], n // 2)
    ...     fit = np.eye(5)[labels]
    ...     original, unlearned = rng.normal(size=(2, n, 5)) + 4 * fit
    ...     unlearned[: n // 2] -= 2 * fit[: n // 2]
    ...     return vestige.Signals(labels, unlearned, original, role=role)
    >>> unleak(deleted(40).with_(calibration=deleted(100))).shape
    (40,)
    """

def update_lira(signals: Signals, *, variance: Literal["pooled", "per_sample"] = "pooled", preset: str = ...) -> Scores:
    r"""Drop of the sample's quantile among never-seen models, from the original to the unlearned; 0 = unchanged.

    With one shadow and the published variance, the score is -1, 0 or 1.

    Notes
    -----
    .. math::

        \mathrm{score} = \Phi\left( \frac{\lambda_O - \mu_S}{\sigma_S} \right) - \Phi\left( \frac{\lambda_u
        - \mu_S}{\sigma_S} \right)

    lambda is the scaled logit, Phi the normal distribution function: how far the record's quantile among
    never-seen models has fallen.

    **When to use.** Where a change is to be shown on a scale that never-seen models set: from two shadows on
    it gains most of all measures (73 to 90 on Location-30; reproduction, Figure 5).

    **When it fails.** With one shadow and the published variance the score is -1, 0 or 1. Both terms saturate
    where a record lies far from the shadows, and then no change is seen: at 1 % of retained records missed it
    recognises 0.62 of Location-30, `iam` 0.84 (lab book, results: which measure).

    **Cost.** The original and one shadow model; two or more as published.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """

def zlib(*, tokens: Any, texts: Any, per: Literal["byte", "ratio"] = "byte", preset: str = ...) -> Scores:
    r"""Loss measured against how well a compressor that knows nothing does on the text.

    per  "byte": whole loss over compressed bytes; "ratio": mean token loss over compressed bytes per character, as
         published

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\sum_t -\log p_u(x_t \,|\, x_{<t})}{\mathrm{bytes}(\mathrm{zlib}(x))}

    **When to use.** Where no second model is at hand: a compressor is the reference that never saw anything.

    **When it fails.** A compressor sees repetition, and not how hard a text is to a language model: 0.470
    against holdout texts under retraining, and no better than the loss on forgotten against retained texts
    (guide, language models; reproduction, Table 6).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """

def __getattr__(name: str) -> Callable[..., Scores]: ...
