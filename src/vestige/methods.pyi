# Written by tests/stubs.py from the registry; do not edit: make stubs
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

from vestige.data import Split
from vestige.unlearning import Unlearned

class Settings(TypedDict, total=False):
    preset: str
    recipe: Any
    seed: int
    device: str
    progress: bool
    max_epochs: float | None
    max_seconds: float | None
    on_epoch: Callable[[Any], bool | None] | None

class Steps(Settings, total=False):
    epochs: int
    lr: float
    optimizer: Literal["sgd", "adam", "adamw"]
    momentum: float
    nesterov: bool
    weight_decay: float
    batch_size: int
    schedule: Literal["constant", "cosine", "onecycle", "multistep"]
    milestones: tuple[int, ...]
    anneal: Literal["step", "epoch"]
    augment: Literal["none", "flip", "crop_flip", "auto"]
    freeze_batchnorm: bool

def activation_reset(model: Any, split: Split, *, share: float = 0.8, **settings: Unpack[Steps]) -> Unlearned:
    """Draw anew the kernels that are more active on the forget samples, and the last layer; then finetune.

    Parameters
    ----------
    share : float
        Of a kernel's output positions that must be higher on the forget samples.
    """

def amnesiac_ascent(model: Any, split: Split, **settings: Unpack[Steps]) -> Unlearned:
    """Add a fresh network's gradients on the forget samples to the trained weights; reads nothing else.
    """

def bad_teacher(model: Any, split: Split, *, share: float = 0.3, temperature: float = 1.0, **settings: Unpack[Steps]) -> Unlearned:
    """Follow a random network on forget samples and the original on retained ones.

    Parameters
    ----------
    share : float
        Of the retained samples that are used.
    temperature : float
        Of both softmaxes.
    """

def boundary_expanding(model: Any, split: Split, *, keep_features: bool = True, **settings: Unpack[Steps]) -> Unlearned:
    """Send the forget samples to an additional class, which is dropped afterwards; reads nothing else.

    Parameters
    ----------
    keep_features : bool
        Keep what the layers before the last have learnt, not only the last one's other rows.
    """

def boundary_shrink(model: Any, split: Split, *, radius: float = 0.1, **settings: Unpack[Steps]) -> Unlearned:
    """Finetune the forget samples to the nearest other class; reads nothing else.

    Parameters
    ----------
    radius : float
        Of the step in input space that finds it.
    """

def certified_newton(model: Any, split: Split, *, delta: float = 0.0001, max_epsilon: float | None = None, **settings: Unpack[Settings]) -> Unlearned:
    """One Newton step off the forget samples, with a certificate where the model was trained for it.

    A `CertifiedLinear` comes back with `certificate_`. A fitted LogisticRegression with an l2 penalty gets the same
    step and no certificate. Raises `InputError` for other models, and where the model is not at its own minimum, as
    the derivation needs.

    Parameters
    ----------
    delta : float
        Of the certificate.
    max_epsilon : float or None
        Refuse where epsilon would exceed this; then retrain.
    """

def cf_k(model: Any, split: Split, *, k: int = 1, **settings: Unpack[Steps]) -> Unlearned:
    """Finetune the last k layers on the retained samples, the others frozen.

    Parameters
    ----------
    k : int
        Layers with weights of their own, counted from the logits back.
    """

def dau(model: Any, split: Split, *, adversarial: float = 0.9, selfsupervised: float = 0.001, copies: int = 10, sigma: float = 0.001, inputs: Literal["softmax", "logits"] = "softmax", pairing: Literal["moment", "random"] = "moment", own_batchnorm: bool = False, match_classes: bool = True, pretrain: int = 300, pretrain_on: Literal["forget", "train"] = "forget", fresh_rows: bool = False, bound: float | None = 0.5, class_unseen: Literal["others", "same", "all"] = "others", class_label: bool = False, class_pushed: Literal["forget", "both"] = "forget", class_selfsupervised: float = 0.0, class_floor: float = 1.5, class_lr: float = 0.01, class_steps: int | None = None, switch_after: int = 30, switch_lr: float = 0.01, switch_schedule: Literal["cosine", "constant"] = "cosine", switch_every: int = 5, **settings: Unpack[Steps]) -> Unlearned:
    """Train against an attacker until forget samples look to it like samples never seen.

    Where whole classes are forgotten, which the request decides, there is a game and then finetuning:

    Parameters
    ----------
    adversarial : float
        lambda, weight of the attacker's verdict.
    selfsupervised : float
        gamma, weight of the features' agreement.
    copies, sigma
        Noisy copies for the sensitivity, and their noise; the cost grows with the copies.
    inputs : {"softmax", "logits"}
        What the attacker sees of an output: "softmax" or "logits".
    pairing : {"moment", "random"}
        Of features: "moment" matches mean and covariance, "random" pairs rows at random.
    own_batchnorm : bool
        Run attacker batches in training mode, by their own batch statistics.
    match_classes : bool
        Take unseen samples of the forget samples' classes only.
    pretrain : int
        Steps that the attacker is trained before the game.
    pretrain_on : {"forget", "train"}
        Its members: "forget" samples, or the whole "train" set.
    fresh_rows : bool
        Draw, augment and answer each batch of it anew, in the mode of the game's; else each sample once, as
        it is, in evaluation mode.
    bound : float or None
        Largest length of the game's gradient, as a share of that of the retained samples' loss: below 1 that
        loss still falls with every step; None: no bound.
    class_unseen : {"others", "same", "all"}
        In place of `match_classes`: unseen samples of the "others", of the "same" classes, or of "all".
    class_label : bool
        Whether the attacker's rows show the label, as they do otherwise.
    class_pushed : {"forget", "both"}
        Whom the classifier's step moves, "forget" samples or "both" groups, as it does otherwise.
    class_selfsupervised : float
        In place of `selfsupervised`.
    class_floor : float
        Length up to which the game's gradient is not cut by `bound`; 0 otherwise.
    class_lr : float
        Learning rate of the game, in place of `lr` and its schedule.
    class_steps : int or None
        Steps in all, the game's among them, in place of `epochs`; None: the game, and then `epochs` passes.
    switch_after : int
        Steps of the game.
    switch_lr : float
        Learning rate of the finetuning, the highest of the schedule.
    switch_schedule : {"cosine", "constant"}
        Of the finetuning: "cosine" down to 0, or "constant".
    switch_every : int
        How often a step of the finetuning is one of the game too: each fifth; 0: none is.
    """

def deltagrad(model: Any, split: Split, *, period: int = 5, burn_in: int = 10, pairs: int = 2, **settings: Unpack[Settings]) -> Unlearned:
    """Replay a recorded training without the forget samples; for models trained by `record`.

    Parameters
    ----------
    period : int
        Steps from one true gradient to the next.
    burn_in : int
        First steps with true gradients.
    pairs : int
        Differences that the curvature is taken from.
    """

def eu_k(model: Any, split: Split, *, k: int = 1, **settings: Unpack[Steps]) -> Unlearned:
    """Draw the last k layers anew and train them on the retained samples, the others frozen.

    Parameters
    ----------
    k : int
        Layers with weights of their own, counted from the logits back.
    """

def finetune(model: Any, split: Split, **settings: Unpack[Steps]) -> Unlearned:
    """Continue training on the retained samples only; cheap, removes little.
    """

def fisher_forgetting(model: Any, split: Split, *, alpha: float = 1e-08, fisher: Literal["per_sample", "batch_mean"] = "per_sample", batch_size: int = 32, short_last: bool = False, **settings: Unpack[Settings]) -> Unlearned:
    """Add noise by the inverse Fisher information of the retained samples; no gradient step is taken.

    Parameters
    ----------
    alpha : float
        The noise's scale; too small does nothing, too large destroys.
    fisher : {"per_sample", "batch_mean"}
        Squared gradients "per_sample", with a label drawn from the model, or of each "batch_mean", over
        labels.
    batch_size : int
        Samples in such a batch; per sample, of speed only.
    short_last : bool
        Of "batch_mean": the last batch holds what is left over, else all are of one size, to one sample.
    """

def forsaken(model: Any, split: Split, *, iterations: int = 100, lr: float = 0.001, penalty: float = 0.01, batch_size: int = 256, **settings: Unpack[Settings]) -> Unlearned:
    """Shift the weights until forget samples answer, on average, like samples never seen.

    Parameters
    ----------
    iterations : int
        Steps of the update.
    lr : float
        Of Adam.
    penalty : float
        On the size of the update, times the loss on retained samples.
    batch_size : int
        Forget, retained and unseen samples in a step, each.
    """

def gradient_ascent(model: Any, split: Split, *, stop_at_uniform: bool = True, **settings: Unpack[Steps]) -> Unlearned:
    """Maximise the loss on the forget samples; reads nothing else, easily over-unlearns.

    Parameters
    ----------
    stop_at_uniform : bool
        Stop at the first epoch whose mean forget loss is that of a uniform guess, or above.
    """

def hybrid(model: Any, split: Split, *, true_label: bool = False, poison_lr: float = 0.01, **settings: Unpack[Steps]) -> Unlearned:
    """Poison with a large step, then repair on the retained samples.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?
    poison_lr : float
        Learning rate of the first stage.
    """

def influence(model: Any, split: Split, *, alpha: float = 1.0, solver: Literal["conjugate_gradient", "first_order"] = "conjugate_gradient", damping: float = 0.01, iterations: int = 10, samples: int = 1000, radius: float = 0.1, **settings: Unpack[Settings]) -> Unlearned:
    """One Newton step away from the forget samples.

    Parameters
    ----------
    alpha : float
        Length of the step; 1 = the whole Newton step.
    solver : {"conjugate_gradient", "first_order"}
        "conjugate_gradient" divides by the curvature, "first_order" steps along the gradients themselves; it
        reads none of the options below.
    damping : float
        Added to the curvature; larger = shorter, safer steps.
    iterations : int
        Of conjugate gradients, each two passes over the samples.
    samples : int
        Retained samples that the curvature is taken on.
    radius : float
        Largest step, in units of the length of all weights.
    """

def l1_sparse(model: Any, split: Split, *, alpha: float = 0.0005, plain_epochs: int = 0, vectors: bool = False, **settings: Unpack[Steps]) -> Unlearned:
    """Finetune with an l1 penalty that falls to zero.

    Parameters
    ----------
    alpha : float
        Weight of the penalty at the start.
    plain_epochs : int
        Last epochs without penalty.
    vectors : bool
        Penalise biases and normalisation scales too.
    """

def l_codec(model: Any, split: Split, *, perturbations: int = 1000, noise: float = 0.1, ridge: float = 0.01, samples: int = 512, most: int = 20, batch_size: int = 64, scale: float = 1.0, standardise: bool = True, preselect: bool = True, **settings: Unpack[Settings]) -> Unlearned:
    """One Newton step on the channels that matter for the forget samples.

    Parameters
    ----------
    perturbations : int
        How often the batch is perturbed.
    noise : float
        Deviation of the perturbations, in input space.
    ridge : float
        Added to the Hessian.
    samples : int
        Retained samples that it is taken on.
    most : int
        Channels at most.
    batch_size : int
        Forget samples in the perturbed batch.
    scale : float
        Length of the step; 1 = the whole Newton step.
    standardise : bool
        Give all channels' activations one spread before neighbours are looked for.
    preselect : bool
        Try only the channels that correlate most with the loss, four times `most`.
    """

def negative_gradient_plus(model: Any, split: Split, *, alpha: float = 0.95, ceiling: float | None = 10.0, **settings: Unpack[Steps]) -> Unlearned:
    """Descend on retained and climb on forget samples in every step.

    Parameters
    ----------
    alpha : float
        Weight of the retained samples, from 0 to 1; 1 is finetuning.
    ceiling : float or None
        Loss in nats from which on a forget sample is not climbed any further; None: there is none.
    """

def poison(model: Any, split: Split, *, true_label: bool = False, **settings: Unpack[Steps]) -> Unlearned:
    """Fit random labels on the forget samples; reads nothing else.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?
    """

def poison_full(model: Any, split: Split, *, true_label: bool = False, **settings: Unpack[Steps]) -> Unlearned:
    """Fit random labels on the forget samples and true ones on the retained, in one set.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?
    """

def random_labels(model: Any, split: Split, *, true_label: bool = False, **settings: Unpack[Steps]) -> Unlearned:
    """Fit wrong labels on the forget samples and true ones on the retained, epoch by epoch.

    Parameters
    ----------
    true_label : bool
        May the drawn label be the true one?
    """

def retrain(model: Any, split: Split, *, mask: Literal["recompute", "keep"] = "recompute", **settings: Unpack[Settings]) -> Unlearned:
    """Train from scratch on the retained samples; exact.

    Needs `recipe=`, how the original was trained; a scikit-learn model brings its own settings.

    Parameters
    ----------
    mask : {"recompute", "keep"}
        Of a sparse model: "recompute" it from the retained samples, or "keep" it (then not exact).
    """

def salun(model: Any, split: Split, *, share: float = 0.5, true_label: bool = False, **settings: Unpack[Steps]) -> Unlearned:
    """Random labels on the salient weights only.

    Parameters
    ----------
    share : float
        Of the weights that may change, those with the largest gradients on the forget samples.
    true_label : bool
        May the drawn label be the true one?
    """

def scrub(model: Any, split: Split, *, alpha: float = 0.5, gamma: float = 1.0, msteps: int = 3, temperature: float = 2.0, ceiling: float | None = 10.0, **settings: Unpack[Steps]) -> Unlearned:
    """Move away from the original on forget samples, stay with it on retained ones, in turns.

    Parameters
    ----------
    alpha, gamma : float
        Weights of the teacher and of the labels on the retained samples.
    msteps : int
        Epochs that begin with a pass over the forget samples.
    temperature : float
        Of both softmaxes in the KL divergence.
    ceiling : float or None
        Divergence in nats from which on a forget sample is not driven any further; None: there is none.
    """

def selective_pruning(model: Any, split: Split, *, quantile: float = 0.3, overfit_epochs: int = 20, **settings: Unpack[Steps]) -> Unlearned:
    """Draw anew, in every layer, the weights that overfitting on the forget samples moves least; then finetune.

    Parameters
    ----------
    quantile : float
        Share of a layer's weights that is drawn anew.
    overfit_epochs : int
        Of the copy on the forget samples.
    """

def selective_pruning_complex(model: Any, split: Split, *, quantile: float = 0.3, overfit_epochs: int = 20, **settings: Unpack[Steps]) -> Unlearned:
    """Draw anew what both forget and retained samples leave alone; then finetune.

    Parameters
    ----------
    quantile : float
        Share of a layer's weights that each of the two copies proposes.
    overfit_epochs : int
        Of the copies, on the forget samples and on some of the retained.
    """

def selective_pruning_last_layer(model: Any, split: Split, *, quantile: float = 0.3, overfit_epochs: int = 20, **settings: Unpack[Steps]) -> Unlearned:
    """The same in the last linear layer only.

    Parameters
    ----------
    quantile : float
        Share of its weights that is drawn anew.
    overfit_epochs : int
        Of the copy on the forget samples.
    """

def sisa(model: Any, split: Split, **settings: Unpack[Settings]) -> Unlearned:
    """Refit the touched shards of a SISA ensemble from their first touched slice on; exact, for SISA models only.

    `slices_trained` of the result says how many slices were trained.
    """

def ssd(model: Any, split: Split, *, alpha: float = 10.0, dampening: float = 1.0, importance: Literal["per_sample", "batch_mean"] = "per_sample", batch_size: int = 64, mixed: bool = True, short_last: bool = False, clip: float | None = None, own_batchnorm: bool = False, **settings: Unpack[Settings]) -> Unlearned:
    """Dampen the weights that the forget samples need most; no gradient step is taken.

    Parameters
    ----------
    alpha : float
        How many times more important to the forget set a weight must be; larger = fewer are touched.
    dampening : float
        lambda, how much of such a weight is left.
    importance : {"per_sample", "batch_mean"}
        Squared gradients "per_sample", or of each "batch_mean"; the former reads none of the options below,
        but batch_size, of speed only.
    batch_size : int
        Samples in such a batch.
    mixed : bool
        Batches of all data hold samples of both sets, else of the retained ones first, then of the others.
    short_last : bool
        The last batch holds what is left over, else all are of one size, to one sample.
    clip : float or None
        Largest norm of a batch's gradient; None: any.
    own_batchnorm : bool
        Run batches in training mode, by their own statistics.
    """

def unsir(model: Any, split: Split, *, noise_steps: int = 40, noise_lr: float = 0.1, noise_batches: int | None = None, noise_in_training: bool = False, repair_lr: float = 0.005, samples: int = 1000, **settings: Unpack[Steps]) -> Unlearned:
    """Unlearn whole classes by adversarial noise and repair.

    Parameters
    ----------
    noise_steps : int
        Steps that the noise is trained for.
    noise_lr : float
        Learning rate of Adam on the noise.
    noise_batches : int or None
        How often the batch of noise of every forgotten class is in the impairing set; None: so that its rows
        are 0.57 of the retained samples there, as published for nine retained classes.
    noise_in_training : bool
        Find the noise in training mode.
    repair_lr : float
        Learning rate of the repair.
    samples : int
        Of each retained class that are used, at most.
    """

def __getattr__(name: str) -> Callable[..., Unlearned]: ...
