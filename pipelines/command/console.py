"""What ``ciclo run`` shows: a line for each task as it ends, then the verdict and where things are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from ciclo.pipelines.backends.local import Event, RunResult

_STYLES = {"done": "green", "failed": "red", "crashed": "red"}
_MARKS = {"done": ("✓", "ok"), "failed": ("✗", "!!"), "crashed": ("✗", "!!")}
_VERDICTS = {
    "promoted": "[bold green]promoted[/]: version {version} is the champion",
    "waiting": "[bold yellow]published[/]: version {version} waits for a person",
    "kept": "[bold yellow]kept[/]: nothing was published",
    "restored": "[bold green]restored[/]: version {version}, the tested model, is the champion",
    "overtaken": "[bold yellow]overtaken[/]: there was another champion already",
    "stopped": "[bold yellow]stopped[/] by {stage}: nothing was published",
}


class Progress:
    """Shows the stages of one run.

    Args:
        console: Where to.
        live: What is running, shown while a terminal is attached.
    """

    def __init__(self, console: Console, live: Any) -> None:
        self._console = console
        self._live = live
        self._running: list[str] = []
        self._plain = not console.encoding.startswith("utf")

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if event.status == "started":
            self._running.append(event.title)
        else:
            if event.title in self._running:
                self._running.remove(event.title)
            self._show(event)
        self._live.update(escape(", ".join(self._running)) or "...")

    def _show(self, event: Event) -> None:
        mark = _MARKS[event.status][self._plain]
        summary = event.summary.splitlines()[0] if event.summary else ""
        line = f"[{_STYLES[event.status]}]{mark}[/] {escape(event.title):<30} [dim]{event.seconds:6.1f} s[/]  "
        self._console.print(line + escape(summary), soft_wrap=True, highlight=False)
        for detail in event.detail:
            self._console.print(f"{'':43}[dim]{escape(detail)}[/]", soft_wrap=True, highlight=False)


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Show a run while it lasts."""
    if not console.is_terminal:
        yield Progress(console, _Nothing())
        return
    with console.status("starting") as live:
        yield Progress(console, live)


class _Nothing:
    def update(self, text: str) -> None:
        """Show nothing."""


def show_result(result: RunResult, console: Console, errors: Console) -> None:
    """Show how a run ended and where things are.

    Args:
        result: The result.
        console: For the verdict.
        errors: For a failure.
    """
    console.print()
    if result.outcome == "failed":
        _error(errors, f"{result.stage}: {result.reason}")
    elif result.outcome == "crashed":
        _error(errors, f"{result.stage} broke: {result.reason}. This is not your fault; please report it with the log.")
    else:
        verdict = _VERDICTS[result.outcome].format(version=result.version, stage=result.stage)
        console.print(verdict, soft_wrap=True, highlight=False)
        console.print(f"  why         {escape(result.reason)}", soft_wrap=True, highlight=False)
    places = {
        "endpoint": result.endpoint,
        "registry": result.registry if result.version else "",
        **{("report" if stage == "run" else stage): str(report) for stage, report in result.reports.items()},
        "quarantine": str(result.quarantine or ""),
        "log": str(result.log),
    }
    for name, place in places.items():
        if place:
            console.print(f"  {name:<11} {escape(place)}", soft_wrap=True, highlight=False)


def _error(console: Console, text: str) -> None:
    console.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True, highlight=False)
