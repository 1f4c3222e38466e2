"""The contracts of a company and the model that says which of them will end: what `year.py` is about.

The records are those of Adult (UCI; income above 50K stands in for a contract that ends) where VESTIGE_DATA names a
folder with adult/adult.csv, and made up elsewhere. They are drawn independently of each other, whoever holds them: so
contracts of one customer count as so many. Where they are alike, `estimators(..., cluster=)` says whose they are.
"""

import json
import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from vestige.systems import System, estimators

JANUARY, EACH_MONTH, NEVER = 2_000, 60, 5_000  # contracts at first, new ones a month, and offers never trained on
TREES = 100
OWN = ["customer", "since"]  # columns that are no features


def contracts(seed: int = 0) -> pd.DataFrame:
    """Return the contracts by id: features, "leaves", whose they are, and the month from which on (0: never)."""
    rng = np.random.default_rng(seed)
    count = JANUARY + 11 * EACH_MONTH + NEVER
    table = adult() if has_adult() else made_up(count, rng)
    table = table.iloc[rng.permutation(len(table))[:count]].copy()
    table.index = pd.Index([f"contract-{number:05d}" for number in range(count)], name="contract")
    table["customer"] = [f"customer-{number:05d}" for number in range(count)]
    table["since"] = np.repeat([*range(1, 13), 0], [JANUARY, *[EACH_MONTH] * 11, NEVER])
    return table


def has_adult() -> bool:
    return Path(os.environ.get("VESTIGE_DATA", ""), "adult", "adult.csv").is_file()


def adult() -> pd.DataFrame:
    table = pd.read_csv(f"{os.environ['VESTIGE_DATA']}/adult/adult.csv").drop(columns="fnlwgt")
    return table.assign(leaves=np.where(table.pop("income").str.contains(">"), "yes", "no"))


def made_up(count: int, rng: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "plan": rng.choice(["basic", "family", "business"], count),
            "paid": rng.choice(["monthly", "yearly"], count),
            "region": rng.choice(list("ABCDEFGH"), count),
            "months": rng.gamma(2, 12, count).round(),
            "charge": rng.normal(40, 12, count).round(2),
            "calls": rng.poisson(2, count),
            "gigabytes": rng.gamma(2, 5, count).round(1),
        }
    )
    score = 1 + (table.paid == "monthly") + 0.5 * table.calls - table.months / 10 + 0.03 * (table.charge - 40)
    return table.assign(leaves=np.where(score + rng.logistic(size=count) > 0, "yes", "no"))


def model(seed: int) -> Pipeline:
    """Return the model, not fitted: text columns as numbers, and a forest of trees."""
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    text = make_column_transformer(
        (encode, make_column_selector(dtype_exclude="number")), remainder="passthrough"
    )
    return make_pipeline(text, ExtraTreesClassifier(TREES, random_state=seed))


def train(table: pd.DataFrame, seed: int) -> Pipeline:
    return model(seed).fit(table.drop(columns=[*OWN, "leaves"]), table.leaves)


def fine_tune(old: Pipeline, table: pd.DataFrame) -> Pipeline:
    """Return the old model with as many trees once more, which are grown on the table as it is now."""
    tuned, features = deepcopy(old), table.drop(columns=[*OWN, "leaves"])
    tuned[-1].set_params(warm_start=True, n_estimators=2 * len(tuned[-1]))
    tuned[-1].fit(tuned[:-1].transform(features), table.leaves)
    return tuned


def system(fitted: Pipeline, table: pd.DataFrame, never: pd.DataFrame) -> System:
    """Return a version as vestige sees it: a model, contracts that it was trained on, and some that it never saw."""
    return estimators(fitted, table, label="leaves", drop=OWN, unseen=never)


def restored(content: Mapping[str, bytes]) -> pd.DataFrame:
    """Return contracts that were deleted from the table, from what the ledger kept of them."""
    return pd.DataFrame.from_dict({name: json.loads(body) for name, body in content.items()}, orient="index")
