"""Self-contained HTML reports: text, tables and inline SVG, nothing fetched from anywhere.

A ``Document`` is a report as data, for those that are read again by a program; ``Report`` is what a browser shows.
"""

import html
import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #d9dfe5}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #e7ebef;vertical-align:top}
th{background:#f4f6f8;font-weight:600}td.n{text-align:right}
.lead{color:#51606f;margin-top:0}.good{color:#0b6e4f;font-weight:600}.bad{color:#b3261e;font-weight:600}
.warn{color:#9a6700;font-weight:600}figure{margin:.6rem 0}svg{max-width:100%;height:auto}
"""


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
    parts: tuple[Text | Table, ...]


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
        for section in self.sections:
            report.section(section.title)
            for part in section.parts:
                if isinstance(part, Table):
                    report.table(part.header, part.rows)
                else:
                    report.text(part.text, part.tone)
        return report


class Report:
    """A page built from top to bottom.

    Args:
        title: Heading of the page.
        lead: One sentence below it.
    """

    def __init__(self, title: str, lead: str = "") -> None:
        self._title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if lead:
            self._parts.append(f'<p class="lead">{html.escape(lead)}</p>')

    def section(self, title: str) -> Self:
        """Start a section."""
        self._parts.append(f"<h2>{html.escape(title)}</h2>")
        return self

    def text(self, text: str, tone: str = "") -> Self:
        """Add a paragraph; ``tone`` is ``good``, ``bad``, ``warn`` or nothing."""
        self._parts.append(f'<p class="{html.escape(tone)}">{html.escape(text)}</p>')
        return self

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Self:
        """Add a table; numbers are set to the right and rounded to four digits."""
        head = "".join(f"<th>{html.escape(h)}</th>" for h in header)
        body = "".join("<tr>" + "".join(_cell(v) for v in row) + "</tr>" for row in rows)
        self._parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        return self

    def figure(self, figure: Any) -> Self:
        """Add a matplotlib figure as inline SVG, and close it."""
        import matplotlib.pyplot as plt

        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
        svg = buffer.getvalue()
        self._parts.append(f"<figure>{svg[svg.index('<svg') :]}</figure>")
        return self

    def html(self) -> str:
        """The page."""
        head = f'<meta charset="utf-8"><title>{html.escape(self._title)}</title><style>{_STYLE}</style>'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(self._parts)}</body></html>'

    def write(self, path: str | Path) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html(), encoding="utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return f'<td class="{"good" if value else "bad"}">{"yes" if value else "no"}</td>'
    if isinstance(value, int | float):
        return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f'<td class="n">{value:.4g}</td>'
    return f"<td>{html.escape('' if value is None else str(value))}</td>"
