"""Tells people what a tick came to, once, and again only as ``alert_plan`` rules.

Below ``projects/<project>/monitoring/alerts/`` each alert is one object, by number. It is written before it is sent,
with the routes it still has to take; so of two ticks that see the same one tells, a crash repeats an alert and
never swallows one, and what a receiver did not take goes out with the next tick. An alert that could not be sent for
``remind_days`` is given up, which is logged: the reminder takes its place.
"""

import base64
import html
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from pydantic import AwareDatetime

from ciclo.components.core.alerts import Message, Tone, routes, send_message
from ciclo.components.core.errors import StorageError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import clean, counted, listed
from ciclo.components.monitoring.log import swap_record
from ciclo.components.monitoring.records import Decision, History, Record
from ciclo.components.monitoring.telling.alert_plan import News, Severity, plan, trouble
from ciclo.components.monitoring.telling.explanation import View, changes, likely_causes, next_step
from ciclo.components.monitoring.telling.pictures import picture
from ciclo.components.storage.objects import ObjectStore

HOLD = timedelta(minutes=10)  # longer than sending takes
TONES: dict[Severity, Tone] = {"info": "info", "warning": "warning", "critical": "failure"}
Lines = list[tuple[str, list[str]]]


class Alert(Record):
    """One alert, and how far it got.

    Attributes:
        number: Counted up from 1 in each project.
        news: Why people are told.
        action: Of the decision it is about.
        version: The version that served.
        title: One line.
        text: The alert as text.
        html: The same as HTML.
        picture: A PNG in base64, or nothing.
        waiting: Names of the routes it has still to take.
        attempts: How often it was tried.
        held_until: Until when the tick that is sending it has it for itself.
        lost: Names of the routes it was given up on.
        behind: Numbers of earlier alerts that were still waiting when this one was written.
    """

    number: int
    news: News
    action: str
    version: int
    title: str
    text: str
    html: str = ""
    picture: str = ""
    waiting: tuple[str, ...] = ()
    attempts: int = 0
    held_until: AwareDatetime | None = None
    lost: tuple[str, ...] = ()
    behind: tuple[int, ...] = ()


class AlertLog:
    """The alerts of one project.

    Args:
        store: Where they are.
        project: Name of the project.
    """

    def __init__(self, store: ObjectStore, project: str) -> None:
        self._store = store
        self._root = f"projects/{project}/monitoring/alerts/"

    def read(self) -> list[Alert]:
        """All alerts, oldest first."""
        return [self._read(key) for key in sorted(self._store.list(self._root))]

    def recent(self) -> list[Alert]:
        """The newest alert, and before it those that may still be waiting."""
        keys = sorted(self._store.list(self._root))
        if not keys:
            return []
        newest = self._read(keys[-1])
        return [*(self._read(self._key(number)) for number in newest.behind), newest]

    def add(self, alert: Alert) -> bool:
        """Write a new alert; whether this was the first with its number."""
        return self._store.put_if_absent(self._key(alert.number), alert.document)

    def replace(self, old: Alert, new: Alert) -> bool:
        """Write down how far an alert got; whether nobody else did meanwhile."""
        return swap_record(self._store, self._key(old.number), old, new)

    def _key(self, number: int) -> str:
        return f"{self._root}{number:08d}.json"

    def _read(self, key: str) -> Alert:
        try:
            return Alert.model_validate_json(self._store.get(key).data)
        except ValueError as error:
            raise StorageError(f"the alert {key} cannot be read", hint="Move it away and look into it.") from error


def tell(
    project: Project,
    decision: Decision,
    history: History,
    *,
    store: ObjectStore,
    settings: Settings,
    report_key: str = "",
    view: View | None = None,
) -> None:
    """Send what earlier ticks could not send, and tell people of a decision if they have to know.

    Nothing is raised over a receiver; what was not sent is in the log and goes out with the next tick.

    Args:
        project: The project.
        decision: What the tick decided; its time is the clock.
        history: What was decided before.
        store: Where alerts are kept.
        settings: Gives the addresses.
        report_key: Key of the report of this tick, if there is one.
        view: What the tick saw, for causes and a picture.

    Raises:
        StorageError: If the store fails.
    """
    log, policy = AlertLog(store, project.name), project.monitoring
    recent = log.recent()
    waiting = [alert for alert in recent if alert.waiting]
    down: set[str] = set()
    behind = tuple(a.number for a in waiting if _send(log, a, project, settings, decision.time, down))
    news = plan(decision, history, recent[-1].news if recent else None, policy)
    if news is None:
        return
    number = recent[-1].number + 1 if recent else 1
    fresh = _composed(number, news, decision, project, settings, report_key, view)
    fresh = fresh.model_copy(update={"behind": behind})
    if not log.add(fresh):
        return
    if fresh.waiting:
        _send(log, fresh, project, settings, decision.time, down)
    else:  # the log has it all the same
        send_message(Message(fresh.title, fresh.text), settings, project)


def _send(log: AlertLog, alert: Alert, project: Project, settings: Settings, now: datetime, down: set[str]) -> bool:
    """Try to send an alert by the routes that are not down; whether it has to be tried again."""
    if alert.held_until is not None and now < alert.held_until:
        return True
    if alert.attempts and now - alert.news.time >= timedelta(days=project.monitoring.remind_days):
        given_up = alert.model_copy(update={"waiting": (), "lost": alert.waiting, "held_until": None})
        if log.replace(alert, given_up):
            structlog.get_logger().error(
                "alert given up", project=project.name, title=alert.title, failed=list(alert.waiting)
            )
        return False
    tried = [name for name in alert.waiting if name not in down]  # one slow receiver costs a tick its patience once
    if not tried:
        structlog.get_logger().error(
            "alert", project=project.name, title=alert.title, sent=False, failed=list(alert.waiting)
        )
        return True
    held = alert.model_copy(update={"held_until": now + HOLD, "attempts": alert.attempts + 1})
    if not log.replace(alert, held):
        return True
    tone = "success" if alert.news.occasion == "resolved" else TONES[alert.news.severity]
    message = Message(alert.title, alert.text, alert.html, base64.b64decode(alert.picture), tone)
    down.update(send_message(message, settings, project, only=tried))
    waiting = tuple(name for name in alert.waiting if name in down)
    log.replace(held, held.model_copy(update={"waiting": waiting, "held_until": None}))
    return bool(waiting)


def _composed(
    number: int,
    news: News,
    decision: Decision,
    project: Project,
    settings: Settings,
    report_key: str,
    view: View | None,
) -> Alert:
    report, dashboard = _address(settings, report_key), _dashboard(settings)
    title, lines = content(news, decision, project, report, dashboard, view)
    waiting = routes(settings, project)
    shot = picture(decision, view) if waiting and view is not None and news.occasion != "resolved" else b""
    return Alert(
        number=number,
        news=news,
        action=decision.action,
        version=decision.version,
        title=title,
        text=as_text(lines),
        html=as_html(title, lines, with_picture=bool(shot)),
        picture=base64.b64encode(shot).decode(),
        waiting=waiting,
    )


def content(
    news: News,
    decision: Decision,
    project: Project,
    report: str = "",
    dashboard: str = "",
    view: View | None = None,
) -> tuple[str, Lines]:
    """What an alert says: its title, and its parts with their headings.

    Args:
        news: Why people are told.
        decision: What the tick decided.
        project: The project.
        report: Address of the report, if there is one.
        dashboard: Address of the runs in the dashboard, if it is known.
        view: What the tick saw.
    """
    more = [(heading, [address]) for heading, address in (("Report", report), ("Dashboard", dashboard)) if address]
    more.append(
        ("History", [f"`ciclo history project.yaml` shows what came before; version {decision.version} serves."])
    )
    if news.occasion == "resolved":
        matters = listed(m.replace("_", " ") for m in news.matters)
        finding = f"It is over: {matters}, from {_moment(news.since)} to {_moment(news.time)}. {decision.reason}"
        return f"{project.name}: resolved after {_lasting(news.time - news.since)}", [("Resolved", [finding]), *more]
    found, lasted = trouble(decision), news.time - news.since
    severity = found.severity if found is not None else news.severity
    what = decision.action.replace("_", " ") + (f", {decision.cause}" if decision.cause else "")
    again = " (still)" if news.occasion == "reminder" else ""
    lines: Lines = [
        ("Severity", [severity]),
        ("What", [clean(decision.reason, 1_500)]),
        ("What changed", [clean(line, 300) for line in changes(decision, view)]),
        ("Since", [_moment(news.since) + (f", that is for {_lasting(lasted)}" if lasted else "")]),
        ("Likely cause", likely_causes(decision, view)),
        ("Next step", [next_step(project, decision)]),
    ]
    return clean(f"{project.name}: {severity}: {what}{again}", 150), [*((h, t) for h, t in lines if t), *more]


def as_text(lines: Lines) -> str:
    """The parts of an alert as text."""
    return "\n".join(f"{heading}: {_joined(texts)}" for heading, texts in lines)


def as_html(title: str, lines: Lines, *, with_picture: bool) -> str:
    """The parts of an alert as HTML for mail: inline styles only, as mail readers ask for."""
    rows = "".join(
        f'<tr><th align="left" valign="top" style="padding:4px 12px 4px 0">{html.escape(heading)}:</th>'
        f'<td style="padding:4px 0">{"<br>".join(html.escape(text) for text in texts)}</td></tr>'
        for heading, texts in lines
    )
    image = '<p><img src="cid:picture.png" alt="the column in training and now" width="560"></p>' * with_picture
    return (
        f'<div style="font:14px/1.45 sans-serif"><h3>{html.escape(title)}</h3>'
        f'<table style="border-collapse:collapse">{rows}</table>{image}</div>'
    )


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else "".join(f"\n  - {text}" for text in texts)


def _address(settings: Settings, key: str) -> str:
    return f"{settings.store_uri.removeprefix('file://')}/{key}" if key else ""


def _dashboard(settings: Settings) -> str:
    """The runs in the dashboard, where KFP is reached as people reach it: over TLS, not inside a cluster."""
    return f"{settings.kfp_host.rstrip('/')}/#/runs" if settings.kfp_host.startswith("https://") else ""


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _lasting(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours >= 48:
        return counted(round(hours / 24), "day")
    return counted(round(hours), "hour") if hours >= 1.5 else counted(max(round(hours * 60), 0), "minute")
