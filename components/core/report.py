"""Self-contained HTML reports: text, tables and inline SVG, nothing fetched from anywhere.

A ``Document`` is a report as data, for those that are read again by a program; ``Report`` is what a browser shows.
"""

import html
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from ciclo.components.core.charts import key
from ciclo.components.core.plots import Plot
from ciclo.components.core.report_style import STYLE
from ciclo.components.core.svg import Svg
from ciclo.components.core.wording import number

SHORT, LONG = 24, 60  # characters of a cell that is not broken, and of one that needs room


def _finite(value: str | float | None) -> str | float | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Cell = Annotated[bool | int | float | str | None, AfterValidator(_finite)]  # JSON knows no NaN


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Data):
    """A paragraph; ``tone`` is ``good``, ``bad``, ``warn`` or nothing."""

    text: str
    tone: str = ""


class Table(_Data):
    """A table."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def named(self) -> dict[str, Cell]:
        """Every cell by name: the first cell of its row (or the first two, where that is not unique) and its column.

        The name of the column is left out where there is only one.
        """
        once = max(Counter(row[0] for row in self.rows).values(), default=1) == 1
        cut = 1 if once else 2
        columns = self.header[cut:]
        return {
            ", ".join(map(str, row[:cut])) + (f": {column}" if len(columns) > 1 else ""): cell
            for row in self.rows
            for column, cell in zip(columns, row[cut:], strict=True)
        }


class Section(_Data):
    """A heading and what is below it."""

    title: str
    parts: tuple[Text | Table | Plot, ...]


class Document(_Data):
    """A report as data.

    Attributes:
        title: Heading of the page.
        lead: One sentence below it.
        sections: The rest.
    """

    title: str
    lead: str = ""
    sections: tuple[Section, ...] = ()

    def tables(self) -> dict[str, dict[str, Cell]]:
        """The cells of all tables by the title of their section and their name."""
        found = {
            section.title: {k: v for part in section.parts if isinstance(part, Table) for k, v in part.named().items()}
            for section in self.sections
        }
        return {title: cells for title, cells in found.items() if cells}

    def report(self) -> "Report":
        """The page as a browser shows it."""
        report = Report(self.title, self.lead)
        self.add_to(report)
        return report

    def add_to(self, report: "Report") -> None:
        """Add its sections to another report."""
        for section in self.sections:
            report.section(section.title)
            for kind, parts in groupby(section.parts, type):
                if kind is Plot:
                    report.plots(part for part in parts if isinstance(part, Plot))
                    continue
                for part in parts:
                    if isinstance(part, Table):
                        report.table(part.header, part.rows)
                    elif isinstance(part, Text):
                        report.text(part.text, part.tone)


class Report:
    """A page built from top to bottom.

    Args:
        title: Heading of the page.
        lead: One sentence below it.
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self._title = title
        self._parts = [f"<h1>{_escaped(title)}</h1>"]
        if lead:
            self._parts.append(f'<p class="lead">{_escaped(lead)}</p>')

    def section(self, title: str) -> Self:
        """Start a section."""
        self._parts.append(f"<h2>{_escaped(title)}</h2>")
        return self

    def text(self, text: str, tone: str = "") -> Self:
        """Add a paragraph; ``tone`` is ``good``, ``bad``, ``warn`` or nothing."""
        self._parts.append(f'<p class="{html.escape(tone)}">{_prose(text)}</p>')
        return self

    def banner(self, word: str, text: str, tone: str = "", lines: Iterable[str] = ()) -> Self:
        """Add what a reader should see first: a word, a sentence, and a few lines below."""
        below = "".join(f"<li>{_prose(line)}</li>" for line in lines)
        self._parts.append(
            f'<div class="banner {html.escape(tone)}"><strong>{_escaped(word)}</strong><p>{_prose(text)}</p>'
            f"{f'<ul>{below}</ul>' if below else ''}</div>"
        )
        return self

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Self:
        """Add a table; numbers are set to the right and rounded to four digits. A cell may be a chart."""
        head = "".join(f'<th scope="col">{_escaped(h)}</th>' for h in header)
        body = "".join("<tr>" + "".join(_cell(v) for v in row) + "</tr>" for row in rows)
        self._parts.append(
            f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
        return self

    def charts(self, charts: Iterable[tuple[str, Svg]]) -> Self:
        """Add charts with their captions, side by side as far as there is room."""
        figures = [
            f"<figure><figcaption>{_escaped(caption)}</figcaption>{svg}</figure>" for caption, svg in charts if svg
        ]
        self._parts.append(f'<div class="charts">{"".join(figures)}</div>' if figures else "")
        return self

    def plots(self, plots: Iterable[Plot]) -> Self:
        """Add plots side by side, each with its key."""
        figures = [
            f"<figure><figcaption>{_escaped(plot.title)}</figcaption>{drawn}"
            f"{key((c.tone, c.name) for c in plot.curves) if len(plot.curves) > 1 else ''}</figure>"
            for plot in plots
            if (drawn := plot.svg())
        ]
        self._parts.append(f'<div class="charts">{"".join(figures)}</div>' if figures else "")
        return self

    def chart(self, svg: Svg) -> Self:
        """Add one chart, or the key of one, over the width of the report."""
        self._parts.append(svg)
        return self

    def links(self, links: Iterable[tuple[str, str]]) -> Self:
        """Add a list of links: pairs of what to read and a relative address."""
        items = "".join(f'<li><a href="{html.escape(to)}">{_escaped(text)}</a></li>' for text, to in links)
        self._parts.append(f"<ul>{items}</ul>")
        return self

    def figure(self, figure: Any) -> Self:
        """Add a matplotlib figure as inline SVG, and close it."""
        import matplotlib.pyplot as plt

        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
        svg = buffer.getvalue()
        self._parts.append(f'<figure class="plot">{svg[svg.index("<svg") :]}</figure>')
        return self

    def html(self) -> str:
        """The page."""
        head = (
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{_escaped(self._title)}</title><style>{STYLE}</style>"
        )
        body = f"<main>{''.join(self._parts)}</main>"
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'

    def write(self, path: str | Path) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html(), encoding="utf-8")


def _escaped(text: object) -> str:
    return html.escape(str(text).replace("\0", "\ufffd"))


def _prose(text: str) -> str:
    """Text in which what stands between backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _escaped(text))


def _cell(value: Any) -> str:
    if isinstance(value, Svg):
        return f"<td>{value}</td>"
    if isinstance(value, bool):
        return f'<td class="{"good" if value else "bad"}">{"yes" if value else "no"}</td>'
    if isinstance(value, int | float):
        return f'<td class="n">{number(value)}</td>'
    text = "" if value is None else str(value)
    kind = ' class="long"' if len(text) > LONG else ' class="short"' if len(text) < SHORT else ""
    return f"<td{kind}><bdi>{_escaped(text)}</bdi></td>"
