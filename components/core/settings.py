"""Where this process runs: the one difference between a laptop and a cluster.

Every value comes from the environment (prefix ``CICLO_``); the defaults are those of a laptop. Secrets never travel as
pipeline parameters.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as MalformedError

from ciclo.components.core.errors import SettingsError

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


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
        namespace: Kubernetes namespace of the SeldonDeployment; by default that of the pod, else `default`.
        serving_image: Image of the model server on a cluster.
        private_key: PEM file of the signing key; made on first use in ``home`` when the store is a folder.
        public_keys: PEM files that are trusted.
        unsigned: Publish and load without signatures. Says so loudly.
        alerts: Apprise addresses, separated by commas.
        alert_keys: Further variables that hold Apprise addresses; `ciclo compile` sets it to those a project names, so
            that a task is given these keys and no others.
        project: Name of the project a model server serves.
        version: Version it serves.
        request_bytes: Largest body of a request to a model server, over REST and gRPC; a larger one gets 413.
        request_depth: Most brackets of JSON inside one another in it; more get 400. The forms that are served need six.
        image: Image of the components, with a tag that never moves or a digest.
        commit: Commit of the code, for the lineage of a version; the image sets it, a checkout is asked.
        run: Id of the run a task belongs to: on a cluster KFP writes it on the pod, on a laptop it is a folder.
        kfp_host: Address of the KFP API to which runs are submitted; without one monitoring only recommends.
        kfp_namespace: Profile namespace of these runs on a multi-user installation; empty on a single-user one.
        kfp_token_file: Token of the service account for the KFP API; KF_PIPELINES_SA_TOKEN_PATH is read too.
        kfp_cookie: Cookie that signs in to it from outside a cluster, such as that of the dashboard.
        kfp_header: Header that does, as `name: value`.
        pipeline_package: Compiled pipeline that monitoring submits.
        deadline_seconds: Most seconds a tick of the CronJob may take; then it ends, and the next one goes on.
        termination_log: File that tells Kubernetes how a tick ended.
        pushgateway: Address of a Prometheus Pushgateway for the metrics of a tick, such as `http://pushgateway:9091`.
        metrics_file: File for them, for the textfile collector of a node exporter; its name ends in `.prom`.
        source_user: User of a database or web server that a project names as its source.
        source_password: Its password.
        source_bytes: Largest download of a source.
        source_seconds: Most seconds it may take.
        model_registry_token: What lets `ciclo models export` into a Kubeflow Model Registry.
        s3_ca_file: Authorities to trust for S3, PEM; SSL_CERT_FILE is read too.
    """

    model_config = SettingsConfigDict(env_prefix="CICLO_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Path("build/ciclo")
    store: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_secure: bool = True
    s3_region: str = "us-east-1"
    s3_ca_file: Path | None = Field(None, validation_alias=AliasChoices("CICLO_S3_CA_FILE", "SSL_CERT_FILE"))
    predictions: SecretStr = SecretStr("")
    deployer: Literal["process", "seldon", "none"] = "process"
    serving_python: Path | None = None
    namespace: str = ""
    serving_image: str = ""
    private_key: Path | None = None
    public_keys: tuple[Path, ...] = ()
    unsigned: bool = False
    alerts: SecretStr = SecretStr("")
    alert_keys: tuple[str, ...] = ()
    project: str = ""
    version: int | None = None
    request_bytes: int = Field(8 << 20, ge=1 << 10)
    request_depth: int = Field(16, ge=6, le=100)
    image: str = ""
    commit: str = ""
    run: str = ""
    kfp_host: str = ""
    kfp_namespace: str = ""
    kfp_token_file: Path = Field(
        Path("/var/run/secrets/kubeflow/pipelines/token"),
        validation_alias=AliasChoices("CICLO_KFP_TOKEN_FILE", "KF_PIPELINES_SA_TOKEN_PATH"),
    )
    kfp_cookie: SecretStr = SecretStr("")
    kfp_header: SecretStr = SecretStr("")
    pipeline_package: Path | None = None
    deadline_seconds: float = Field(1500, gt=0, le=86_400)
    termination_log: Path = Path("/dev/termination-log")
    pushgateway: str = ""
    metrics_file: Path | None = None
    source_user: str = ""
    source_password: SecretStr = SecretStr("")
    source_bytes: int = Field(20 << 30, ge=1)
    source_seconds: float = Field(1200, gt=0, le=86_400)
    model_registry_token: SecretStr = SecretStr("")

    @property
    def serving_namespace(self) -> str:
        """The namespace of the SeldonDeployment."""
        if self.namespace:
            return self.namespace
        return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else "default"

    @property
    def in_a_pod(self) -> bool:
        """Whether this process runs in a pod that Kubernetes gave an account."""
        return _POD_NAMESPACE.is_file()

    @property
    def store_uri(self) -> str:
        """The address of the object store."""
        return self.store or f"file://{(self.home / 'store').resolve()}"

    @property
    def predictions_uri(self) -> str:
        """The address of the prediction store.

        Raises:
            SettingsError: If there is none on a cluster, where every pod would keep its own predictions.
        """
        if self.deployer == "seldon" and not self.predictions.get_secret_value():
            raise SettingsError("the pods of a cluster share no SQLite file", hint="Set CICLO_PREDICTIONS.")
        return self.predictions.get_secret_value() or f"sqlite:///{(self.home / 'predictions.sqlite').resolve()}"

    @staticmethod
    def named(variable: str) -> SecretStr:
        """A secret that a project names; empty if the environment does not have it."""
        return SecretStr(os.environ.get(variable, ""))

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
    return read_settings()


def read_settings() -> Settings:
    """The settings as the environment has them now.

    Raises:
        SettingsError: Naming the variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"the environment is not valid: {problems}") from None
    except MalformedError as error:  # what should be a list and is not JSON
        raise SettingsError(f"the environment is not valid: {str(error).split(' from ')[0]}") from None


def _variable(location: tuple[int | str, ...]) -> str:
    name = "_".join(map(str, location)).upper()
    return name if name.startswith(("CICLO_", "KF_", "SSL_")) else f"CICLO_{name}"
