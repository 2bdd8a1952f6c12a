"""A bundle is taken exactly as it was signed, and in no other way."""

import hashlib
import io
import json
import os
import pickle
import random
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ciclo.components.core.errors import IntegrityError
from ciclo.components.releases.registry import Registry
from ciclo.components.storage import bundle as bundles
from ciclo.components.storage.bundle import FILES, MANIFEST, REFITTED, SIGNATURE, open_bundle, seal
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.signing import STATEMENT_TYPE, Signer, Trust
from ciclo.components.training.preprocessing import preprocessor
from tests.depth import rounds
from tests.forged_models import beside
from tests.keys import SIGNER, STRANGER, TRUST
from tests.tables import table
from tests.versions import CONTRACT, files


def _write(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def _sealed(
    contents: dict[str, bytes], project: str = "unit", version: int = 2, signer: Signer | None = SIGNER
) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as parent:
        folder = _write(Path(parent) / f"{project}-{version}", contents)
        seal(folder, project=project, version=version, parent=None, signer=signer)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _signed(contents: dict[str, bytes], name: str = "unit-2") -> dict[str, bytes]:
    """Any files with a good signature of them all."""
    with tempfile.TemporaryDirectory() as parent:
        folder = _write(Path(parent) / name, contents)
        SIGNER.sign_folder(folder, SIGNATURE)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _signed_manifest(**changes: object) -> dict[str, bytes]:
    """An honest bundle with another manifest, signed all the same."""
    contents = dict(files())
    manifest = json.loads(_sealed(contents)[MANIFEST]) | changes
    return _signed({**contents, MANIFEST: json.dumps(manifest).encode()})


def _two() -> dict[str, bytes]:
    """The files of a version with two models."""
    return {**files(), REFITTED: _other_model()}


@cache
def _other_model() -> bytes:
    rows = table(150, seed=1)
    X, y = CONTRACT.frame(rows), CONTRACT.encode(rows["y"])
    model = Pipeline([("preprocess", preprocessor(CONTRACT, "linear")), ("model", LogisticRegression(C=0.1))])
    with tempfile.TemporaryDirectory() as folder:
        dump_model(model.fit(X, y), Path(folder) / "model")
        return (Path(folder) / "model").read_bytes()


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("data", data)
    return buffer.getvalue()


def _flip(path: Path, position: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1
    path.write_bytes(bytes(data))


def _swap(folder: Path, a: str, b: str) -> None:
    first, second = (folder / a).read_bytes(), (folder / b).read_bytes()
    (folder / a).write_bytes(second)
    (folder / b).write_bytes(first)


def _replace_by_link(folder: Path) -> None:
    shutil.copy(folder / "card.html", folder.parent / "card")
    (folder / "card.html").unlink()
    (folder / "card.html").symlink_to(folder.parent / "card")


def _grow(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(65 << 20)


def _reseal(folder: Path, **options: object) -> None:
    _write(folder, _sealed(files(), **options))  # type: ignore[arg-type]


def _content(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: _write(folder, _sealed({**files(), name: data}))


LIBRARIES = json.loads(_sealed({"lineage.json": b""})[MANIFEST])["libraries"]

# What somebody without the key can do to a stored version 2 of "unit".
TAMPERS: dict[str, Callable[[Path], object]] = {
    **{f"bit flipped in {name}": lambda f, n=name: _flip(f / n) for name in sorted(FILES | {MANIFEST})},  # type: ignore[misc]
    "bit flipped in the signature": lambda f: _flip(f / SIGNATURE, 200),
    **{f"without {name}": lambda f, n=name: (f / n).unlink() for name in sorted(FILES | {MANIFEST, SIGNATURE})},  # type: ignore[misc]
    "two swapped": lambda f: _swap(f, "profile.json", "contract.json"),
    "manifest and signature swapped": lambda f: _swap(f, MANIFEST, SIGNATURE),
    "file added": lambda f: _write(f, {"extra.json": b"{}"}),
    "hidden file added": lambda f: _write(f, {".gitattributes": b""}),
    "pickle added": lambda f: _write(f, {"model.pkl": b"\x80\x04."}),
    "folder added": lambda f: (f / ".git").mkdir(),
    "renamed": lambda f: (f / "card.html").rename(f / "Card.html"),
    "cut": lambda f: os.truncate(f / "model.skops", 1000),
    "emptied": lambda f: os.truncate(f / "golden.json", 0),
    "appended to": lambda f: _write(f, {"model.skops": files()["model.skops"] + b"\0"}),
    "huge manifest": lambda f: _grow(f / MANIFEST),
    "huge signature": lambda f: _grow(f / SIGNATURE),
    "huge document": lambda f: _grow(f / "profile.json"),
    "a link out of the folder": _replace_by_link,
    "signed with another key": lambda f: _reseal(f, signer=STRANGER),
    "of an older version": lambda f: _reseal(f, version=1),
    "of a newer version": lambda f: _reseal(f, version=3),
    "of another project": lambda f: _reseal(f, project="other"),
    "manifest of an older version": lambda f: _write(f, {MANIFEST: _sealed(files(), version=1)[MANIFEST]}),
    "signature of an older version": lambda f: _write(f, {SIGNATURE: _sealed(files(), version=1)[SIGNATURE]}),
    "another signed model of ours": lambda f: _write(f, {"lineage.json": files(run="run-2")["lineage.json"]}),
    "manifest written anew": lambda f: _write(
        f, {MANIFEST: _sealed({**files(), "card.html": b"x"})[MANIFEST], "card.html": b"x"}
    ),
}

# What a publisher with the key can have got wrong, or another release may have written.
SIGNED: dict[str, Callable[[Path], object]] = {
    "newer format": lambda f: _write(f, _signed_manifest(format=4, engine="engine.bin")),
    "format of two models, and there is one": lambda f: _write(f, _signed_manifest(format=3)),
    "format of one model, and there are two": lambda f: _write(
        f, _signed({**_two(), MANIFEST: json.dumps(json.loads(_sealed(_two())[MANIFEST]) | {"format": 2}).encode()})
    ),
    "format as a list": lambda f: _write(f, _signed_manifest(format=[2])),
    "pickle as a refitted model": lambda f: _write(f, _sealed({**files(), REFITTED: pickle.dumps(print)})),
    "format as text": lambda f: _write(f, _signed_manifest(format="2")),
    "unknown field": lambda f: _write(f, _signed_manifest(extra=1)),
    "file left out of the manifest": lambda f: _write(
        f, _sealed({k: v for k, v in files().items() if k != "card.html"})
    ),
    "path out of the folder": lambda f: _write(f, _signed_manifest(files={"../../etc/passwd": "0" * 64})),
    "digest is not one": lambda f: _write(f, _signed_manifest(files=dict.fromkeys(FILES, "x"))),
    "manifest is a list": lambda f: _write(f, _signed({**files(), MANIFEST: b"[]"})),
    "manifest is deep": lambda f: _write(f, _signed({**files(), MANIFEST: b"[" * 100_000})),
    "signed under another name": lambda f: _write(f, _signed(_sealed(files(), signer=None), name="unit-3")),
    "a file that was signed and is in no manifest": lambda f: _write(
        f, _signed({**_sealed(files(), signer=None), "more.json": b"{}"})
    ),
    "a file of the manifest that was not signed": lambda f: _write(
        f, {SIGNATURE: _signed({k: v for k, v in _sealed(files(), signer=None).items() if k != "card.html"})[SIGNATURE]}
    ),
    "statement of something else": lambda f: _write(f, {SIGNATURE: SIGNER.sign({"subject": []})}),
    "statement of an alias": lambda f: _write(
        f, {SIGNATURE: SIGNER.sign({"_type": STATEMENT_TYPE, "predicateType": "urn:ciclo:alias", "predicate": {}})}
    ),
    "statement is empty": lambda f: _write(f, {SIGNATURE: SIGNER.sign({})}),
    "pickle as a document": _content("profile.json", b"\x80\x04\x95"),
    "pickle as a card": _content("card.html", pickle.dumps(print, 0)),
    "packed pickle as a card": _content("card.html", zlib.compress(pickle.dumps(print))),
    "pickle behind a card": _content("card.html", b"<html></html>" + _zipped(pickle.dumps(print))),
    "pickle as a model": _content("model.skops", pickle.dumps(print)),
    "pickle inside a model": _content("model.skops", beside(files()["model.skops"], {"99.npy": pickle.dumps(print)})),
    "document is a list": _content("lineage.json", b"[]"),
    "document is deep": _content("golden.json", b"[" * 100_000),
    "document is not text": _content("lineage.json", b"\xff\xfe{}"),
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published version 2 in a folder store, as the registry laid it out."""
    root = tmp_path_factory.mktemp("store")
    registry = Registry(DirectoryStore(root), "unit", TRUST)
    assert [registry.publish(files(), signer=SIGNER, parent=None) for _ in range(2)] == [1, 2]
    return root


@pytest.fixture
def stored(honest: Path, quick_path: Path) -> Path:
    return Path(shutil.copytree(honest, quick_path / "store"))


def test_an_honest_bundle_is_read_whole(stored: Path, tmp_path: Path) -> None:
    bundle = Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, tmp_path / "copy")
    assert (bundle.project, bundle.version) == ("unit", 2)
    assert bundle.digest == hashlib.sha256((tmp_path / "copy" / MANIFEST).read_bytes()).hexdigest()
    assert bundle.lineage == {"run": "run-1"}
    assert bundle.contract.target == "y"
    assert bundle.verdict.passed
    assert bundle.profile.rows == 200
    assert bundle.project_file.name == "unit"
    X = bundle.contract.parse(bundle.golden["rows"])
    assert bundle.model().predict_proba(X).shape == (2, 2)


def test_a_bundle_of_two_models_serves_the_refitted_one_and_is_judged_by_the_tested_one(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    registry = Registry(store, "unit", TRUST)
    assert [registry.publish(f, signer=SIGNER, parent=None) for f in (files(), _two())] == [1, 2]
    one, two = (registry.fetch(number, tmp_path / str(number)) for number in (1, 2))
    assert [json.loads((b.folder / MANIFEST).read_text())["format"] for b in (one, two)] == [2, 3]
    X = two.contract.parse(two.golden["rows"])
    tested, served = (m.predict_proba(X)[:, 1] for m in (two.model(), two.served_model()))
    assert not np.allclose(tested, served)
    assert np.array_equal(tested, one.served_model().predict_proba(X)[:, 1])
    assert two.files["model.skops"] == two.verdict.subject != two.files[two.served]
    assert (registry.record(1).served, registry.record(2).served) == ("model.skops", REFITTED)
    _flip(tmp_path / "store/projects/unit/versions/2" / REFITTED)
    with pytest.raises(IntegrityError, match=r"refitted\.skops"):
        registry.fetch(2, tmp_path / "again")
    (tmp_path / "store/projects/unit/versions/2" / REFITTED).unlink()
    with pytest.raises(IntegrityError, match=r"missing: refitted\.skops"):
        registry.fetch(2, tmp_path / "third")


def test_the_table_is_long_enough() -> None:
    assert len(TAMPERS) + len(SIGNED) >= 50


@pytest.mark.parametrize("tamper", [pytest.param(t, id=i) for i, t in {**TAMPERS, **SIGNED}.items()])
def test_anything_but_what_was_signed_is_refused(
    stored: Path, quick_path: Path, tamper: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "parse_model", lambda _: pytest.fail("the model was parsed"))
    folder = stored / "projects/unit/versions/2"
    tamper(folder)
    with pytest.raises(IntegrityError):
        open_bundle(folder, project="unit", version=2, trust=TRUST)
    if not (folder / "card.html").is_symlink() and not (folder / ".git").is_dir():
        with pytest.raises(IntegrityError):
            Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, quick_path / "copy")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("newer format", "format 4, known are 2, 3"),
        ("of an older version", "version 1 of unit"),
        ("signed with another key", "CICLO_PUBLIC_KEYS"),
        ("without golden.json", "missing: golden.json"),
        ("pickle added", "foreign: model.pkl"),
        ("packed pickle as a card", "'card.html, unpacked' is a pickle"),
        ("pickle inside a model", "'model.skops: 99.npy' is a pickle"),
    ],
)
def test_a_refusal_says_what_is_wrong(stored: Path, tmp_path: Path, name: str, words: str) -> None:
    folder = stored / "projects/unit/versions/2"
    {**TAMPERS, **SIGNED}[name](folder)
    with pytest.raises(IntegrityError) as caught:
        Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, tmp_path / "copy")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "libraries",
    [{**LIBRARIES, "scikit-learn": "1.2.0"}, {**LIBRARIES, "skops": "0.1"}, {}],
    ids=["another scikit-learn", "another skops", "libraries not told"],
)
def test_other_libraries_keep_the_model_from_being_loaded_and_nothing_else(
    stored: Path, libraries: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "parse_model", lambda _: pytest.fail("the model was parsed"))
    folder = stored / "projects/unit/versions/2"
    _write(folder, _signed_manifest(libraries=libraries))
    bundle = open_bundle(folder, project="unit", version=2, trust=TRUST)
    assert (bundle.profile.rows, bundle.contract.target, bundle.verdict.passed) == (200, "y", True)
    with pytest.raises(IntegrityError, match="written with another") as caught:
        bundle.model()
    assert "Retrain" in str(caught.value)


def test_an_older_version_is_not_taken_for_a_newer_one(stored: Path, tmp_path: Path) -> None:
    """A replay: every file of version 1, signature included, put in the place of version 2."""
    versions = stored / "projects/unit/versions"
    shutil.rmtree(versions / "2")
    shutil.copytree(versions / "1", versions / "2")
    with pytest.raises(IntegrityError, match="not version 2"):
        Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, tmp_path / "copy")


def test_a_second_bundle_signed_for_the_same_number_is_refused(stored: Path, tmp_path: Path) -> None:
    _write(stored / "projects/unit/versions/2", _sealed({**files(), "lineage.json": b'{"run": "x"}'}))
    with pytest.raises(IntegrityError, match="not the one that was published"):
        Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, tmp_path / "copy")


@pytest.mark.slow
def test_no_flipped_bit_is_accepted(stored: Path) -> None:
    folder, rng = stored / "projects/unit/versions/2", random.Random(11)
    honest = {path.name: path.read_bytes() for path in folder.iterdir()}
    names = sorted(honest)
    for number in range(rounds(2_000, 10_000)):
        name = names[number % len(names)]
        data = bytearray(honest[name])
        position = rng.randrange(len(data) * 8)
        data[position // 8] ^= 1 << position % 8
        (folder / name).write_bytes(bytes(data))
        with pytest.raises(IntegrityError):
            open_bundle(folder, project="unit", version=2, trust=TRUST)
        (folder / name).write_bytes(honest[name])
    open_bundle(folder, project="unit", version=2, trust=TRUST)


@pytest.mark.parametrize("name", ["model.skops", "profile.json"])
def test_a_file_changed_after_verification_is_not_used(stored: Path, tmp_path: Path, name: str) -> None:
    bundle = Registry(DirectoryStore(stored), "unit", TRUST).fetch(2, tmp_path / "copy")
    _flip(tmp_path / "copy" / name)
    with pytest.raises(IntegrityError, match=name):
        bundle.check()


def test_unsigned_is_taken_only_where_it_is_allowed(tmp_path: Path) -> None:
    store, lax = DirectoryStore(tmp_path / "store"), Trust({}, unsigned=True)
    version = Registry(store, "unit", lax).publish(files(), signer=None, parent=None)
    assert Registry(store, "unit", lax).fetch(version, tmp_path / "lax").model() is not None
    with pytest.raises(IntegrityError):
        Registry(store, "unit", TRUST).fetch(version, tmp_path / "strict")
    _flip(tmp_path / "store/projects/unit/versions" / str(version) / "model.skops")
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        Registry(store, "unit", lax).fetch(version, tmp_path / "lax")
