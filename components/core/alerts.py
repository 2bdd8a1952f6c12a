"""Alerts: a message to the people behind a project, by every route that was configured.

An alert that cannot be sent must not stop what it is about: nothing is raised here, a slow receiver is left after a
while, and what failed is always logged. Addresses hold secrets, so the log has the names of their variables and never
shows them.
"""

import logging
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import clean

PATIENCE = 20.0  # seconds for all routes together
TITLE = 150
PICTURE = "picture.png"

Tone = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True)
class Message:
    """What people are told.

    Attributes:
        title: One line.
        text: The message for routes that know text alone.
        html: The same for those that know HTML; it shows the picture as ``cid:picture.png``.
        picture: A PNG, for routes that take one.
        tone: How routes that know colours or priorities show it.
    """

    title: str
    text: str
    html: str = ""
    picture: bytes = b""
    tone: Tone = "info"


def send_alert(title: str, body: str, settings: Settings, project: Project) -> bool:
    """Tell people something in a few lines.

    Args:
        title: One line.
        body: A few lines.
        settings: Gives the addresses.
        project: Names further variables that hold one.

    Returns:
        Whether it went out by every route; False where none is configured.
    """
    failed = send_message(Message(title, body), settings, project)
    return bool(routes(settings, project)) and not failed


def routes(settings: Settings, project: Project) -> tuple[str, ...]:
    """The names of all routes of a project."""
    return tuple(_addresses(settings, project))


def send_message(
    message: Message,
    settings: Settings,
    project: Project,
    only: Collection[str] | None = None,
    patience: float = PATIENCE,
) -> tuple[str, ...]:
    """Send a message by every route, or by some, at once.

    Args:
        message: What to tell.
        settings: Gives the addresses.
        project: Names further variables that hold one.
        only: The names of the routes to take; all by default.
        patience: Seconds after which a route that has not answered counts as failed.

    Returns:
        The names of the routes by which it did not go out.
    """
    log = structlog.get_logger().bind(project=project.name, title=message.title, body=message.text)
    addresses = {n: a for n, a in _addresses(settings, project).items() if only is None or n in only}
    if not addresses:
        log.info("alert", sent=False, routes=0)
        return tuple(only or ())
    results: dict[str, bool] = {}
    threads = [
        threading.Thread(target=lambda n=n, a=a: results.update({n: _send(a, message)}), daemon=True, name=f"alert {n}")
        for n, a in addresses.items()
    ]
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    failed = tuple(name for name in (only if only is not None else addresses) if not results.get(name, False))
    if failed:
        log.error("alert", sent=False, routes=len(addresses), failed=list(failed))
    else:
        log.info("alert", sent=True, routes=len(addresses))
    return failed


def _addresses(settings: Settings, project: Project) -> dict[str, str]:
    ours = [address.strip() for address in settings.alerts.get_secret_value().split(",") if address.strip()]
    addresses = {f"CICLO_ALERTS number {number}": address for number, address in enumerate(ours, start=1)}
    return addresses | {name: settings.named(name).get_secret_value() for name in project.monitoring.alerts}


def _send(address: str, message: Message) -> bool:
    import apprise
    from apprise.attachment.memory import AttachMemory

    quiet = logging.getLogger("apprise")  # it shows addresses it cannot read, secrets and all
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    try:
        service: Any = apprise.Apprise.instantiate(address, suppress_exceptions=False)
        knows_html = bool(message.html) and service.notify_format == apprise.NotifyFormat.HTML
        if hasattr(service, "inline"):  # mail: the picture is shown where the text names it
            service.inline = knows_html and bool(message.picture)
        route = apprise.Apprise()
        route.add(service)
        picture = message.picture and service.attachment_support
        return bool(
            route.notify(
                title=clean(message.title, TITLE),
                body=message.html if knows_html else message.text,
                body_format=apprise.NotifyFormat.HTML if knows_html else apprise.NotifyFormat.TEXT,
                notify_type=apprise.NotifyType(message.tone),
                attach=AttachMemory(content=message.picture, name=PICTURE, mimetype="image/png") if picture else None,
            )
        )
    except Exception as error:  # a third party's plugin may raise anything, and no alert is worth a failed run
        structlog.get_logger().warning("alert", sent=False, error=type(error).__name__)  # its text may hold the address
        return False
