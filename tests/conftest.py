"""Shared by all tests: the oracles, the folders of real data, and one family of tiny language models."""

from __future__ import annotations

import gc
import json
import os
import sys
from functools import cache
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from numpy.random import Generator

sys.path.insert(0, str(Path(__file__).parent))

# The same examples in every run, however busy the machine is.
settings.register_profile(
    "vestige", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("vestige")
DRAWN = {}
REAL_DATA = Path(os.environ.get("VESTIGE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data sets; tests that ask for it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data in {REAL_DATA}; set VESTIGE_DATA to the folder that holds them")
    return REAL_DATA


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with published raw outputs; tests that ask for it are skipped where it is absent."""
    folder = Path(os.environ.get("VESTIGE_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))
    if not folder.is_dir():
        pytest.skip(f"no published outputs in {folder}; set VESTIGE_REFERENCE to the folder that holds them")
    return folder


# What is loaded stays to the end: a collector that walks through it again and again takes a tenth of the suite's time.
gc.disable()


def pytest_collection_finish():
    """Collect garbage again, of what the tests make alone."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_collection_modifyitems(items):
    """Keep how the generator of each module, its `RNG`, stands before the first test draws from it."""
    for module in {getattr(item, "module", None) for item in items}:
        if isinstance(getattr(module, "RNG", None), Generator):
            DRAWN[module] = module.RNG.bit_generator.state


@pytest.fixture(scope="session", autouse=True)
def nothing_reaches_the_disk():
    """What tests write lives as long as they do: no file waits until the disk has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        if "vestige.ledger" in sys.modules:
            from vestige.ledger import database

            prepare = database._prepare

            def quick(connection, record):
                prepare(connection, record)
                connection.execute("PRAGMA synchronous=OFF").close()

            patch.setattr(database, "_prepare", quick)
        yield


@pytest.fixture(autouse=True)
def same_draws(request):
    """A test draws the same numbers from its module's generator, whatever tests ran before it."""
    module = getattr(request.node, "module", None)
    if module in DRAWN:
        module.RNG.bit_generator.state = DRAWN[module]


def empty_pictures(patch):
    """Give reports an empty picture for each figure."""
    figure = MagicMock()
    axes = figure.return_value.add_axes.return_value
    axes.get_xlim.return_value = (0.0, 1.0)
    axes.transData.transform.side_effect = lambda points: points
    patch.setattr("matplotlib.figure.Figure", figure)
    patch.setattr("vestige.report.svg.inline_svg", lambda figure, *, key, label: '<svg class="chart"/>')


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """Empty ones in every report: most of its time is drawing. Where tests look at them, this fixture is another."""
    with pytest.MonkeyPatch.context() as patch:
        empty_pictures(patch)
        yield


@pytest.fixture
def no_pictures(monkeypatch):
    """Empty pictures for one test of a module whose others look at them."""
    empty_pictures(monkeypatch)


@pytest.fixture
def forked_workers(monkeypatch):
    """Worker processes that are forked from one which has loaded the libraries; tests/graph starts those of runs too."""
    from concurrent.futures import ProcessPoolExecutor

    import processes

    monkeypatch.setattr(
        "vestige.graph.engines._worker", lambda: ProcessPoolExecutor(1, mp_context=processes.SERVER)
    )


@pytest.fixture
def small_attacker(monkeypatch):
    """SAMIA's transformer in a size that trains in milliseconds; its own tests take it in the published one."""
    for name, value in {"LAYERS": 1, "WIDTH": 32, "HEADS": 4, "INNER": 32}.items():
        monkeypatch.setattr(f"vestige.models.samia.{name}", value)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A folder with tiny language models by name, and the texts of each group as JSON.

    "base" and "other" never saw `tiny.TEXTS`, "original" learned those to forget and to retain, "retrain" the retained
    ones alone. The workers of pytest-xdist share it: the first that needs it makes it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, unfinished = shared / "language-models", shared / "language-models.part"
    with FileLock(shared / "language-models.lock"):
        if not folder.is_dir():
            _teach(unfinished)
            unfinished.rename(folder)
    return folder


def _teach(folder):
    import tiny
    from vestige.unlearning.text import unlearn

    tokenizer = tiny.tokenizer()

    def taught(model, texts):
        return unlearn("finetune", model, tokenizer, retain=texts, **tiny.LEARN).model

    base, other = (taught(tiny.model(), tiny.news(60, seed)) for seed in (7, 8))
    original = taught(base, tiny.FORGET + tiny.RETAIN)
    retrained = unlearn(
        "retrain", original, tokenizer, tiny.FORGET, tiny.RETAIN, base=base, **tiny.LEARN
    ).model
    for name, model in {"base": base, "original": original, "retrain": retrained, "other": other}.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    for name, texts in (("forget", tiny.FORGET), ("retain", tiny.RETAIN), ("holdout", tiny.HELD)):
        (folder / f"{name}.json").write_text(json.dumps(texts))


@pytest.fixture(scope="session")
def language_models(model_folder):
    """The models of `model_folder` by name. They are shared: no test changes them."""
    from transformers import AutoModelForCausalLM

    names = ("base", "original", "retrain", "other")
    return {name: AutoModelForCausalLM.from_pretrained(model_folder / name) for name in names}


@pytest.fixture(scope="session")
def text_signals(language_models):
    """The signals of `tiny.TEXTS` by model."""
    import tiny
    from vestige.signals.collect_texts import collect

    return {name: collect(model, tiny.tokenizer(), tiny.TEXTS) for name, model in language_models.items()}


@pytest.fixture(scope="session")
def text_audits(text_signals):
    """The audits of the original, from which nothing was unlearned, and of the retrained model."""
    import tiny
    from vestige.evaluation.texts import audit_texts

    before, shadows = text_signals["original"], [text_signals["base"], text_signals["other"]]
    return {
        name: audit_texts(text_signals[name], before, shadows, role=tiny.ROLE, extra={"texts": tiny.TEXTS})
        for name in ("original", "retrain")
    }


@pytest.fixture(scope="session")
def words_are_told_apart_once():
    """In runs on texts: how well words tell two groups of texts apart, a second each, is worked out once for groups that runs share."""
    from vestige.evaluation import language

    known = cache(language.bag_of_words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "vestige.experiments.texts.bag_of_words", lambda one, other: known(tuple(one), tuple(other))
        )
        yield


@pytest.fixture
def nearest():
    """A system that knows what it was trained on, takes no time, and needs no torch."""
    from nearest import Nearest

    return Nearest()
