"""A user's own network as a system: data of every form, fits, outputs that change nothing, models that are kept."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, default_collate

import vestige
from own_networks import CLASSES, Auxiliary, Cnn, N, Own, Shaken, Tied, TwoInputs, fit, pictures
from vestige import Dataset, InputError
from vestige.systems import networks

X, Y = pictures()
ROWS = np.array([5, 0, 77, 30])
HALF = [str(place) for place in range(N // 2, N)]


def network(kind=Cnn, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(**options)


def by_hand(model, x=X):
    model = model.eval()
    with torch.no_grad():
        return model(torch.as_tensor(x)).numpy()


def hugging_face():
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_dict({"pixels": X.tolist(), "label": Y.tolist()}).with_format("torch")


FORMS = {
    "tuples": lambda: Own(X, Y),
    "fields": lambda: Own(X, Y, "fields"),
    "TensorDataset": lambda: TensorDataset(torch.as_tensor(X), torch.as_tensor(Y)),
    "arrays": lambda: (X, Y),
    "tensors": lambda: (torch.as_tensor(X), torch.as_tensor(Y)),
    "doubles": lambda: (X.astype(np.float64), Y),
    "loader": lambda: DataLoader(Own(X, Y), 7, shuffle=True, drop_last=True),
    "collate": lambda: DataLoader(Own(X, Y), 7, collate_fn=lambda items: tuple(default_collate(items))),
    "parts": lambda: ConcatDataset([Subset(Own(X, Y), range(50)), Subset(Own(X, Y), range(50, N))]),
    "Dataset": lambda: Dataset("own", X.reshape(N, -1), Y, np.arange(N), ("a", "b", "c")),
    "datasets": hugging_face,
}


@pytest.mark.parametrize("form", FORMS)
def test_data_of_every_form_give_what_the_network_says(form):
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES)) if form == "Dataset" else network()
    system = networks(model, FORMS[form](), unseen=HALF)
    answer = system.outputs(model, ROWS)
    assert answer.kind == "logits"
    np.testing.assert_allclose(answer.values, by_hand(model)[ROWS], atol=1e-6)
    assert system.records.labels.tolist() == Y.tolist()
    assert system.records.ids.tolist() == [str(place) for place in range(N)]
    assert system.seen.tolist() == list(range(N // 2))


@pytest.mark.parametrize("form", ["several", "nested", "named"])
def test_several_inputs_reach_the_network(form):
    model = network(TwoInputs).eval()
    answer = networks(model, Own(X, Y, form), unseen=HALF).outputs(model, ROWS)
    x = torch.as_tensor(X[ROWS])
    with torch.no_grad():
        np.testing.assert_allclose(answer.values, model(x, x.flatten(1)[:, :2]).numpy(), atol=1e-6)


def test_records_come_from_both_data_sets_and_have_the_names_of_the_user():
    data, unseen = Own(X[:60], Y[:60], "fields"), Own(X[60:], Y[60:], "fields", begin=60)
    system = networks(
        Cnn, data, unseen=unseen, id="name", cluster=lambda place: f"c{place // 2}", classes=list("xyz")
    )
    assert len(system.records) == N and system.seen.tolist() == list(range(60))
    assert system.records.ids[:2].tolist() == ["r0", "r1"]
    assert system.records.cluster[:3].tolist() == ["c0", "c0", "c1"]
    assert system.records.classes == ("x", "y", "z")
    plain = networks(Cnn, Own(X[:60], Y[:60]), unseen=Own(X[60:], Y[60:]), id=[f"p{i}" for i in range(60)])
    assert plain.records.ids[[0, 59, 60, -1]].tolist() == ["p0", "p59", "unseen-0", f"unseen-{N - 61}"]
    np.testing.assert_array_equal(plain.records.labels, Y)


def test_the_label_may_be_named():
    system = networks(Cnn, Own(X, Y, "first"), label=0, unseen=HALF)
    np.testing.assert_array_equal(system.records.labels, Y)


def test_asking_changes_nothing():
    model = network()
    model.train()
    model.conv.eval()
    flags = [module.training for module in model.modules()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    system = networks(model, Shaken(X, Y), unseen=HALF)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
    first = system.outputs(model, ROWS).values
    assert states == (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.random.get_rng_state().tolist(),
    )
    assert flags == [module.training for module in model.modules()]
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    np.testing.assert_array_equal(first, system.outputs(model, ROWS).values)  # the same draw of random items
    assert any("random augmentation" in note for note in system.notes)


def test_no_more_is_read_than_is_asked_for():
    data = Own(X, Y)
    system = networks(network(), data, unseen=HALF)
    data.reads.clear()
    system.outputs(system.original, ROWS)
    assert set(data.reads) == set(ROWS.tolist())


def test_a_fit_of_the_users_gets_a_fresh_network_its_records_and_the_seed():
    calls = []

    def own(model, dataset, seed):
        calls.append(([int(y) for _, y in dataset], seed))
        fit(model, dataset, seed)

    trained = network()
    system = networks(trained, Own(X, Y), unseen=HALF, fit=own)
    before = torch.random.get_rng_state()
    one, again, other = (system.fit(ROWS, seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert calls[0] == (Y[ROWS].tolist(), 3)
    assert torch.equal(one.head.weight, again.head.weight) and not torch.equal(
        one.head.weight, other.head.weight
    )
    assert not one.training and one is not trained


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda model, dataset: None, "a function of \\(model, dataset, seed\\) is wanted"),
        (lambda model, dataset, seed: 3, "fit returns int; the network is wanted"),
        (lambda model, dataset, seed: 1 / 0, "fit: ZeroDivisionError: division by zero"),
    ],
)
def test_a_fit_that_cannot_be_is_said(own, message):
    with pytest.raises(InputError, match=message):
        networks(network(), Own(X, Y), unseen=HALF, fit=own).fit(ROWS, 0)


def test_a_fit_is_asked_for_where_none_is_given():
    with pytest.raises(InputError, match="give fit=.* or recipe="):
        networks(network(), Own(X, Y), unseen=HALF).fit(ROWS, 0)
    with pytest.raises(InputError, match="two ways to train"):
        networks(network(), Own(X, Y), unseen=HALF, fit=fit, recipe={})


RECIPE = {"epochs": 12, "lr": 0.02, "optimizer": "adam", "batch_size": 16, "weight_decay": 0.0}


@pytest.mark.parametrize("kind", [Cnn, Auxiliary])
def test_a_recipe_trains_batch_by_batch(kind):
    system = networks(network(kind), Own(X, Y), unseen=HALF, recipe=RECIPE)
    model, again = system.fit(system.seen, 1), system.fit(system.seen, 1)
    right = (system.outputs(model, system.seen).values.argmax(axis=1) == Y[system.seen]).mean()
    assert right > 0.9
    assert torch.equal(model.head.weight, again.head.weight)


def test_a_recipe_trains_a_data_set_in_memory_as_vestige_does():
    data = Dataset("own", X.reshape(N, -1), Y, np.arange(N), ("a", "b", "c"))
    model = nn.Sequential(nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, CLASSES))
    system = networks(lambda: model, data, unseen=HALF, recipe=RECIPE)
    fitted = system.fit(system.seen, 5)
    expected = vestige.train(model, data.take(system.seen), vestige.Recipe(**RECIPE, seed=5)).model
    assert torch.equal(fitted[2].weight, expected[2].weight)


@pytest.mark.parametrize(
    ("outputs", "y", "kind"),
    [
        (1, (Y > 0).astype(int), "logits"),
        (1, (Y > 0).astype(np.float32), "logits"),
        (1, X.reshape(N, -1)[:, 0], "predictions"),
        (2, X.reshape(N, -1)[:, :2], "predictions"),
        (3, (np.arange(3) <= Y[:, None]).astype(float), "multilabel"),
    ],
)
def test_other_heads_are_trained_and_read_in_their_kind(outputs, y, kind):
    system = networks(lambda: network(outputs=outputs), (X, y), unseen=HALF, recipe=RECIPE | {"epochs": 25})
    answer = system.outputs(system.fit(system.seen, 0), system.seen)
    assert answer.kind == kind
    values, truth = answer.values.reshape(len(system.seen), -1), y[system.seen].reshape(len(system.seen), -1)
    if kind == "predictions":
        assert np.mean((values - truth) ** 2) < 0.5 * truth.var()
    else:
        assert ((values > 0) == truth).mean() > 0.9


def test_weights_are_kept_and_read_again(tmp_path):
    model = network()
    model.conv.weight.data.mul_(2)
    system = networks(model, Own(X, Y), unseen=HALF)
    system.save(model, tmp_path)
    read = system.load(tmp_path)
    assert not read.training and read is not model
    np.testing.assert_array_equal(system.outputs(read, ROWS).values, system.outputs(model, ROWS).values)
    with pytest.raises(InputError, match="another structure.*'first.weight'"):
        system.save(network(Tied), tmp_path)


def test_tied_weights_are_kept_once_and_stay_tied(tmp_path):
    model = network(Tied)
    system = networks(model, Own(X, Y), unseen=HALF, fit=fit)
    fitted = system.fit(ROWS, 0)
    assert fitted.first.weight is fitted.second.weight
    system.save(fitted, tmp_path)
    from safetensors import safe_open

    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert len({"first.weight", "second.weight"} & set(file.keys())) == 1
    read = system.load(tmp_path)
    assert read.first.weight is read.second.weight
    assert torch.equal(read.first.weight, fitted.first.weight)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_half_precision_are_read_in_single_and_stay_as_they_are(dtype, tmp_path):
    model = network().to(dtype)
    system = networks(model, Own(X, Y), unseen=HALF)
    np.testing.assert_allclose(
        system.outputs(model, ROWS).values, by_hand(network().to(dtype).float())[ROWS], atol=1e-6
    )
    assert model.conv.weight.dtype == dtype
    system.save(model, tmp_path)
    assert system.load(tmp_path).conv.weight.dtype == dtype


def test_wrappers_are_taken_off():
    model = network()
    for wrapped in (nn.DataParallel(model), torch.compile(model)):
        assert networks(wrapped, Own(X, Y), unseen=HALF).original is model


def test_adapters_begin_anew_and_the_base_stays(tmp_path):
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(network(Tied), peft.LoraConfig(r=2, target_modules=["first"]))
    system = networks(model, Own(X, Y), unseen=HALF, fit=fit)
    base = model.base_model.model.first.base_layer.weight
    fresh = system.fresh(1)
    assert not fresh.base_model.model.first.lora_B["default"].weight.any()  # changes nothing yet
    fitted = system.fit(ROWS, 1)
    adapted = fitted.base_model.model.first
    assert torch.equal(adapted.base_layer.weight, base) and adapted.lora_B["default"].weight.any()
    system.save(fitted, tmp_path)
    read = system.load(tmp_path)
    np.testing.assert_array_equal(system.outputs(read, ROWS).values, system.outputs(fitted, ROWS).values)


def test_unlearning_methods_of_the_house_work_on_it():
    trained = network()
    fit(trained, TensorDataset(torch.as_tensor(X[:48]), torch.as_tensor(Y[:48])), 0)
    system = networks(trained, Own(X, Y), unseen=HALF, recipe=RECIPE)
    forget, retain = np.arange(5), np.arange(5, 48)
    model, facts = system.unlearn("gradient_ascent", trained, forget, retain, seed=0, epochs=2)
    assert facts["gradient_steps"] > 0
    before, after = (
        vestige.signals.transforms.confidence(system.outputs(one, forget).values, Y[forget]).mean()
        for one in (trained, model)
    )
    assert after < before
    with pytest.raises(InputError, match="an output a class.*how='retrain'"):
        networks(lambda: network(outputs=1), (X, X[:, 0, 0, 0])).unlearn(
            "scrub", trained, forget, retain, seed=0
        )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("sisa", "SISA ensemble, and Cnn is none.*how='retrain', 'activation_reset'"),
        ("deltagrad", "replays a recording, and Cnn has none.*how='retrain', 'activation_reset'"),
        ("certified_newton", "does not work on Cnn"),
        ("unsir", "unsir unlearns whole classes; '.' also has retained samples"),
    ],
)
def test_a_method_that_cannot_be_is_refused_before_any_work(how, message):
    """By `forget` and by `forget_costs`, in the same words."""
    for call in (vestige.forget, vestige.forget_costs):
        with pytest.raises(InputError, match=message):
            call(network(), Own(X, Y), [1, 2], how, unseen=HALF, recipe=RECIPE)


class Named(Own):
    """A data set that names its classes, as folders of images do."""

    def __init__(self, x, y, classes):
        super().__init__(x, y)
        self.classes = list(classes)


@pytest.mark.parametrize(
    ("model", "data", "options", "message"),
    [
        (network(), Own(X, Y), {}, "a verdict compares with records that it never saw"),
        (network(), Own(X, Y), {"unseen": 0.5}, "unseen is a share, and the model is trained"),
        (network(), Own(X, Y), {"unseen": ["0", "gone"]}, "'gone' is not among the 96 records"),
        (Cnn, Own(X, Y), {"unseen": 1.5}, "a share between 0 and 1"),
        (network(), Own(X, Y, "text"), {"unseen": HALF}, "Labels are text, such as 'c'"),
        (network(), Own(X, Y, "last"), {"unseen": HALF}, r"channels last, \[8, 6, 6, 3\].*permute"),
        (network(), (X, Y + 1), {"unseen": HALF}, "for labels from 0 to 2; a record has the label 3"),
        (network(), (X, Y - 1), {"unseen": HALF}, "a record has the label -1"),
        (nn.Sequential(network(), nn.Softmax(1)), (X, Y), {"unseen": HALF}, "ends in a softmax"),
        (nn.Sequential(network(outputs=1), nn.Sigmoid()), (X, Y > 0), {"unseen": HALF}, "ends in a sigmoid"),
        (network(), {"x": X}, {"unseen": HALF}, "data are of type dict"),
        (network(), (X, Y), {"unseen": HALF, "classes": ["a"]}, "has 3 classes, and classes= names 1"),
        (network(), (X, Y[:3]), {"unseen": HALF}, "one y a row of x is wanted"),
        (network(), (X, Y), {"unseen": HALF, "id": ["a"] * N}, "'a' appears twice"),
        (network(), (X, Y), {"unseen": HALF, "id": "name"}, "no field 'name'"),
        (network(), Own(X, Y, "fields"), {"unseen": HALF, "label": "kind"}, "name the label, label="),
        (network(), Own(X[:60], Y[:60]), {"unseen": Shaken(X[60:], Y[60:])}, "Give both the same transforms"),
        (network(), (X, np.eye(3)[Y]), {"unseen": HALF}, "exactly one 1; give labels.argmax"),
        (
            network(),
            (X, np.full((N, 3), 1 / 3)),
            {"unseen": HALF},
            "shares that sum to 1; give labels.argmax",
        ),
        (network(), (X, Y.astype(float)), {"unseen": HALF}, "there are 1 targets. .*give labels.astype"),
        (network(), (X, Y), {"unseen": [1.0, 2.0]}, "unseen: the id in row 0 is of type float"),
        (network(), (X, Y), {"unseen": np.arange(N) > 50}, "unseen are bool"),
        (network(), (X, Y), {"unseen": []}, "unseen names no record"),
        (network(), (X, Y), {"unseen": HALF, "classes": "abc"}, "'abc' is one text"),
        (network(), (X, Y), {"unseen": HALF, "classes": ["a", "a", "b"]}, "'a' appears twice"),
        (
            network(),
            Named(X[:60], Y[:60], "abc"),
            {"unseen": Named(X[60:], Y[60:], "acb")},
            "classes of data .* in one order",
        ),
        (nn.Linear, (X, Y), {"unseen": HALF}, "model, called without arguments: TypeError"),
        (7, (X, Y), {"unseen": HALF}, "model is of type int"),
        (lambda: 7, (X, Y), {}, "The function returns int"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(model, data, options, message):
    with pytest.raises(InputError, match=message):
        networks(model, data, **options)


def test_labels_are_whole_numbers_of_any_type():
    for labels in (
        Y.astype(np.uint64),
        Y.astype(np.uint16),
        Y.astype(np.int8),
        torch.from_numpy(Y),
        Y[:, None],
    ):
        system = networks(network(), (X, labels), unseen=HALF)
        assert system.task == "classification" and system.records.labels.tolist() == Y.tolist()


def test_copies_are_looked_for_where_records_can_be_held(monkeypatch):
    np.testing.assert_allclose(networks(network(), Own(X, Y), unseen=HALF).features(ROWS), X[ROWS])
    assert networks(network(TwoInputs), Own(X, Y, "several"), unseen=HALF).features(ROWS) is None
    assert networks(network(), Shaken(X, Y), unseen=HALF).features(ROWS) is None
    monkeypatch.setattr("vestige.systems.network_system.MOST_HELD", 4 * 36 * 3)
    assert networks(network(), Own(X, Y), unseen=HALF).features(ROWS) is None


def test_an_output_that_is_no_number_names_its_record():
    model = network()
    system = networks(model, (X, Y), unseen=HALF)
    model.head.bias.data[0] = float("nan")
    with pytest.raises(InputError, match="NaN or infinite output for record '5'"):
        system.outputs(model, ROWS)


def test_the_fingerprint_tells_data_network_and_training_apart():
    def key(model=None, x=X, **options):
        return networks(model or network(), (x, Y), unseen=HALF, **options).fingerprint()

    changed = X.copy()
    changed[7] += 1
    keys = [
        key(),
        key(x=changed),
        key(nn.Sequential(network())),
        key(fit=fit),
        key(recipe={}),
        key(recipe={"lr": 1}),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


@pytest.mark.parametrize("form,kind", [("tuples", Cnn), ("loader", Tied), ("named", TwoInputs)])
def test_features_are_what_the_last_linear_layer_reads(form, kind):
    model = network(kind).train()
    data = Own(X, Y, form) if form == "named" else FORMS[form]()
    system = networks(model, data, unseen=HALF)
    before, state = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    features = system.representations(model, ROWS)
    assert torch.equal(state, torch.get_rng_state()) and model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
    last = model.extra if kind is TwoInputs else model.head  # the one that runs last
    if kind is TwoInputs:
        assert features.shape == (len(ROWS), 2)
        return
    with torch.no_grad():
        logits = last(torch.as_tensor(features)).numpy()
    np.testing.assert_allclose(logits, system.outputs(model, ROWS).values, atol=1e-5)


def test_a_network_without_a_linear_layer_has_no_features():
    model = nn.Sequential(nn.Conv2d(1, CLASSES, 6), nn.Flatten())
    assert networks(model, Own(X, Y), unseen=HALF).representations(model, ROWS) is None
