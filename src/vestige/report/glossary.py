"""The glossary: what the words of the reports mean. A page names the terms that it explains.

A report holds its own glossary and leads there wherever a term stands; the site has one for all. An entry has the same
anchor in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TERMS: dict[str, str] = {
    # audits
    "Score": "One number per sample and measure. All point the same way: larger = more unlearned.",
    "Under-unlearned": (
        "The model still treats the sample more like one it was trained on than like one it never saw."
    ),
    "Over-unlearned": (
        "The sample looks worse than it would to a model that never saw it. That is damage, and it also gives "
        "the deletion away."
    ),
    "p_under": (
        "How often a sample that was truly unlearned would look at least as fitted as this one. Small = "
        "suspicion of a remaining trace."
    ),
    "p_over": (
        "How often a sample that was truly unlearned would look at least as damaged as this one. Small = "
        "suspicion of over-unlearning."
    ),
    "Completeness": (
        "Of the request: 0 = like records that the model still has, 1 = like records that it never saw, above "
        "1 = further away. Its interval holds with the error rate of the verdict. What is left of the "
        "influence is 1 minus the completeness."
    ),
    "Degree": (
        "Of one record: the degree of unlearning at which its score would be usual, in brackets those at "
        "which it would not be surprising; 0 = untouched, 1 = exactly deleted. The ends of the scale say “or "
        "less”, “or more”."
    ),
    "Could be untouched unseen": (
        "So many of the records could be as whole as kept ones, and this audit would not have seen it."
    ),
    "Trace": (
        "The score that the verdict rests on: how much more the model fits a record than never-seen records "
        "of the same difficulty and class, with the sign turned, so that larger = more unlearned."
    ),
    "Controls": (
        "Checks of the measurement itself. Where a control of the reference fails, the never-seen records are "
        "not comparable, and nothing is said. Where a control of the sharpness fails, traces that are there "
        "were not seen: nobody is cleared, and nothing is called over-unlearned."
    ),
    "Forget, retain, holdout": (
        "Samples to be unlearned; samples the model keeps; samples no audited model was trained on."
    ),
    "Shadow model": "A model trained alike that never saw the samples: the reference for 'never saw it'.",
    "Closer to retrain": (
        "Neither higher nor lower is better: the best value is that of a model retrained without the forget "
        "samples."
    ),
    "Newly exposed": (
        "Of a retained record: the model before the deletion does not show that it was trained on it, and the "
        "models before and after together do (TC-UMIA, Fu et al. 2026)."
    ),
    "Damaged": (
        "Of a retained record: the model before tells it from never-seen ones, and the audited model treats it as "
        "one of these; such falls are rarer under exact retraining, where as many records rise as fall."
    ),
    "Features": (
        "What the last layer of a network reads of a sample. A linear probe is a logistic regression that reads the "
        "class from them; the mixture estimate says where its margins lie between those of never-seen samples (0) and "
        "of retained ones (1)."
    ),
    "Undecided": "Not an acquittal: the evidence at hand cannot answer. The limits say what is missing.",
    # texts
    "Loss": (
        "Minus the mean log-probability of a text's tokens, in nats; larger = the model finds it less likely."
    ),
    "Reference": "A model that never saw the texts: what a text's difficulty is measured against.",
    "Trace of a token": (
        "How much likelier a token is to the unlearned model than to the reference, in nats."
    ),
    "Retained, holdout": "Texts that the model was trained on and still has; texts that it never saw.",
    # two versions of a model
    "AUC": "Probability that a record of the status that is looked for scores above another; 0.5 = chance.",
    "One version, two versions": (
        "Whether the adversary sees the model before the deletion only, or before and after."
    ),
    "Gain": (
        "AUC of the attack on two versions minus that of the strongest one on one version: what the deletion "
        "itself gives away, rather too small than too large."
    ),
    "TPR at 1 % FPR": (
        "Share of the records found while one in a hundred others is wrongly accused; chance: 1 %."
    ),
    "95 %": "Interval over resampled sets: records asked of one model are not independent of each other.",
    "Threshold": "A score that needs no attack model and no training; larger = more likely.",
    # the papers' tables
    "Value": "Mean over splits or seeds, ± half the width of its 95 % interval (Student) from three on.",
    "In brackets": "The value printed in the paper for that cell, at the paper's scale.",
    "Bold": "The best of its column; exact retraining and controls are not in the race.",
    "Negative control": "A measure that knows nothing: it must come out at chance, or the table is wrong.",
    "Positive control": "Exact retraining: it must come out at no distance from retraining.",
    "Toy data": "Data that come with the library and are too easy to conclude from.",
}

ABBREVIATIONS: dict[str, str] = {
    # figures
    "UA": "unlearning accuracy, 100 % minus the accuracy on the forget samples",
    "RA": "remaining accuracy, on the retained samples",
    "TA": "test accuracy, on samples that no model saw",
    "MIA": "membership inference attack, which guesses whether a sample was in the training set",
    "ROC": "receiver operating characteristic, the curve of true against false positives over all thresholds",
    "AUC": "area under the ROC curve; 0.5 = chance, 1 = always right",
    "TPR": "true positive rate, the share of what is looked for that is found",
    "FPR": "false positive rate, the share of all others that is taken for it",
    "TNR": "true negative rate, the share of all others that is not taken for it",
    "FNR": "false negative rate, the share of what is looked for that is missed",
    "FDR": "false discovery rate, the share of wrong ones among what was found",
    "BinUI": "binary unlearning inference: was a sample unlearned, or never seen?",
    "ScoreUI": "score-based unlearning inference: how far was a sample unlearned?",
    # measures and methods, by their papers' names
    "IAM": "interpolated approximate measurement, a measure of completeness (Wang et al. 2025)",
    "LiRA": "likelihood ratio attack (Carlini et al. 2022)",
    "RMIA": "robust membership inference attack (Zarifzadeh et al. 2024)",
    "EMIA": "enhanced membership inference attacks (Ye et al. 2022)",
    "SAMIA": "self-attention membership inference attack (Yuan and Zhang 2022)",
    "DAU": "discriminative adversarial unlearning (Sharma et al. 2024)",
    "SISA": "sharded, isolated, sliced and aggregated training (Bourtoule et al. 2021)",
    "SSD": "selective synaptic dampening (Foster et al. 2024)",
    # statistics and training
    "ECDF": "empirical cumulative distribution function",
    "KDE": "kernel density estimate",
    "DP": "differential privacy",
    "SGD": "stochastic gradient descent",
    "MLP": "multilayer perceptron, a network of fully connected layers",
    "CNN": "convolutional neural network",
    # files and rules
    "GDPR": "General Data Protection Regulation of the European Union",
    "DSSE": "Dead Simple Signing Envelope, a format of signed files",
    "HMAC": "hash-based message authentication code, a digest that only the holder of a key can make",
}
"""What short words stand for: the site explains them wherever they stand."""


def anchor(term: str) -> str:
    """Return the anchor of an entry, in a report and on the page of the site: "term-Shadow-model".

    It is the one that Sphinx gives an entry of a glossary.
    """
    return "term-" + re.sub(r"[^a-zA-Z0-9._]+", "-", term).strip("-")


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Return what terms and abbreviations mean, in sentences: of one that is both, first what it stands for."""
    texts = {}
    for name in names:
        long = ABBREVIATIONS.get(name)
        words = [f"{long[0].upper()}{long[1:]}."] if long else []
        texts[name] = " ".join([*words, *([TERMS[name]] if name in TERMS else [])])
    return texts
