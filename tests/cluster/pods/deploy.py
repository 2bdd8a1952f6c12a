"""Make a version the champion and run ``ciclo deploy``: ``python deploy.py VERSION PROJECT_FILE [WORD SIGNAL]``.

With a word and the number of a signal, the command gets that signal when it first says the word.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ciclo.components.core.errors import ConflictError
from ciclo.components.core.settings import settings
from ciclo.components.releases.names import CHAMPION, Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.signing import signer_from

version, file, *when = sys.argv[1:]
registry = open_registry("unit", settings())
champion = registry.alias(CHAMPION)
if champion is None or champion.version != int(version):
    move = Move("test", "test", "promote", "the test says so")
    try:
        registry.move(CHAMPION, int(version), move, expected=champion, signer=signer_from(settings()))
    except ConflictError:  # another pod wants the same
        assert registry.aliases()[CHAMPION].version == int(version)
command = [str(Path(sys.executable).with_name("ciclo")), "deploy", file]
if not when:
    os.execv(command[0], command)
word, number = when[0], int(when[1])
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
    assert running.stdout is not None
    for line in running.stdout:
        print(line, end="", flush=True)
        if word and word in line:
            running.send_signal(signal.Signals(number))
            word = ""
sys.exit(running.returncode if running.returncode >= 0 else 128 - running.returncode)
