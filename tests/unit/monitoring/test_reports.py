"""Reports of ticks and of the history: complete where parts are missing, small, and unbroken by hostile names."""

from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from ciclo.components.core.project_file import project_to_yaml
from ciclo.components.core.report import Report
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.records import Acknowledgement, History
from ciclo.components.monitoring.telling.alert_plan import News
from ciclo.components.monitoring.telling.alerting import Alert
from ciclo.components.monitoring.telling.history_report import history_report
from ciclo.components.monitoring.telling.report import tick_report
from ciclo.pipelines.command.app import app
from tests.unit.monitoring.conftest import NOW as TICK
from tests.unit.monitoring.samples import HOSTILE, NOW, WEEK, decision, history, project, view

VOID = {"meta"}
ELEMENTS = {
    "html", "head", "body", "main", "title", "style", "h1", "h2", "p", "div", "strong", "ul", "li", "a", "code", "span",
    "i", "bdi", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "desc", "text", "line",
    "rect", "circle", "path", "polygon", *VOID,
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page and checks that every element it opens is closed, known, and fetches nothing."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text = [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "xlink:href")
            assert name != "href" or "://" not in value
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in ELEMENTS

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_tick_is_shown_with_all_it_saw():
    taken = decision(
        "alert", columns=("column_00",), kinds=("data",), since=NOW - 2 * WEEK,
        evidence={"metric": "roc_auc_score", "score": 0.69, "score_low": 0.66, "score_high": 0.72, "rows": 167_423},
    )  # fmt: skip
    html = tick_report(project(), taken, view(), history()).html()
    text = "\n".join(Page(html).text)
    for part in (
        "a person has to look", "Since 2026-05-18 06:00 UTC", "Likely cause", "Mend the source", "v2",
        "realised roc_auc_score", "estimated without labels", "published", "column_00: effect", "usually at most",
        "41 % (1 %)", "93 % of the rows whose label is due have one. Half of them came within 3 days", "167,423",
        "27 columns have every value",
    ):  # fmt: skip
        assert part in text, part
    assert html.count('class="strip"') == 31
    assert html.count('class="usual"') > 30


@pytest.mark.parametrize("without", ["drift", "performance", "estimate", "health", "labels", "all"])
def test_a_tick_is_shown_where_parts_are_missing(without):
    whole = view()
    gone = {"drift", "performance", "estimate", "health", "labels"} if without == "all" else {without}
    evidence = replace(whole.evidence, **{name: () if name == "health" else None for name in gone})
    for past in (None, history(4)):
        html = tick_report(project(), decision("watch"), replace(whole, evidence=evidence), past).html()
        text = " ".join(Page(html).text)
        assert all(title in text for title in ("Performance over time", "Columns that moved", "Data health", "Labels"))


def test_a_tick_of_an_empty_window_is_shown():
    whole = view()
    empty = Evidence(version=1, serving_since=NOW, start=NOW, end=NOW, rows=0, last_row=None, trainable_until=NOW)
    Page(tick_report(project(), decision("ok"), replace(whole, evidence=empty)).html())


@pytest.mark.slow
def test_a_hundred_columns_with_hostile_names_and_a_year_of_hours_stay_below_a_megabyte():
    seen = view(100, HOSTILE, moved=60)
    taken = decision("alert", columns=HOSTILE, cause=", ".join(HOSTILE), evidence={"drifted_columns": "x" * 100_000})
    html = tick_report(project(), taken, seen, history(52, timedelta(hours=1))).html()
    text = "\n".join(Page(html).text)
    assert len(html.encode()) < 1_000_000
    for part in ("<script>alert(1)</script>", "\"quoted\" & 'so'", "$x$ and $y$", "שלום", "</style></svg></table>"):
        assert part in text
    assert "\u202e" not in html
    assert "\0" not in html


def alerts():
    news = {"severity": "critical", "matters": ("data",), "since": NOW, "began": NOW, "time": NOW}
    common = {"action": "alert", "version": 3, "text": ""}
    return [
        Alert(number=number, news=News(occasion=occasion, **news), title=title, **common, **fields)
        for number, occasion, title, fields in (
            (1, "new", "<b>broken</b>", {"waiting": ("OPS_ALERTS",), "attempts": 2}),
            (2, "reminder", "still", {"lost": ("OPS_ALERTS",), "attempts": 9}),
            (3, "resolved", "resolved after 2 days", {"attempts": 1}),
        )
    ]


def test_the_history_is_shown_with_decisions_versions_runs_alerts_and_people():
    moves = [
        {"moved_at": "2026-01-01T00:00:00", "alias": "champion", "version": 2, "by": "run 1", "why": "<i>gain</i>"}
    ]
    html = history_report(
        "loans", history(), alerts(), moves, {history().decisions[-1].time: "reports/a b.html"}
    ).html()
    text = "\n".join(Page(html).text)
    for part in (
        "development has to look", "52 ticks from 2025-06-02", "promoted, version 2", "refused", "open", "<i>gain</i>",
        "<b>broken</b>", "not yet, after 2 attempts: OPS_ALERTS", "given up: OPS_ALERTS", "Ada <b>",
        "decisions", "people",
    ):  # fmt: skip
        assert part in text, part
    assert 'href="reports/a b.html"' in html
    assert len(html) < 60_000


def test_the_history_of_a_project_that_has_none_is_shown():
    assert "The watch has not run yet." in Page(history_report("loans", History()).html()).text
    one = History(acknowledgements=(Acknowledgement(by="Ada", time=NOW),))
    Page(history_report("loans", one).html())


def test_the_command_writes_the_history_and_the_reports_beside_it(eager, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_HOME", str(eager.settings.home))
    settings.cache_clear()
    eager.serve(TICK, shift=1)
    eager.tick(TICK)
    file, output = tmp_path / "project.yaml", tmp_path / "out.html"
    file.write_text(project_to_yaml(eager.project))
    try:
        done = CliRunner().invoke(app, ["history", str(file), "--output", str(output), "--days", "3650"])
        bad = CliRunner().invoke(app, ["history", str(file), "--output", "/proc/out.html"])
    finally:
        settings.cache_clear()
    assert done.exit_code == 0, done.output
    page = output.read_text()
    assert "a retraining was started" in page
    (report,) = (tmp_path / "out-reports").iterdir()
    assert f'href="out-reports/{report.name}"' in page
    assert "beside what is usual" in report.read_text()
    assert "cannot be written" in str(bad.exception or bad.output)


def test_every_stage_has_reports_for_light_and_dark_narrow_and_wide():
    html = Report("t").table(["a"], [["x" * 500, 167_423.7]]).html()
    for part in ("prefers-color-scheme:dark", "max-width:40rem", "width=device-width", 'class="scroll"', "167,400"):
        assert part in html
