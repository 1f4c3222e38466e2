"""What a notebook shows of signals, audits and verdicts, and an audit as tables."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import oracles
import vestige


@pytest.fixture(scope="module")
def audit():
    world = oracles.gaussian_world(3, fit=8.0)
    names = np.array([f"<b>{i}</b>" for i in range(len(world))])
    shuffled = np.random.default_rng(0).permutation(len(world))
    return vestige.audit(
        world.with_(ids=names, sensitivity=None).take(shuffled),
        ["iam", "loss_difference", "samia"],
        name="<i>name</i>",
    )


def test_reprs_fit_ten_lines(audit):
    for one in (audit, audit.signals):
        assert len(repr(one).splitlines()) <= 10
    assert repr(audit).startswith("Audit of '<i>name</i>': unlearned\n")
    assert audit.verdict.sentence in repr(audit) and "Not computed: samia" in repr(audit)


class Tags(HTMLParser):
    """The tags that a piece of HTML leaves open, and its text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_is_whole_escaped_and_keeps_the_colours_of_its_page(audit):
    signals = audit.signals.with_(notes=("a note with <script>",))
    for one in (audit, audit.verdict, signals):
        html = one._repr_html_()
        page = Tags(html)
        assert not page.open and len(html) < 20_000
        assert "<i>" not in html and "<script" not in html and "http" not in html
        assert "color:inherit" in html and "background:#" not in html
    assert "Audit of <i>name</i>" in Tags(audit._repr_html_()).text
    assert audit.verdict.sentence in Tags(audit.verdict._repr_html_()).text
    assert "a note with <script>" in Tags(signals._repr_html_()).text
    assert "shadow_outfloat32" in Tags(signals._repr_html_()).text


def test_a_frame_has_a_row_for_each_record_in_the_order_of_the_signals(audit):
    frame = audit.to_frame()
    assert frame["id"].tolist() == audit.signals.names.tolist()
    assert frame["role"].tolist() == audit.signals.roles.tolist()
    assert frame["label"].tolist() == audit.signals.labels.tolist()
    assert "samia" not in frame
    pd.testing.assert_series_equal(
        frame["iam"], pd.Series(vestige.measure("iam", audit.signals), name="iam"), check_names=False
    )
    trace = audit.scores[audit.scores["measure"] == "trace"].set_index("id")
    for name in ("verdict", "p_under", "p_over"):
        assert frame[name].tolist() == trace.loc[frame["id"], name].fillna(frame[name]).tolist()
    assert set(frame.loc[frame["role"] != "forget", "verdict"]) == {""}
    assert (
        frame.loc[frame["role"] == "forget", "verdict"].value_counts()["cleared"]
        == audit.verdict.counts["cleared"]
    )
    customers = pd.DataFrame({"id": frame["id"].head(3), "name": ["a", "b", "c"]})
    assert len(frame.merge(customers, on="id")) == 3


def test_metrics_are_a_table_of_the_figures(audit):
    table = audit.metrics
    assert len(table) == len(audit.figures) and table.columns.tolist()[:4] == [
        "measure",
        "name",
        "comparison",
        "value",
    ]
    row = table.query("measure == 'iam' and name == 'auc'").iloc[0]
    assert row["value"] == audit.metric("iam", "auc").value
    assert table["value"].dtype == float
    nothing = table[table["value"].isna()]
    assert nothing["reason"].notna().all()
