"""Where this process runs: the one difference between a laptop and a cluster.

Every value comes from the environment (prefix ``CICLO_``); the defaults are those of a laptop. Secrets never travel as
pipeline parameters.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ciclo.components.core.errors import SettingsError


class Settings(BaseSettings):
    """Settings of one process.

    Attributes:
        home: Folder of everything local: store, predictions, keys, runs, endpoints.
        store: Object store, ``file:///path`` or ``s3://bucket/prefix``; by default a folder in ``home``.
        s3_endpoint: Host and port of the S3 service, without scheme.
        s3_access_key: Access key.
        s3_secret_key: Secret key.
        s3_secure: Whether to speak TLS to it.
        s3_region: Region, for services that want one.
        predictions: SQLAlchemy address of the prediction store; by default SQLite in ``home``.
        deployer: What deployment does: ``process`` (a local seldon-core-microservice), ``seldon`` (a SeldonDeployment)
            or ``none``.
        serving_python: Python of the serving environment, for the ``process`` deployer.
        namespace: Kubernetes namespace of the SeldonDeployment.
        serving_image: Image of the model server on a cluster.
        private_key: PEM file of the signing key; made on first use in ``home`` when the store is a folder.
        public_keys: PEM files that are trusted.
        unsigned: Publish and load without signatures. Says so loudly.
        alerts: Apprise addresses, separated by commas.
        project: Name of the project a model server serves.
        version: Version it serves.
        request_bytes: Largest body of a request to a model server, over REST and gRPC; a larger one gets 413.
        request_depth: Most brackets of JSON inside one another in it; more get 400. The forms that are served need six.
    """

    model_config = SettingsConfigDict(env_prefix="CICLO_", extra="ignore", frozen=True)

    home: Path = Path("build/ciclo")
    store: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_secure: bool = True
    s3_region: str = "us-east-1"
    predictions: str = ""
    deployer: Literal["process", "seldon", "none"] = "process"
    serving_python: Path | None = None
    namespace: str = "default"
    serving_image: str = ""
    private_key: Path | None = None
    public_keys: tuple[Path, ...] = ()
    unsigned: bool = False
    alerts: str = Field("", description="comma separated")
    project: str = ""
    version: int | None = None
    request_bytes: int = Field(8 << 20, ge=1 << 10)
    request_depth: int = Field(16, ge=6, le=100)

    @property
    def store_uri(self) -> str:
        """The address of the object store."""
        return self.store or f"file://{(self.home / 'store').resolve()}"

    @property
    def predictions_uri(self) -> str:
        """The address of the prediction store."""
        return self.predictions or f"sqlite:///{(self.home / 'predictions.sqlite').resolve()}"

    def environment(self) -> dict[str, str]:
        """These settings as the variables another process reads them from, with absolute paths."""
        values = {name: _as_text(getattr(self, name)) for name in Settings.model_fields}
        return {f"CICLO_{name.upper()}": text for name, text in values.items() if text}


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value.absolute())
        case tuple():
            return json.dumps([_as_text(v) for v in value]) if value else ""
        case _:
            return str(value)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsError: Naming the variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"CICLO_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"the environment is not valid: {problems}") from error
