"""The users of a MinIO for development may do what their Secrets are for, and no more."""

import importlib.util
import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error
from pydantic import SecretStr

from ciclo.components.core.errors import CicloError
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.s3 import s3_client
from tests.keys import PRIVATE, PUBLIC, SIGNER
from tests.manifests.rendering import MANIFESTS
from tests.promises.objects import Address, ObjectStorePromises
from tests.promises.registry import publish

_SPEC = importlib.util.spec_from_file_location("minio_users", MANIFESTS / "components/minio/minio_users.py")
assert _SPEC is not None
assert _SPEC.loader is not None
minio_users = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(minio_users)


def put(client: Minio, bucket: str, name: str) -> None:
    client.put_object(bucket, name, io.BytesIO(b"x"), 1)


def denied(action: Callable[[], Any]) -> bool:
    try:
        action()
    except S3Error as error:
        return bool(error.code == "AccessDenied")
    except MinioAdminException as error:
        return "AccessDenied" in str(error)
    return False


@pytest.fixture
def users(s3_settings: Settings) -> dict[str, tuple[str, str]]:
    """Two users of a bucket with one object in the store and one beside it, made twice."""
    bucket = s3_settings.store.split("/")[2]
    root = (s3_settings.s3_access_key, s3_settings.s3_secret_key.get_secret_value())
    found = {name: (f"{name}-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex) for name in ("pipeline", "serving")}
    for _ in range(2):
        minio_users.make_users(s3_settings.s3_endpoint, s3_settings.store, root, found["pipeline"], found["serving"])
    client = s3_client(s3_settings)
    for name in ("ciclo/model", "data.csv"):
        put(client, bucket, name)
    return found


def test_model_servers_read_the_store_and_nothing_else(
    s3_settings: Settings, users: dict[str, tuple[str, str]]
) -> None:
    bucket = s3_settings.store.split("/")[2]
    serving = Minio(s3_settings.s3_endpoint, *users["serving"], secure=False)
    assert serving.get_object(bucket, "ciclo/model").read() == b"x"
    assert [o.object_name for o in serving.list_objects(bucket, "ciclo/")] == ["ciclo/model"]
    assert denied(lambda: serving.get_object(bucket, "data.csv"))
    assert denied(lambda: put(serving, bucket, "ciclo/model"))
    assert denied(lambda: serving.remove_object(bucket, "ciclo/model"))
    assert denied(lambda: serving.make_bucket(f"other-{uuid.uuid4().hex}"))


def test_runs_write_the_bucket_and_change_no_user(s3_settings: Settings, users: dict[str, tuple[str, str]]) -> None:
    bucket = s3_settings.store.split("/")[2]
    pipeline = Minio(s3_settings.s3_endpoint, *users["pipeline"], secure=False)
    put(pipeline, bucket, "ciclo/another")
    assert pipeline.get_object(bucket, "data.csv").read() == b"x"
    pipeline.remove_object(bucket, "ciclo/another")
    assert denied(lambda: pipeline.make_bucket(f"other-{uuid.uuid4().hex}"))
    provider = StaticProvider(*users["pipeline"])
    admin = MinioAdmin(endpoint=s3_settings.s3_endpoint, credentials=provider, secure=False)
    assert denied(lambda: admin.policy_add("more", policy=minio_users.policy(bucket, ["s3:*"])))
    assert denied(lambda: admin.user_add("friend", "friends-password"))
    assert denied(lambda: admin.policy_set("readwrite", user=users["pipeline"][0]))


def as_user(settings: Settings, keys: tuple[str, str]) -> Settings:
    own = {"s3_access_key": keys[0], "s3_secret_key": SecretStr(keys[1])}
    return settings.model_copy(update={**own, "private_key": PRIVATE, "public_keys": (PUBLIC,)})


def test_a_version_goes_from_a_run_to_a_model_server(
    s3_settings: Settings, users: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    """Everything the registry does with a bucket, with the rights that the two have."""
    pipeline, serving = (as_user(s3_settings, users[name]) for name in ("pipeline", "serving"))
    registry, reader = open_registry("unit", pipeline), open_registry("unit", serving)
    version = publish(pipeline)
    moved = registry.move("champion", version, Move("run", "test"), expected=None, signer=SIGNER)
    assert reader.versions() == [version]
    assert reader.alias("champion") == moved
    assert reader.fetch(version, tmp_path / "bundle").digest == moved.digest
    with pytest.raises(CicloError, match="AccessDenied"):
        reader.move("champion", version, Move("server", "test"), expected=moved, signer=SIGNER)


class TestStoreOfRuns(ObjectStorePromises):
    """With the rights of a run."""

    ROUNDS = 20

    @pytest.fixture
    def address(self, s3_settings: Settings, users: dict[str, tuple[str, str]]) -> Address:
        settings = as_user(s3_settings, users["pipeline"])
        return f"{settings.store}/empty", settings
