"""Measures on texts that compare one mean token loss with another, or with none.

In nats. Published as membership attacks; turned here, so that larger = more unlearned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.measures.registry import register

Floats = NDArray[np.float64]


@register("loss", texts=("nll",), unit="nats", cites="Yeom et al. 2018")
def loss(nll: Floats) -> Floats:
    r"""Mean token loss after unlearning; knows neither the text's difficulty nor what it was before.

    Notes
    -----
    .. math::

        \mathrm{score} = \mathrm{nll}_u = -\frac{1}{T} \sum_{t=1}^{T} \log p_u(x_t \,|\, x_{<t})

    **When to use.** Where there is nothing but the model after unlearning: an AUC of 0.875 on the published
    losses of 7,753 texts of a retrained model (lab book, results: published figures).

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (lab book, texts). It calls models unlearned that
    were taught to refuse or taught wrong texts (reproduction, Tables 6 and 7).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha: Privacy Risk in Machine Learning: Analyzing the Connection to
    Overfitting. CSF 2018, arXiv 1709.01604.
    """
    return nll


@register("ratio", texts=("nll", "out"), unit="1", cites="Carlini et al. 2021")
def ratio(nll: Floats, out: Floats) -> Floats:
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
    (lab book, texts).

    **Cost.** One pass of the model after unlearning and one of the reference.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """
    return nll / np.maximum(out, 1e-12)


@register("lowercase", texts=("nll", "lower"), unit="1", cites="Carlini et al. 2021")
def lowercase(nll: Floats, lower: Floats) -> Floats:
    r"""Loss over the loss of the lowercased text: what is known by heart suffers from another writing.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\mathrm{nll}_u(x)}{\mathrm{nll}_u(\mathrm{lower}(x))}

    **When to use.** Where no second model is at hand: the text in another writing is the reference.

    **When it fails.** It needs texts whose capitals carry something: in code, lists or languages without
    capitals it says nothing. Against holdout texts it is at chance (0.464 under retraining; lab book, texts).

    **Cost.** Two passes of the model after unlearning.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """
    return nll / np.maximum(lower, 1e-12)


@register("recall", texts=("nll", "prefixed"), unit="1", cites="Xie et al. 2024 (ReCaLL)")
def recall(nll: Floats, prefixed: Floats) -> Floats:
    r"""Loss over the loss behind a prefix of texts that were never seen: a prefix disturbs what is known by heart.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\mathrm{nll}_u(x)}{\mathrm{nll}_u(x \,|\, \mathrm{prefix})}

    The prefix is made of texts that no model saw.

    **When to use.** Where no second model is at hand but texts of the same kind that were never seen: a
    prefix of these disturbs what is known by heart.

    **When it fails.** It depends on the prefix. Against holdout texts it stood at 0.293 under retraining,
    below chance by the texts themselves (lab book, texts).

    **Cost.** Two passes of the model after unlearning, the second over longer texts.

    References
    ----------
    Xie et al.: ReCaLL: Membership Inference via Relative Conditional Log-Likelihoods. EMNLP 2024, arXiv
    2406.15968.
    """
    return nll / np.maximum(prefixed, 1e-12)


@register("neighbourhood", texts=("nll", "neighbours"), unit="nats", cites="Mattern et al. 2023")
def neighbourhood(nll: Floats, neighbours: Floats) -> Floats:
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
    (0.467 under retraining; lab book, texts).

    **Cost.** K + 1 passes of the model after unlearning, and those that propose the neighbours.

    References
    ----------
    Mattern et al.: Membership Inference Attacks against Language Models via Neighbourhood Comparison. Findings
    of ACL 2023, arXiv 2305.18462.
    """
    return np.asarray(nll - neighbours.mean(axis=1))
