"""The part of the cleaning report that shows rows, classes and missing values beside the last accepted version."""

from ciclo.components.cleaning.accounts import CleaningReport
from ciclo.components.core.charts import Bar, bars, key
from ciclo.components.core.profile import Profile
from ciclo.components.core.report import Report
from ciclo.components.releases.accepted import Accepted

DRAWN = 24


def show_last_run(report: Report, accounts: CleaningReport, accepted: Accepted | None) -> None:
    """Add the rows that models are fitted on, then and now; nothing where no version can be read.

    Why it cannot be read, and the distribution of every column, are in the validation report.

    Args:
        report: Where to.
        accounts: The rows of this run.
        accepted: The version; None if there is none yet.
    """
    past = accepted.profile if accepted is not None else None
    if accepted is None or past is None:
        return
    now = accounts.splits.get("train", 0) + accounts.splits.get("validation", 0)
    version = f"version {accepted.version}"
    report.section(f"Beside {accepted.name}")
    report.table(["", version, "this run"], [["rows to learn from", past.rows, now]])
    charts = [("Class balance", _classes(accounts, past)), ("Missing values", _missing(accounts, past))]
    drawn = [(caption, bars(f"{caption} then and now", rows[:DRAWN], "then")) for caption, rows in charts if rows]
    if drawn:
        report.chart(key([("past", version), ("accent", "this run")])).charts(drawn)


def _classes(accounts: CleaningReport, past: Profile) -> list[Bar]:
    if not accounts.classes or past.target.kind != "category":
        return []
    then = dict(zip(past.target.values, past.target.counts, strict=False))
    before, after = max(sum(past.target.counts), 1), max(sum(accounts.classes.values()), 1)
    names = sorted(accounts.classes, key=lambda label: -accounts.classes[label])
    return [Bar(label, then.get(label, 0) / before, accounts.classes[label] / after) for label in names]


def _missing(accounts: CleaningReport, past: Profile) -> list[Bar]:
    """The features that both have and of which either lacks values, those that changed most first."""
    shares = {n: (past.columns[n].missing, now) for n, now in accounts.missing.items() if n in past.columns}
    some = sorted((n for n in shares if max(shares[n]) > 0), key=lambda n: -abs(shares[n][0] - shares[n][1]))
    return [Bar(name, *shares[name]) for name in some]
