"""Reports in a real browser: light and dark, narrow and wide; asked for by CICLO_TEST_BROWSER, a Chromium.

It checks what only a browser can: that nothing is wider than the window, and that dark is dark. The pictures stay in
``build/screenshots`` for people to look at.
"""

import os
import subprocess
from pathlib import Path

import matplotlib.image
import pytest

from ciclo.components.monitoring.telling.history_report import history_report
from ciclo.components.monitoring.telling.report import tick_report
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.stored import Stored
from ciclo.components.validation.checks import reference_profile, validate
from ciclo.components.validation.report import validation_report
from tests import tables
from tests.unit.monitoring.samples import HOSTILE, decision, history, project, view

BROWSER = os.environ.get("CICLO_TEST_BROWSER", "")
FOLDER = Path("build/screenshots")
WIDEST = '<script>document.title = document.documentElement.scrollWidth + " of " + innerWidth</script>'
pytestmark = pytest.mark.skipif(not BROWSER, reason="CICLO_TEST_BROWSER names no browser")


def pages():
    taken = decision("alert", columns=("column_00",), kinds=("data",), evidence=history().decisions[-1].evidence)
    return {
        "tick": tick_report(project(), taken, view(), history()),
        "hostile": tick_report(project(), taken, view(20, HOSTILE, moved=8), history()),
        "history": history_report("loans", history()),
    }


def data_page(folder):
    past, rows = (Stored(tables.dataset(folder / f"rows-{seed}", "multiclass", seed=seed)) for seed in (0, 1))
    before = Accepted(7, True, past.contract, reference_profile(past))
    return validation_report("unit", validate(tables.project("multiclass"), rows, "d" * 64, before))


def browse(page, width, scheme, *options):
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},1600",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", *options, page.resolve().as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("name", ["tick", "hostile", "history", "validation"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [480, 1280])
def test_a_report_fits_the_window_and_keeps_to_its_colours(name, scheme, width, tmp_path):
    FOLDER.mkdir(parents=True, exist_ok=True)
    page, shot = FOLDER / f"{name}.html", FOLDER / f"{name}-{scheme}-{width}.png"
    html = (data_page(tmp_path) if name == "validation" else pages()[name]).html()
    page.write_text(html.replace("</body>", f"{WIDEST}</body>"))
    browse(page, width, scheme, f"--screenshot={shot.resolve()}")
    picture = matplotlib.image.imread(shot)
    corner = picture[-1, 0, :3].mean()
    assert corner < 0.2 if scheme == "dark" else corner > 0.9
    title = browse(page, width, scheme, "--dump-dom").partition("<title>")[2].partition("</title>")[0]
    wide, window = (int(n) for n in title.split(" of "))
    assert wide <= window
