import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from vestige.data import Dataset
from vestige.errors import InputError
from vestige.models import build_model
from vestige.signals import collect_features, collect_fit, collect_logits, collect_sensitivity

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 50)
ROWS = Dataset(
    "toy", RNG.normal(size=(50, 4)).astype(np.float32), Y, np.arange(50).astype(str), ("a", "b", "c")
)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


def test_logits_are_the_models_own_in_evaluation_mode():
    model = network()
    with torch.no_grad():
        wanted = model.eval()(torch.from_numpy(ROWS.x)).numpy()
    assert np.allclose(collect_logits(model.train(), ROWS), wanted, atol=1e-6)
    assert np.allclose(collect_logits(model, ROWS, batch_size=7), wanted, atol=1e-6)


def test_nothing_about_the_model_or_the_random_state_changes():
    model = network().train()
    model[2].eval()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    collect_logits(model, ROWS)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert [m.training for m in model] == [True, True, False, True] and model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())


def test_images_are_scaled_as_in_training():
    pixels = RNG.integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    images = Dataset("images", pixels, Y[:6], np.arange(6).astype(str), ("a", "b", "c"))
    model = build_model("cnn", images.shape, 3)
    with torch.no_grad():
        wanted = model(torch.from_numpy(pixels).float() / 255).numpy()
    assert np.allclose(collect_logits(model, images), wanted, atol=1e-5)


@pytest.mark.parametrize("batch_size", [7, 512])
def test_features_are_what_the_last_linear_layer_reads_and_nothing_changes(batch_size):
    model, state = network().train(), torch.get_rng_state()
    features = collect_features(model, ROWS, batch_size=batch_size)
    assert features.shape == (50, 8) and features.dtype == np.float32
    assert model.training and torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        logits = model[3](torch.from_numpy(features)).numpy()
    assert np.allclose(logits, collect_logits(model, ROWS), atol=1e-6)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_network_without_a_linear_layer_has_no_features_and_others_are_refused():
    class Plain(nn.Module):
        def forward(self, x):
            return x[:, :3]

    class Outside(nn.Linear):  # it reads an infinity and says numbers
        def forward(self, x):
            return super().forward(x).clamp(-1, 1)

    assert collect_features(Plain(), ROWS) is None
    with pytest.raises(InputError, match=r"Features are those of a torch\.nn\.Module; this is DecisionTree"):
        collect_features(DecisionTreeClassifier(), ROWS)
    with pytest.raises(InputError, match=r"vestige\.Dataset"):
        collect_features(network(), ROWS.x)
    endless = nn.Sequential(nn.Linear(4, 8), nn.Threshold(0.0, torch.inf), Outside(8, 3))
    with torch.no_grad():
        endless[2].weight.fill_(1.0)
    with pytest.raises(InputError, match="NaN or infinite feature for sample"):
        collect_features(endless, ROWS)


def test_scikit_learn_classes_are_aligned_and_zero_is_not_minus_infinity():
    tree = DecisionTreeClassifier(max_depth=1).fit(ROWS.x[Y != 1], Y[Y != 1])
    logits = collect_logits(tree, ROWS)
    p = tree.predict_proba(ROWS.x)
    assert logits.shape == (50, 3) and np.isfinite(logits).all()
    assert np.allclose(np.exp(logits[:, [0, 2]]), np.maximum(p, 1e-12), rtol=1e-5)
    assert np.allclose(logits[:, 1], np.log(1e-12))


def test_fit_is_the_true_label_confidence():
    logits = collect_logits(network(), ROWS).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(collect_fit(network(), ROWS), p[np.arange(50), Y])


def test_models_that_cannot_be_asked():
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x) * float("nan")

    for model, message in (
        (nn.Linear(4, 5), r"returns \[4, 5\].*logits \[4, 3\] are wanted"),
        (Broken(4, 3), "NaN or infinite logit for sample '0'"),
        (object(), "neither a torch.nn.Module nor a classifier"),
        (DecisionTreeClassifier().fit(ROWS.x, Y + 1), "do not fit the 3 of toy"),
    ):
        with pytest.raises(InputError, match=message):
            collect_logits(model, ROWS)


def test_a_network_with_predict_proba_is_a_network():
    class Convenient(nn.Sequential):
        def predict_proba(self, x):
            raise AssertionError("not asked")

    model = Convenient(*network())
    assert np.array_equal(collect_logits(model, ROWS), collect_logits(network(), ROWS))


def test_a_network_that_ends_in_a_softmax_gives_no_logits():
    ended = nn.Sequential(network(), nn.Softmax(dim=1))
    with pytest.raises(InputError, match="ends in a softmax.*leave the softmax out"):
        collect_logits(ended, ROWS)
    wanted = torch.log_softmax(torch.from_numpy(collect_logits(network(), ROWS)), dim=1).numpy()
    assert np.allclose(
        collect_logits(nn.Sequential(network(), nn.LogSoftmax(dim=1)), ROWS), wanted, atol=1e-5
    )


def test_batches_have_a_sample_at_least():
    for size in (0, -1):
        for call in (collect_logits, collect_fit, collect_sensitivity):
            with pytest.raises(InputError, match="batch_size"):
                call(network(), ROWS, batch_size=size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"copies": 0}, "copies is 0"),
        ({"sigma": -1.0}, "sigma is -1"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"device": "gpu7"}, "no device 'gpu7'"),
    ],
)
def test_a_message_names_the_argument_that_is_wrong_and_no_other(arguments, message):
    with pytest.raises(InputError) as caught:
        collect_sensitivity(network(), ROWS, **arguments)
    others = {"copies", "sigma", "batch_size", "seed", "device"} - set(arguments)
    assert message in str(caught.value) and not any(name in str(caught.value) for name in others)
