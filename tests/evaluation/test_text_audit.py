"""From signals to verdicts on texts, figures beside the scores, the reports, the run and the commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import tiny
from vestige.data.texts import as_texts
from vestige.errors import InputError
from vestige.evaluation import scoreui
from vestige.evaluation.language import (
    bag_of_words,
    extraction_strength,
    knowledge,
    perplexity,
    privleak,
    rouge_l,
    verbatim,
)
from vestige.evaluation.page.texts import write_texts_report
from vestige.evaluation.texts import as_signals
from vestige.experiments.bench import experiment, run_bench
from vestige.experiments.bench.table import values_of
from vestige.experiments.texts import LlmConfig, comparison
from vestige.llm import (
    Texts,
    TextSignals,
    audit_texts,
    collect,
    degrees,
    load_model,
    measure,
    run_llm,
    unlearn,
)
from vestige.signals.changed_texts import lowercased, neighbouring, prefixed, swapped
from vestige.store import plain
from vestige.unlearning.text.recovery import quantised, relearned

TOKENIZER = tiny.tokenizer()
FORGET, RETAIN, HELD = tiny.news(24, 1), tiny.news(24, 2), tiny.news(80, 3)
ROLE = np.repeat(["forget", "retain", "holdout"], [24, 24, 80])
TEXTS = FORGET + RETAIN + HELD
LEARN = {"lr": 3e-3, "epochs": 30, "batch_size": 4, "length": 128}


@pytest.fixture(scope="module")
def models():
    base = unlearn("finetune", tiny.model(), TOKENIZER, retain=tiny.news(60, 7), **LEARN).model
    original = unlearn("finetune", base, TOKENIZER, retain=FORGET + RETAIN, **LEARN).model
    retrained = unlearn("retrain", original, TOKENIZER, FORGET, RETAIN, base=base, **LEARN).model
    other = unlearn("finetune", tiny.model(), TOKENIZER, retain=tiny.news(60, 8), **LEARN).model
    return {"base": base, "original": original, "retrain": retrained, "other": other}


@pytest.fixture(scope="module")
def signals(models):
    return {name: collect(model, TOKENIZER, TEXTS) for name, model in models.items()}


@pytest.fixture(scope="module")
def audits(signals):
    shadows = [signals["base"], signals["other"]]
    return {
        name: audit_texts(signals[name], signals["original"], shadows, role=ROLE, extra={"texts": TEXTS})
        for name in ("original", "retrain")
    }


def test_retraining_is_cleared_and_the_untouched_model_is_not(audits):
    kept, gone = audits["original"].audit.verdict, audits["retrain"].audit.verdict
    assert kept.outcome == "under" and kept.counts["under"] > 12
    assert gone.outcome == "unlearned" and gone.completeness > 0.9 and gone.counts["cleared"] > 12
    assert gone.left_at_most <= 0.1 and gone.could_be_whole <= gone.allowed == 1
    measures = [run.label for run in audits["retrain"].audit.measures]
    assert measures[0] == "trace" and {"emia_reference", "iam"} < set(measures)
    table = {row["measure"]: row for row in audits["retrain"].table}
    assert table["iam"]["auc_retain"] > 0.9 and abs(table["ratio"]["auc_holdout"] - 0.5) < 0.25
    assert 0 <= table["min_k"]["low_retain"] <= table["min_k"]["auc_retain"] + 1e-9
    assert table["recall"]["reason"] == "prefixed not given" and table["recall"]["auc_retain"] is None
    assert table["zlib"]["reason"] is None and table["iam"]["ties"] < 0.01


def test_traces_sit_where_tokens_are_likelier(audits, signals):
    traces = audits["original"].traces
    assert len(traces) == 24 and traces[0]["mean"] >= traces[-1]["mean"] > 0
    first = traces[0]
    row = int(np.flatnonzero(signals["base"].ids == first["id"])[0])
    own = signals["base"].of(row)
    never = (signals["base"].logp + signals["other"].logp) / 2
    assert first["gap"] == pytest.approx((signals["original"].logp - never)[own], abs=1e-3)
    assert first["mean"] == pytest.approx(np.mean(first["gap"]), abs=1e-3)


def test_few_never_seen_texts_block_the_verdict_and_one_model_tells_none(signals):
    """A fifth of the texts that were held out are too few to compare with; without a shadow nothing is said."""
    few = audit_texts(
        *(of_first(signals[name], 64) for name in ("retrain", "original")), [of_first(signals["base"], 64)],
        role=ROLE[:64],
    ).audit.verdict  # fmt: skip
    assert few.outcome == "undecided" and few.completeness is None and few.counts["undecided"] == 24
    bare = audit_texts(signals["retrain"], signals["original"], role=ROLE)
    assert bare.audit.verdict.sentence.startswith("Undecided: no shadow model is given")
    assert bare.audit.verdict.advice.startswith("Add the outputs of at least one model")
    assert not (bare.audit.scores["measure"] == "trace").any() and bare.traces == []


def test_other_tokenizers_are_compared_by_character(signals):
    base = signals["base"]
    halves = TextSignals(
        **{n: getattr(base, n)[::2].copy() for n in ("logp", "mean", "std", "entropy", "weighted_std", "start", "end")},
        offsets=np.concatenate([[0], np.cumsum(np.bincount(np.repeat(np.arange(len(base)), base.tokens)[::2]))]),
        characters=base.characters, ids=base.ids,
    )  # fmt: skip
    made = as_signals(base, None, [halves], ROLE)
    loss = base.nll_per_character
    assert made.unlearned[:, 0] == pytest.approx(-loss - np.log(-np.expm1(-loss)))
    with pytest.raises(InputError, match="ids must agree"):
        audit_texts(base, collect(tiny.model(), TOKENIZER, FORGET), role=ROLE)


def of_first(one, count):
    """The signals of the first texts only."""
    end = int(one.offsets[count])
    cut = {
        n: getattr(one, n)[:end] for n in ("logp", "mean", "std", "entropy", "weighted_std", "start", "end")
    }
    return TextSignals(
        **cut, offsets=one.offsets[: count + 1], characters=one.characters[:count], ids=one.ids[:count]
    )


def test_figures_beside_the_scores(models, signals):
    asked = int((np.asarray(ROLE) == "forget").sum())  # the forget texts come first
    before, after = (perplexity(of_first(signals[name], asked)) for name in ("base", "original"))
    assert before > after > 1
    for figure, least in ((verbatim, 0.05), (extraction_strength, 0.0)):
        known = figure(models["original"], TOKENIZER, FORGET[:6]).mean()
        never = figure(models["base"], TOKENIZER, FORGET[:6]).mean()
        assert 0 <= never < known <= 1 and known - never > least, figure.__name__
    asked = [FORGET[0][:30]]
    truth = [FORGET[0][30:].split("\n")[0][:40]]
    assert 0 <= knowledge(models["original"], TOKENIZER, asked, truth)[0] <= 1
    assert (rouge_l("a b c d", "a c d e"), rouge_l("x", "y"), rouge_l("A b", "a B"), rouge_l("", "a")) == (
        0.75,
        0,
        1,
        0,
    )


def test_what_brings_texts_back(models):
    gone = models["retrain"]
    loss = collect(gone, TOKENIZER, FORGET).nll.mean()
    assert (
        collect(relearned(gone, TOKENIZER, FORGET, steps=10, lr=3e-3), TOKENIZER, FORGET).nll.mean()
        < loss - 0.05
    )
    rounded = quantised(gone, bits=4)
    weight, own = (m.model.layers[0].mlp.up_proj.weight for m in (rounded, gone))
    assert (
        not torch.equal(weight, own)
        and float((weight - own).abs().max()) <= float(own.abs().max()) / 14 + 1e-6
    )
    assert len(torch.unique(weight.flatten()[:64])) <= 15
    assert torch.equal(rounded.lm_head.weight, gone.lm_head.weight)
    with pytest.raises(InputError, match="equal to 2"):
        quantised(gone, bits=1)


def test_privleak_points_the_stated_way():
    rng = np.random.default_rng(0)
    unseen = rng.normal(size=200)
    known, exact, damaged = unseen - 2, rng.normal(size=200), unseen + 2
    assert privleak(known, unseen, exact, unseen).value < -50
    assert abs(privleak(exact, unseen, exact, unseen).value) < 1e-9
    over = privleak(damaged, unseen, exact, unseen)
    assert over.value > 50 and "over-unlearned" in over.warning
    assert privleak(known, unseen, exact, unseen).warning is None


def test_bag_of_words_warns_of_a_split_that_is_separable():
    rivers = [t.replace("the", "river") for t in FORGET]
    assert bag_of_words(FORGET, rivers) > 0.9 and 0.2 < bag_of_words(FORGET, HELD) < 0.8
    with pytest.raises(InputError, match="at least five"):
        bag_of_words(FORGET[:3], HELD)
    with pytest.raises(InputError, match="no words in common"):
        bag_of_words(["?!"] * 6, ["!?"] * 6)


def test_the_table_takes_a_preset(signals):
    tables = {
        preset: audit_texts(
            signals["retrain"], signals["original"], [signals["base"]], role=ROLE, preset=preset
        ).table
        for preset in ("paper", "recommended")
    }
    known = {p: {row["measure"]: row["membership_forget"] for row in rows} for p, rows in tables.items()}
    assert known["paper"]["iam"] != known["recommended"]["iam"]  # log-odds or not
    assert known["paper"]["loss"] == known["recommended"]["loss"] and 0 <= known["paper"]["iam"] <= 1


def test_changed_forms_of_texts(models):
    texts = Texts(tuple(FORGET[:4]), tuple("abcd"))
    own = collect(models["original"], TOKENIZER, texts)
    lower = lowercased(models["original"], TOKENIZER, texts)
    behind = prefixed(models["original"], TOKENIZER, texts, [HELD[0][:60]])
    assert lower.shape == behind.shape == (4,) and (lower > own.nll).all()
    copies = swapped(texts, copies=2)
    assert all(sorted(c.texts[0].split()) == sorted(texts.texts[0].split()) for c in copies)
    others = [collect(models["original"], TOKENIZER, c) for c in copies]
    near = neighbouring(models["base"], TOKENIZER, texts, copies=3, share=0.2)
    assert near[0].texts == neighbouring(models["base"], TOKENIZER, texts, copies=3, share=0.2)[0].texts
    assert len(near) == 3 and near[0].texts != near[1].texts and near[0].ids == texts.ids
    neighbours = np.stack([collect(models["original"], TOKENIZER, c).nll for c in near], axis=1)
    assert (measure("neighbourhood", nll=own.nll, neighbours=neighbours) < 0).all()  # known by heart
    assert 0.5 < SequenceMatcher(None, near[0].texts[0], texts.texts[0]).ratio() < 1
    noisy = models["base"].train()
    assert (
        neighbouring(noisy, TOKENIZER, texts, copies=3, share=0.2)[1].texts == near[1].texts
        and noisy.training
    )
    noisy.eval()
    special = TOKENIZER.all_special_tokens
    every = neighbouring(models["base"], TOKENIZER, texts, share=1, top=50)
    assert not any(mark in text for copy in every for text in copy.texts for mark in special)
    with pytest.raises(InputError, match="share is 2"):
        neighbouring(models["base"], TOKENIZER, texts, share=2)
    for name, arrays in (
        ("lowercase", {"nll": own.nll, "lower": lower}),
        ("recall", {"nll": own.nll, "prefixed": behind}),
        ("pac", {"tokens": own, "swapped": others}),
    ):
        assert np.isfinite(measure(name, **arrays)).all(), name


# reports, runs, commands


def test_the_report_of_texts(audits, tmp_path):
    texts = dict(zip(as_texts(TEXTS).ids, TEXTS, strict=True))
    one = write_texts_report(
        tmp_path / "a.html", audits["original"], texts, words=0.9, manifest={"vestige": "0"}
    )
    two = write_texts_report(
        tmp_path / "b.html", audits["original"], texts, words=0.9, manifest={"vestige": "0"}
    )
    page = one.read_text()
    assert page == two.read_text() and "<script" not in page
    assert (
        "A vestige remains" in page
        and "by their words alone (AUC 0.9)" in page
        and 'class="token more-' in page
    )
    verdict = audits["original"].audit.verdict
    head = page[: page.index("Forget texts, token by token")]
    assert head.index("A vestige remains") < head.index(verdict.sharpness) < head.index("Left at most")
    assert f"<strong>{verdict.counts['under']}</strong> flagged as under" in head and "Left at most" in head
    assert page.count("▼</span> Flagged as under</span>") == 20  # each text that is shown bears its answer
    bare = re.sub(r"<[^>]+>", "", page)
    first = audits["original"].traces[0]["id"]
    assert texts[first].replace("'", "&#39;") in bare
    assert not re.search(r"\b(nan|None)\b", re.sub(r"<style>.*?</style>", "", page, flags=re.S))


def test_pieces_hold_the_whole_text_and_nothing_else():
    from vestige.evaluation.page.texts import _pieces

    trace = {"start": [2, 4, 5], "end": [4, 5, 9], "gap": [0.1, 3.0, -0.6]}
    assert _pieces("abcdefghi", trace) == [("", "abcd"), ("more-3", "e"), ("less-1", "fghi")]


def test_scores_follow_the_degree_of_learning(models, signals):
    """ScoreUI over the checkpoints of a language model: the less was learned, the higher the score."""
    steps, model = [signals["base"]], models["base"]
    for _ in range(3):
        model = unlearn("finetune", model, TOKENIZER, retain=FORGET + RETAIN, **LEARN | {"epochs": 8}).model
        steps.append(collect(model, TOKENIZER, TEXTS))
    for name in ("iam", "lira_online", "loss"):
        scores = degrees(name, steps, signals["original"], [signals["base"]])[:48]
        found = scoreui(scores, [0, 1 / 3, 2 / 3, 1])
        assert scores.shape == (48, 4) and found.per_sample > 0.9 and found.pooled > 0.6, name
    with pytest.raises(InputError, match="at least one checkpoint"):
        degrees("iam", [])
    with pytest.raises(InputError):
        degrees("iam", steps)  # there is no model before


def test_a_model_may_be_spread_over_devices(folder, signals):
    model, tokenizer = load_model(folder / "original", device="spread")
    assert np.allclose(collect(model, tokenizer, TEXTS[:5]).logp, collect(
        load_model(folder / "original")[0], tokenizer, TEXTS[:5]
    ).logp, atol=1e-5)  # fmt: skip


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    where = tmp_path_factory.mktemp("llm")
    for name, model in models.items():
        model.save_pretrained(where / name)
        TOKENIZER.save_pretrained(where / name)
    for name, texts in (("forget", FORGET), ("retain", RETAIN), ("holdout", HELD)):
        (where / f"{name}.json").write_text(json.dumps(texts))
    return where


def config(folder, **changes):
    data = {name: str(folder / f"{name}.json") for name in ("forget", "retain", "holdout")}
    quick = {"lr": 1e-3, "epochs": 2, "length": 128}
    return {
        "kind": "llm", "name": "tiny", "model": {"name": str(folder / "base")}, "data": data | {"texts": 12},
        "learn": LEARN, "methods": [{"name": "npo", **quick}, {"name": "gradient_ascent", **quick}],
    } | changes  # fmt: skip


def test_a_whole_run_is_continued(folder, tmp_path):
    chosen = LlmConfig(**config(folder, further=True))
    said = []
    made = run_llm(chosen, tmp_path, say=said.append)
    assert list(made.audits) == ["original", "retrain", "npo", "gradient_ascent"]
    rows = {row["model"]: row for row in comparison(made, ["iam", "loss"])}
    assert rows["original"]["loss_forget"] < rows["npo"]["loss_forget"]
    assert rows["retrain"]["auc iam"] > rows["original"]["auc iam"] + 0.2
    assert all(np.isfinite(list(figures.values())).all() for figures in made.figures.values())
    reasons = {row["measure"]: row["reason"] for row in made.audits["retrain"].table}
    assert not any(reasons.values())
    areas = {row["measure"]: row["auc_retain"] for row in made.audits["retrain"].table}
    assert min(areas[name] for name in ("loss", "recall", "pac", "neighbourhood", "rmia_online")) > 0.6, areas
    assert "lower not given" in {row["reason"] for row in made.audits["npo"].table}
    again = run_llm(chosen, tmp_path)
    assert not again.seconds and plain(comparison(again)) == plain(comparison(made))


def inside(folder, **changes):
    """The configuration with its paths inside the folder of data sets."""
    data = {name: f"{name}.json" for name in ("forget", "retain", "holdout")} | {"texts": 12}
    return config(folder, **changes) | {"model": {"name": "base"}, "data": data}


def test_a_table_of_degrees(folder, tmp_path):
    """ScoreUI on texts as an experiment: each measure's scores fall pass by pass."""
    own = inside(folder, methods=[], learn=LEARN | {"epochs": 12})
    file = tmp_path / "tiny.yaml"
    told = {
        "name": "tiny", "title": "Texts", "source": "the tests", "kind": "degrees_of_texts", "figure": "pooled",
        "preset": "recommended",
        "measures": {"Loss": "loss", "Zlib": "zlib", "RMIA-On": "rmia_online", "IAM-On": "iam", "Lower": "lowercase"},
        "published": {"news": {"IAM-On": 0.5}}, "favourite": "IAM-On", "small": {"texts": {"news": own}},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(told))
    made = run_bench(experiment(file), store=tmp_path / "store", root=str(folder), workers=1)
    found = {v.row: v for v in values_of(made.result) if v.column == "news"}
    assert min(found[row].mean for row in ("Loss", "Zlib", "IAM-On")) > 0.6
    assert found["RMIA-On"].mean is not None and found["IAM-On"].published == 0.5
    assert "lower" in found["Lower"].why
    within = {v.row: v.mean for v in values_of(made.result, "per_sample")}
    assert within["Loss"] > 0.9 and within["IAM-On"] > 0.9


def test_a_table_of_texts(folder, tmp_path):
    """An experiment of `vestige bench`: a column for each model, and files that are looked for before any work."""
    own = inside(folder, relearn=0)
    file = tmp_path / "tiny.yaml"
    told = {
        "name": "tiny", "title": "Texts", "source": "the tests", "kind": "texts", "figure": "auc",
        "measures": {"Loss": "loss", "IAM-On": "iam", "Lower": "lowercase"},
        "published": {"news · retrain": {"IAM-On": 0.9}}, "small": {"texts": {"news": own}},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(told))
    made = run_bench(experiment(file), store=tmp_path / "store", root=str(folder), workers=1)
    columns = dict.fromkeys(v.column for v in values_of(made.result))
    assert list(columns) == [f"news · {m}" for m in ("original", "retrain", "npo", "gradient_ascent")]
    found = {(v.row, v.column): v for v in values_of(made.result)}
    assert found["IAM-On", "news · retrain"].mean > found["IAM-On", "news · original"].mean
    assert found["IAM-On", "news · retrain"].published == 0.9
    assert "lower not given" in found["Lower", "news · npo"].why
    known = {v.column: v.mean for v in values_of(made.result, "membership_forget") if v.row == "IAM-On"}
    assert 0 <= known["news · retrain"] < known["news · original"] <= 1
    (folder / "forget.json").rename(folder / "moved.json")
    with pytest.raises(InputError, match=r"forget\.json is not there"):
        run_bench(experiment(file), store=tmp_path / "other", root=str(folder), workers=1)
    (folder / "moved.json").rename(folder / "forget.json")


def vestige(*args):
    made = subprocess.run(
        [Path(sys.executable).with_name("vestige"), *map(str, args)], capture_output=True, text=True
    )
    return made.returncode, made.stdout, made.stderr


def test_commands(folder, tmp_path):
    code, out, err = vestige(
        "llm", "collect", folder / "base", folder / "forget.json", "--out", tmp_path / "s", "--json"
    )
    assert code == 0 and json.loads(out)["texts"] == 24, err
    code, out, err = vestige(
        "llm", "unlearn", "npo:lr=1e-3,epochs=1", "--model", folder / "original", "--forget", folder / "forget.json", "--retain",
        folder / "retain.json", "--out", tmp_path / "npo", "--json",
    )  # fmt: skip
    assert (
        code == 0
        and json.loads(out)["options"]["lr"] == 1e-3
        and (tmp_path / "npo" / "model.safetensors").is_file()
    ), err
    groups = [x for n in ("forget", "retain", "holdout") for x in (f"--{n}", folder / f"{n}.json")]
    code, out, err = vestige(
        "llm", "audit", "--after", tmp_path / "npo", "--before", folder / "original", "--shadow", folder / "base", *groups,
        "--out", tmp_path / "a", "--json", "--require", "unlearned",
    )  # fmt: skip
    told = json.loads(out)["verdict"]
    assert code == {"unlearned": 0, "undecided": 4, "under": 1, "over": 1}[told["outcome"]], err
    assert err.startswith("vestige: audit: ") == (told["outcome"] != "unlearned")
    assert {"left_at_most", "could_be_whole", "blocked_by", "advice", "power"} <= told.keys()
    assert (tmp_path / "a" / "texts.html").is_file() and (tmp_path / "a" / "report.html").is_file()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config(folder, methods=["task_vector"], relearn=0)))
    code, out, err = vestige("run", tmp_path / "run.yaml", "--out", tmp_path / "r", "--json")
    assert code == 0 and [m["model"] for m in json.loads(out)["models"]] == [
        "original",
        "retrain",
        "task_vector",
    ], err
    for args, message in (
        (("llm", "unlearn", "nop", "--model", folder / "base", "--forget", folder / "forget.json", "--out", tmp_path / "x"), "npo"),
        (("llm", "collect", tmp_path / "none", folder / "forget.json", "--out", tmp_path / "x"), "none"),
        (("llm", "collect", folder / "base", tmp_path / "none.json", "--out", tmp_path / "x"), "no such file"),
    ):  # fmt: skip
        code, out, err = vestige(*args)
        assert code == 2 and message in err, err
