"""Numbers as the reader sees them: known answers, and nothing missing is ever printed as a number."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from vestige.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"), (1234567, "1,234,567"), (2.0, "2"), (0, "0"), (-0.5, "-0.5"), (1e-5, "1e-5"),
        (1.23456e-7, "1.235e-7"), (12345.6, "12,350"), (999.99998, "1,000"), (1.5e16, "1.5e16"), (np.float64(0.25), "0.25"), (np.int64(7), "7"),
        (None, "–"), (math.nan, "–"), (math.inf, "–"), (pd.NA, "–"), (pd.NaT, "–"), (np.float32("nan"), "–"),
    ],
)  # fmt: skip
def test_number(value: object, text: str) -> None:
    assert words.number(value) == text


def test_interval_needs_both_ends() -> None:
    assert words.with_interval(0.93, 0.91, 0.95) == "0.930 [0.910, 0.950]"
    assert words.with_interval(1.0814, 0.879, 1.3) == "1.08 [0.88, 1.30]"
    assert words.with_interval(-0.0874, -0.206, 0.0194) == "-0.09 [-0.21, 0.02]"
    assert words.with_interval(-0.0001, -1, 1) == "0.0 [-1.0, 1.0]"
    assert words.with_interval(0.99965, 0.9993, 1) == "1 [0.999, 1]"
    assert (
        words.with_interval(0, 0, 0) == "0 [0, 0]"
        and words.with_interval(1500, 1e3, 2e3) == "1,500 [1,000, 2,000]"
    )
    assert words.with_interval(0.93, None, 0.95) == "0.93"
    assert words.with_interval(None, 0.91, 0.95) == "–"


def test_completeness_without_ends_says_that_nothing_bounds_it() -> None:
    assert words.completeness_words(1.0814, 0.879, 1.3) == "1.08 [0.88, 1.30]"
    assert words.completeness_words(1.0814, None, None) == "1.08 (not bounded)"
    assert words.completeness_words(None, None, None) == "–"


def test_lines_do_not_break_before_a_unit() -> None:
    text = words.unbroken("A vestige remains (p 0.05): 5 % [4 %, 6 %] of a 5% share")
    assert text == "A vestige remains (p\u00a00.05): 5\u00a0% [4\u00a0%, 6\u00a0%] of a 5% share"


@pytest.mark.parametrize(
    ("ends", "text"),
    [((0.0, 1.0), "0 to 1"), ((None, None), "unbounded"), ((0.0, None), "from 0"), ((None, 0.0), "up to 0")],
)
def test_range(ends: tuple[float | None, float | None], text: str) -> None:
    assert words.range_words(*ends) == text


def test_seconds_do_not_break_over_lines() -> None:
    assert words.seconds(0.12345) == "0.12\u00a0s"
    assert words.seconds(200) == "3\u00a0min 20\u00a0s"
    assert words.seconds(120) == "2\u00a0min"
    assert words.seconds(None) == "–"


def test_configuration_is_flattened_in_order() -> None:
    tree = {
        "train": {"lr": 0.1, "schedule": None},
        "measures": [{"name": "iam"}, "lira"],
        "seeds": [1, 2],
        "e": {},
    }
    assert words.flattened(tree) == [
        ("train.lr", "0.1"), ("train.schedule", "not set"), ("measures[0].name", "iam"), ("measures[1]", "lira"),
        ("seeds", "1, 2"), ("e", "empty"),
    ]  # fmt: skip


def test_values_of_the_configuration() -> None:
    assert words.plain_text(True) == "yes"
    assert words.plain_text(math.nan) == "not a number"
    assert words.plain_text({"a": 1}) == "a = 1"
    assert words.rounded(0.123456) == 0.1235
    assert words.rounded(math.nan) is None
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.plural(1, "sample") == "1 sample"
    assert words.plural(2000, "sample") == "2,000 samples"
