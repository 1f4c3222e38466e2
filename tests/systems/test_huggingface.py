"""Hugging Face classifiers as systems: texts in tables, labels by name, fits from scratch and from a pretrained model."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import torch

from classifiers import classifier, moods, tokenizer
from own_networks import pictures
from tiny import model as language_model
from vestige import InputError
from vestige.systems import networks, transformers

TEXTS, LABELS = moods(120)
TABLE = pd.DataFrame(
    {"text": TEXTS, "label": LABELS, "who": [f"p{row:03}" for row in range(120)], "note": "none"}
)
NAMES = [("sad", "glad")[label] for label in LABELS]
LATER = TABLE["who"][60:]
ROWS = np.array([5, 0, 77, 30])


def by_hand(model, texts):
    tokens = tokenizer()(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**tokens).logits.numpy()


def hugging_face():
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_dict({"text": TEXTS, "label": LABELS, "who": TABLE["who"].tolist()})


FORMS = {
    "DataFrame": lambda: TABLE,
    "names": lambda: TABLE.assign(label=NAMES),
    "datasets": hugging_face,
    "rows": lambda: TABLE.to_dict("records"),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_texts_give_what_the_model_says(form):
    model = classifier()
    system = transformers(model, FORMS[form](), tokenizer=tokenizer(), id="who", unseen=LATER)
    answer = system.outputs(model, ROWS)
    assert answer.kind == "logits"
    np.testing.assert_allclose(answer.values, by_hand(model, [TEXTS[row] for row in ROWS]), atol=1e-5)
    assert system.records.labels.tolist() == LABELS and system.records.classes == ("sad", "glad")
    assert system.records.ids[ROWS].tolist() == ["p005", "p000", "p077", "p030"]
    assert system.seen.tolist() == list(range(60))


def test_copies_are_looked_for_among_texts():
    system = transformers(classifier(), TABLE[:60], tokenizer=tokenizer(), unseen=TABLE[60:])
    assert system.features(np.array([3, 70])) == [TEXTS[3], TEXTS[70]]


def test_two_tables_and_texts_with_labels():
    one = transformers(
        classifier(), TABLE[:60], tokenizer=tokenizer(), id="who", cluster="note", unseen=TABLE[60:]
    )
    assert one.records.ids.tolist() == TABLE["who"].tolist() and set(one.records.cluster) == {"none"}
    two = transformers(
        classifier(), (TEXTS[:60], LABELS[:60]), tokenizer=tokenizer(), unseen=(TEXTS[60:], LABELS[60:])
    )
    assert two.records.labels.tolist() == LABELS and two.records.ids[60] == "unseen-0"
    three = transformers(
        classifier(), TABLE["text"].to_frame(), tokenizer=tokenizer(), label=LABELS, unseen=["7"]
    )
    assert three.records.labels.tolist() == LABELS


def test_it_learns_by_its_own_loop_and_the_folder_is_one_of_hugging_face(tmp_path):
    system = transformers(
        classifier, TABLE, tokenizer=tokenizer(), id="who", epochs=25, lr=5e-3, unseen=LATER
    )
    assert system.original is None
    model = system.fit(system.seen, 0)
    right = system.outputs(model, system.seen).values.argmax(axis=1) == np.array(LABELS)[system.seen]
    assert right.mean() > 0.9
    system.save(model, tmp_path)
    from transformers import BertForSequenceClassification

    read = BertForSequenceClassification.from_pretrained(tmp_path)
    for one in (system.load(tmp_path), read.eval()):
        np.testing.assert_array_equal(system.outputs(one, ROWS).values, system.outputs(model, ROWS).values)


def test_a_fit_of_the_users_gets_tokens_and_a_model_from_its_start():
    items = []

    def own(model, dataset, seed):
        items.append((len(dataset), sorted(dataset[0])))
        assert torch.equal(model.classifier.weight, classifier(7).classifier.weight)

    start = functools.partial(classifier, 7)
    system = transformers(
        classifier(), TABLE, tokenizer=tokenizer(), unseen=range(60, 120), fit=own, start=start
    )
    system.fit(ROWS, 0)
    assert items == [(4, ["attention_mask", "input_ids", "labels"])]


def test_a_model_that_was_built_from_its_configuration_is_drawn_anew():
    trained = classifier()
    trained.classifier.weight.data += 5
    system = transformers(trained, TABLE, tokenizer=tokenizer(), unseen=range(60, 120), epochs=1)
    fresh, again = system.fresh(1), system.fresh(1)
    assert torch.equal(fresh.classifier.weight, again.classifier.weight)
    assert (
        fresh.classifier.weight.abs().max() < 0.5
        and fresh.bert.embeddings.word_embeddings.weight.std() < 0.05
    )


def test_what_a_fine_tuned_model_began_with_is_asked_for(tmp_path):
    classifier().save_pretrained(tmp_path)
    tuned = type(classifier()).from_pretrained(tmp_path)
    with pytest.raises(InputError, match="what its training began with is not said: give start="):
        transformers(tuned, TABLE, tokenizer=tokenizer(), unseen=range(60, 120), epochs=1)
    transformers(tuned, TABLE, tokenizer=tokenizer(), unseen=range(60, 120))  # no fit, no question


def test_adapters_are_fitted_and_kept(tmp_path):
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(
        classifier(), peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
    )
    system = transformers(model, TABLE, tokenizer=tokenizer(), id="who", unseen=LATER, epochs=1, lr=1e-2)
    fitted = system.fit(system.seen, 0)
    base = "base_model.model.bert.embeddings.word_embeddings.weight"
    assert torch.equal(fitted.state_dict()[base], model.state_dict()[base])
    system.save(fitted, tmp_path)
    np.testing.assert_array_equal(
        system.outputs(system.load(tmp_path), ROWS).values, system.outputs(fitted, ROWS).values
    )


def test_images_are_read_by_their_processor():
    from transformers import ViTConfig, ViTForImageClassification

    def processor(image, return_tensors):
        return {"pixel_values": torch.as_tensor(image)[None].repeat(1, 3, 1, 1)}

    config = ViTConfig(
        image_size=6, patch_size=3, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        num_labels=3,
    )  # fmt: skip
    x, y = pictures(20)
    rows = [{"image": image, "label": int(label)} for image, label in zip(x, y, strict=True)]
    system = transformers(lambda: ViTForImageClassification(config), rows, tokenizer=processor, epochs=1)
    assert system.outputs(system.fit(system.seen, 0), ROWS[:2]).values.shape == (2, 3)


@pytest.mark.parametrize(
    ("model", "data", "options", "message"),
    [
        (language_model, TABLE, {}, "is a language model; .* kind: llm"),
        (classifier, TABLE, {"text": "body"}, "no column 'body'"),
        (classifier, TABLE.drop(columns="text"), {}, "no one column that is the text.*Name it, text="),
        (classifier, TABLE.assign(label="happy"), {}, "'happy' is none of the model's, sad, glad"),
        (classifier, TABLE.assign(label=None), {}, "The label of record 0 is missing"),
        (classifier, TABLE.assign(text=3), {}, "text of record 0 is of type int"),
        (classifier, 7, {}, "data are of type int"),
        (classifier, TABLE[:0], {}, "data hold no records"),
        (classifier, TABLE, {"epochs": 1, "recipe": {}}, "two ways to train"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(model, data, options, message):
    with pytest.raises(InputError, match=message):
        transformers(model, data, tokenizer=tokenizer(), **options)


def test_tokens_in_a_loader_of_ones_own_need_no_tokenizer():
    from torch.utils.data import DataLoader, Subset
    from transformers import DataCollatorWithPadding

    items = [dict(tokenizer()(text)) | {"labels": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    model = classifier()
    loader = DataLoader(Subset(items, range(120)), collate_fn=DataCollatorWithPadding(tokenizer()))
    answer = networks(model, loader, unseen=range(60, 120)).outputs(model, ROWS)
    np.testing.assert_allclose(answer.values, by_hand(model, [TEXTS[row] for row in ROWS]), atol=1e-5)
