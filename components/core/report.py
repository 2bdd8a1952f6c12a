"""Self-contained HTML reports: text, tables and inline SVG, nothing fetched from anywhere."""

import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #d9dfe5}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #e7ebef;vertical-align:top}
th{background:#f4f6f8;font-weight:600}td.n{text-align:right}
.lead{color:#51606f;margin-top:0}.good{color:#0b6e4f;font-weight:600}.bad{color:#b3261e;font-weight:600}
.warn{color:#9a6700;font-weight:600}figure{margin:.6rem 0}svg{max-width:100%;height:auto}
"""


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


def read_tables(page: str) -> dict[str, dict[str, str]]:
    """The tables of a page that ``Report`` wrote.

    Returns:
        By title of its section, each row: its first cell (or the first two, where that is not unique) and the others.
    """
    reader = _TableReader()
    reader.feed(page)
    return {title: _keyed(rows) for title, rows in reader.tables.items() if rows}


def _keyed(rows: list[list[str]]) -> dict[str, str]:
    once = max(Counter(row[0] for row in rows).values()) == 1
    return {", ".join(row[: 1 if once else 2]): "  ".join(row[1 if once else 2 :]) for row in rows}


class _TableReader(HTMLParser):
    """Collects the body cells of each section."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._title, self._tag = "", ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._tag = tag
        if tag == "h2":
            self._title = ""
        elif tag == "tr":
            self.tables.setdefault(self._title, []).append([])
        elif tag == "td":
            self.tables[self._title][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""
        if tag == "tr" and not self.tables[self._title][-1]:  # a header
            self.tables[self._title].pop()

    def handle_data(self, data: str) -> None:
        if self._tag == "h2":
            self._title += data
        elif self._tag == "td":
            self.tables[self._title][-1][-1] += data
