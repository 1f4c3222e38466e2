"""What the committed results say of one method or measure: rows for its page, cells for the tables of comparison.

Nothing is typed here: every figure is read from benchmarks/results, with a link to the page of the lab book that holds
the whole table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks import methods as trained
from benchmarks import study as models
from benchmarks.tables import RESULTS, read_entered
from vestige.experiments.bench.run import read_result
from vestige.experiments.bench.table import digits_of, values_of

RESULTS_PAGE = "[results](../../labbook/results.md)"
REPRODUCTION = "[reproduction](../../labbook/reproduction.md)"
TEXTS = "[texts](../../labbook/texts.md)"
DATA = {"location30": "Location-30", "adult": "Adult", "cifar10": "CIFAR-10", "digits": "digits"}
STUDIED = ("location30", "adult", "cifar10")
REQUESTS = {"random": "a random request", "partial_class": "part of a class", "class": "a class"}
METHOD_COLUMNS = ("Points from retraining, a class", "A random tenth", "Passes, a class")
TEXT_METHOD_COLUMNS = ("Completeness", "Loss of forgotten texts", "After relearning")
MEASURE_COLUMNS = ("AUC, Location-30", "Adult", "CIFAR-10")
TEXT_MEASURE_COLUMNS = ("AUC, published losses", "Against holdout texts")
PUBLISHED = {
    "iam": "IAM", "lira_online": "LiRA", "rmia_ratio": "RMIA ratio", "linear_gap": "linear gap", "ratio": "ratio",
    "loss": "loss",
}  # fmt: skip
"""How the table of published figures calls the measures on texts."""


@cache
def entered(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return a table of results by the first cell of its rows, without quotes, and by its columns."""
    data = read_entered(name)
    return {re.sub(r"`", "", row[0]): dict(zip(data["columns"], row, strict=True)) for row in data["rows"]}


@cache
def on_class() -> list[dict[str, Any]]:
    """Return the results of every method on a class of CIFAR-10, a line for each seed."""
    return [
        r
        for r in trained.lines(RESULTS / "methods_cifar10.jsonl")
        if r["block"] == "class" and "why" not in r
    ]


@cache
def class_disparities() -> Mapping[str, float]:
    """Return how far each method is from retraining on a class, in points, mean over seeds."""
    rows = on_class()
    names = dict.fromkeys(r["method"] for r in rows)
    return {name: float(np.mean(trained.disparities(name, rows))) for name in names if " " not in name}


@cache
def random_disparities() -> Mapping[str, float]:
    """Return the same on a random tenth, one seed."""
    return {name: float(row["avg. disparity"]) for name, row in entered("methods-random-all").items()}


@cache
def bench(name: str) -> Mapping[tuple[str, str], str]:
    """Return what a table of `vestige bench` holds, by column and row, as it is printed."""
    cells = [one for one in values_of(read_result(RESULTS / f"{name}-small.json")) if one.mean is not None]
    digits = digits_of(cells)
    return {
        (one.column, one.row): f"{one.mean:.{digits}f}"
        + ("" if one.half is None else f" ± {one.half:.{digits}f}")
        for one in cells
    }


Cells = Mapping[tuple[str, str], tuple[float, float, float]]
"""A figure with its interval, by data set and request."""


@cache
def study(figure: str = "auc") -> Mapping[str, Cells]:
    """Return a figure of every measure with one shadow, with its interval: "auc", or "tnr" at 1 % missed.

    What was measured later stands behind what was measured first, and does not replace it.
    """
    table: dict[str, dict[tuple[str, str], tuple[float, float, float]]] = {}
    for measure, row in entered(f"study-{figure}-1-shadow").items():
        table[measure] = {
            (data, request): numbers(row[f"{data}, {request}"]) for data in STUDIED for request in REQUESTS
        }
    first = set(table)
    for line in models.lines_of(RESULTS / "study.jsonl", 1):
        if line["measure"] not in first and figure in line:
            table.setdefault(line["measure"], {})[line["data"], line["request"]] = tuple(line[figure])
    return table


def numbers(cell: str) -> tuple[float, float, float]:
    """Return the figure and the interval of a cell such as `0.905 [0.882, 0.929]`."""
    value, low, high = map(float, re.findall(r"-?\d+\.\d+", cell))
    return value, low, high


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown, its figures to the right."""
    last = "---" if head[-1] == "Where" else "---:"
    lines = [head, ["---", *["---:"] * (len(head) - 2), last], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def picture(name: str, alt: str) -> str:
    """Return a picture for light and for dark pages."""
    return "".join(
        f"```{{image}} {name}-{tone}.svg\n:class: only-{tone}\n:alt: {alt}\n```\n\n"
        for tone in ("light", "dark")
    )


def of_method(name: str) -> str:
    """Return what was measured of a method on samples."""
    rows = class_rows(name) + random_rows(name) + bench_rows(name) + epsilon_rows(name)
    if not rows:
        return ""
    text = ""
    if name in class_disparities() or name in random_disparities():
        text = picture(name, method_alt(name)) + (
            "Each dot is a method: its distance from retraining in points, the mean over accuracy on forgotten, "
            "retained and test samples and the published attack. Left is better.\n\n"
        )
    head = ["Figure", "This method", "Retraining", "Untouched", "Where"]
    return text + markdown(head, rows)


def method_alt(name: str) -> str:
    """Return what the picture of a method shows."""
    parts = [
        f"{disparities[name]:.2f} points from retraining on {what}"
        for what, disparities in (("a class", class_disparities()), ("a random tenth", random_disparities()))
        if name in disparities
    ]
    return f"{name} is {' and '.join(parts)} of CIFAR-10, among all other methods."


def class_rows(name: str) -> list[list[str]]:
    """Return the rows of a method on a class of CIFAR-10."""
    rows = on_class()
    if name not in class_disparities():
        return []
    where = f"{RESULTS_PAGE}: class"
    cells = {one: trained.figures_of(one, rows) for one in (name, "retrain", "original")}
    titles = {
        1: "CIFAR-10, a class: % of it called by another name", 3: "the same: % right on retained samples",
        4: "the same: % right on test samples", 5: "the same: points from retraining, 0 = as retrained",
        8: "the same: passes over the retained samples", 9: "the same: seconds of a core",
    }  # fmt: skip
    return [
        [title, *(cells[one][i] for one in (name, "retrain", "original")), where]
        for i, title in titles.items()
    ]


def random_rows(name: str) -> list[list[str]]:
    """Return the rows of a method on a random tenth of CIFAR-10."""
    table = entered("methods-random-all")
    if name not in table:
        return []
    columns = {
        "avg. disparity": "CIFAR-10, a random tenth: points from retraining, 0 = as retrained",
        "completeness": "the same: completeness, 1 = unlearned",
        "IAM AUC": "the same: AUC of IAM, forgotten against retained",
    }
    return [
        [
            title,
            table[name][column] or "none",
            table["retrain"][column],
            "",
            f"{RESULTS_PAGE}: random, every method",
        ]
        for column, title in columns.items()
    ]


def bench_rows(name: str) -> list[list[str]]:
    """Return the rows of a method in the papers' tables at their small scale."""
    rows = []
    tables = {
        "iam-table8": "AUC of IAM in %, forgotten against retained",
        "dau-table1": "points from retraining",
    }
    for table, what in tables.items():
        values = bench(table)
        for column in dict.fromkeys(column for column, row in values if row == name):
            data, _, request = column.partition(" · ")
            title = f"{DATA.get(data, data.replace('cifar10', 'CIFAR-10,'))}, {REQUESTS.get(request, request)}: {what}"
            rows.append([title, values[column, name], values[column, "retrain"], "", REPRODUCTION])
    return rows


def epsilon_rows(name: str) -> list[list[str]]:
    """Return the rows of a method by epsilon-hat: 0 = no attacker tells its models from retrained ones."""
    rows = []
    budget = entered("budget")
    if name in budget:
        title = "Location-30, 50 records: epsilon-hat, cross-fitted; 0 = as retrained"
        rows.append(
            [title, budget[name]["epsilon-hat"], budget[name]["null"], "", f"{RESULTS_PAGE}: the budget"]
        )
        title = "the same: % right on test samples"
        rows.append([title, budget[name]["test accuracy %"], "", "", f"{RESULTS_PAGE}: the budget"])
    values = {
        cell["row"]: f"{cell['figures']['epsilon_cross_fitted'][0][0]:.2f}"
        for cell in read_result(RESULTS / "epsilon_cifar10-small.json")["cells"]
    }
    if name in values:
        title = "CIFAR-10, 200 images: epsilon-hat, cross-fitted; 0 = as retrained"
        rows.append([title, values[name], values["retrain"], "", f"{RESULTS_PAGE}: the budget"])
    return rows


def method_cells(name: str) -> list[str]:
    """Return the cells of a method in the table of comparison."""
    passes = trained.figures_of(name, on_class())[8] if name in class_disparities() else ""
    return [
        f"{table[name]:.2f}" if name in table else "" for table in (class_disparities(), random_disparities())
    ] + [passes]


def text_rows() -> Mapping[str, Mapping[str, str]]:
    """Return what methods on texts left, by the method's name."""
    return {name.split(",")[0]: row for name, row in entered("llm-muse-methods").items()}


def of_text_method(name: str) -> str:
    """Return what was measured of a method on texts."""
    table, rows = text_rows(), []
    if name in table:
        for column in list(next(iter(table.values())))[1:]:
            rows.append(
                [
                    f"MUSE-News, 24 texts: {column}",
                    *(table[one][column] for one in (name, "retrain", "original")),
                    TEXTS,
                ]
            )
    for bench_name, what in (
        ("iam-table6", "AUC in % of forgotten against retained texts"),
        ("iam-table7", "membership of forgotten texts"),
    ):
        values = bench(bench_name)
        for measure in ("Loss", "IAM-On"):
            if (f"muse · {name}", measure) in values:
                cells = [values[f"muse · {one}", measure] for one in (name, "retrain", "original")]
                rows.append(
                    [
                        f"MUSE-News, 20 texts: {what}, by `{'loss' if measure == 'Loss' else 'iam'}`",
                        *cells,
                        REPRODUCTION,
                    ]
                )
    return markdown(["Figure", "This method", "Retraining", "Original", "Where"], rows) if rows else ""


def text_method_cells(name: str) -> list[str]:
    """Return the cells of a method on texts in the table of comparison."""
    row = text_rows().get(name, {})
    return [row.get(column, "") for column in ("completeness", "loss forget", "after relearning")]


def shown(cells: Cells, data: str, request: str) -> str:
    """Return a figure with its interval as a cell, or that it was not measured."""
    if (data, request) not in cells:
        return "not run"
    return "{:.3f} [{:.3f}, {:.3f}]".format(*cells[data, request])


def of_measure(name: str) -> str:
    """Return what was measured of a measure on samples."""
    text = ""
    if name in study():
        areas, strict = study()[name], study("tnr")[name]
        rows = [
            [what, *(shown(areas, data, request) for data in STUDIED)] for request, what in REQUESTS.items()
        ]
        rows += [
            [f"{what}, recognised at 1 %", *(shown(strict, data, request) for data in STUDIED)]
            for request, what in REQUESTS.items()
        ]
        text = (
            picture(name, measure_alt(name))
            + (
                "AUC of forgotten against retained records of an exactly retrained model, one shadow: 1 = told apart "
                "without error, 0.5 = chance. Each dot is a measure, the bar the 95 % interval of this one. Below in "
                "figures, and the share of forgotten records that is recognised where 1 % of the retained ones may be "
                f"missed ({RESULTS_PAGE}: which measure).\n\n"
            )
            + markdown(["Request", *(DATA[data] for data in STUDIED)], rows)
        )
    return text + published_rows(name)


def measure_alt(name: str) -> str:
    """Return what the picture of a measure shows."""
    values = study()[name]
    parts = [
        f"{values[data, 'random'][0]:.3f} on {DATA[data]}" for data in STUDIED if (data, "random") in values
    ]
    return (
        f"The AUC of {name} on random requests is {', '.join(parts)}; all other measures stand beside it, parts of "
        "classes and whole classes below."
    )


def published_rows(name: str) -> str:
    """Return the rows of a measure in the papers' tables at their small scale."""
    rows = []
    for table, what in (
        ("iam-table1", "AUC, %"),
        ("iam-table10", "AUC, %"),
        ("iam-table2", "ScoreUI, rank correlation with the degree of training"),
    ):
        result = read_result(RESULTS / f"{table}-small.json")
        labels = [
            label
            for label, spec in result["experiment"]["measures"].items()
            if spec == name or spec == {"name": name, "mode": "online"}
        ]
        for column, row in bench(table):
            if row in labels:
                data, _, request = column.partition(" · ")
                words = REQUESTS.get(request.replace(" ", "_"), "records added while it is trained")
                where = f"{DATA.get(data, data)}, {words}"
                rows.append([f"{where}: {what}", bench(table)[column, row]])
    if not rows:
        return ""
    return (
        f'As published (`preset="paper"`), by the papers\' tables at a small scale ({REPRODUCTION}):\n\n'
        + markdown(["Figure", "Value"], rows)
    )


def measure_cells(name: str) -> list[str]:
    """Return the cells of a measure in the table of comparison: random requests, one shadow."""
    values = study().get(name, {})
    return [f"{values[data, 'random'][0]:.3f}" if (data, "random") in values else "" for data in STUDIED]


def of_text_measure(name: str) -> str:
    """Return what was measured of a measure on texts."""
    rows = []
    published = entered("published").get(f"AUC on MUSE-News, {PUBLISHED.get(name, '')}")
    if published:
        rows.append(
            [
                "7,753 texts of MUSE-News, published losses of a retrained model: AUC",
                published["ours"],
                RESULTS_PAGE,
            ]
        )
    ours = entered("llm-muse-measures").get(name)
    for column, value in list(ours.items())[1:] if ours else []:
        rows.append([f"24 texts of MUSE-News, under `retrain`: {column}", value, TEXTS])
    for table, what in (
        ("iam-table6", "AUC in % of forgotten against retained"),
        ("iam-table6-scoreui", "rank correlation with the degree of training"),
    ):
        result = read_result(RESULTS / f"{table}-small.json")
        labels = [label for label, spec in result["experiment"]["measures"].items() if spec == name]
        for column, row in bench(table):
            if row in labels:
                rows.append(
                    [
                        f"{column.replace('muse', 'MUSE-News')}, as published: {what}",
                        bench(table)[column, row],
                        REPRODUCTION,
                    ]
                )
    return "On texts:\n\n" + markdown(["Figure", "Value", "Where"], rows) if rows else ""


def text_measure_cells(name: str) -> list[str]:
    """Return the cells of a measure on texts in the table of comparison."""
    published = entered("published").get(f"AUC on MUSE-News, {PUBLISHED.get(name, '')}", {})
    ours = entered("llm-muse-measures").get(name, {})
    return [published.get("ours", ""), ours.get("forget against holdout", "")]
