"""Object store and registry in buckets of a real S3 server."""

from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.releases.retention import prune
from ciclo.components.storage.s3 import s3_client
from ciclo.components.storage.store import open_store
from tests.keys import PRIVATE, PUBLIC, SIGNER
from tests.promises.faults import FaultyNetworkPromises
from tests.promises.objects import Address, ObjectStorePromises
from tests.promises.registry import RegistryPromises, publish


class TestBucket(ObjectStorePromises, FaultyNetworkPromises):
    @pytest.fixture
    def address(self, s3_settings: Settings) -> Address:
        return s3_settings.store, s3_settings


class TestVersionedBucket(ObjectStorePromises):
    """A bucket that keeps every version of every object, as a careful operator would set it up."""

    ROUNDS = 20

    @pytest.fixture
    def address(self, s3_settings: Settings) -> Address:
        bucket = s3_settings.store.removeprefix("s3://").partition("/")[0]
        s3_client(s3_settings).set_bucket_versioning(bucket, VersioningConfig(ENABLED))
        return s3_settings.store, s3_settings

    def test_what_was_deleted_can_be_claimed_again(self, address: Address) -> None:
        store = open_store(*address)
        for _ in range(2):
            assert store.put_if_absent("claim", b"x")
            assert not store.put_if_absent("claim", b"x")
            store.delete("claim")
            assert not store.exists("claim")


class TestRegistry(RegistryPromises):
    LISTED = 2_500  # three pages

    @pytest.fixture
    def settings(self, s3_settings: Settings) -> Settings:
        return s3_settings.model_copy(update={"private_key": PRIVATE, "public_keys": (PUBLIC,)})

    def test_old_versions_are_pruned(self, settings: Settings, tmp_path: Path) -> None:
        registry = open_registry("unit", settings)
        for _ in range(5):
            publish(settings)
        registry.move("champion", 2, Move("me", "test"), expected=None, signer=SIGNER)
        assert prune(registry, keep=1, by="me").deleted == (1, 3, 4)
        assert registry.versions() == [2, 5]
        for version in (2, 5):
            registry.fetch(version, tmp_path / str(version)).check()
