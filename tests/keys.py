"""A publisher's key pair, made once for all tests of a process, and a stranger's."""

import atexit
import shutil
import tempfile
from pathlib import Path

from ciclo.components.storage.signing import Signer, Trust, make_keys

KEYS = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, KEYS)
PRIVATE, PUBLIC = make_keys(KEYS / "publisher")
SIGNER = Signer.read(PRIVATE)
TRUST = Trust.of(SIGNER.key.public_key())
STRANGER = Signer.read(make_keys(KEYS / "stranger")[0])
