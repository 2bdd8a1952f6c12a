"""Alerts: a few lines to the people behind a project, by every route that was configured.

An alert that cannot be sent must not stop what it is about, so nothing is raised here; it is always logged.
"""

import structlog

from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings


def send_alert(title: str, body: str, settings: Settings, project: Project) -> bool:
    """Tell people something.

    Addresses hold secrets, so the log has the names of their variables and never shows them.

    Args:
        title: One line.
        body: A few lines.
        settings: Gives the addresses.
        project: Names further variables that hold one.

    Returns:
        Whether it went out by every route; False where none is configured.
    """
    log = structlog.get_logger().bind(project=project.name, title=title, body=body)
    ours = [address.strip() for address in settings.alerts.get_secret_value().split(",") if address.strip()]
    addresses = {f"CICLO_ALERTS number {number}": address for number, address in enumerate(ours, start=1)}
    addresses |= {name: settings.named(name).get_secret_value() for name in project.monitoring.alerts}
    if not addresses:
        log.info("alert", sent=False, routes=0)
        return False
    failed = [name for name, address in addresses.items() if not _send(address, title, body)]
    if failed:
        log.error("alert", sent=False, routes=len(addresses), failed=failed)
    else:
        log.info("alert", sent=True, routes=len(addresses))
    return not failed


def _send(address: str, title: str, body: str) -> bool:
    import apprise

    try:
        route = apprise.Apprise()
        return bool(route.add(address) and route.notify(body=body, title=title))
    except Exception:  # a third party's plugin may raise anything, and no alert is worth a failed run
        return False
