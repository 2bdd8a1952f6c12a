"""The report of a run in the dashboard, which stands for all others: an artifact there cannot lead to another."""

from ciclo.components.core.report import Report
from ciclo.components.notification.message import Message
from ciclo.components.notification.written import Written
from ciclo.components.runs.overview import run_overview

TONES = {"info": "good", "warning": "warn", "error": "bad"}


def end_report(project: str, news: Message, written: Written, trigger: str) -> Report:
    """Show how the run ended and why, and all that its stages wrote down.

    Args:
        project: Name of the project.
        news: How it ended.
        written: What the stages wrote down.
        trigger: Why the run was started.
    """
    ended = [note for note in written.notes if note.ending != "served"] or written.notes
    reason = ended[-1].reason if ended else "What came of it was not written down."
    tone = "warn" if ended and ended[-1].ending in ("stopped", "kept", "waiting", "overtaken") else TONES[news.severity]
    word = news.title.removeprefix(f"{project}: ")
    lead = f"{written.run or 'an unknown run'}, started: {trigger or 'unknown'}"
    gates = [a for a in written.accounts if a.verdict is not None]
    last = gates[-1].verdict if gates else None
    decided = [f"{last.gate} decided {last.decision}: {last.reason}"] if last and last.reason not in reason else []
    banner = (word[:1].upper() + word[1:], reason, tone)
    unread = [f"What the stages wrote down cannot be read: {written.unread}"] if written.unread else []
    return run_overview(f"Run of {project}", lead, banner, written.accounts, [*decided, *unread])
