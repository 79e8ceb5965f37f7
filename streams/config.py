"""All settings of the product (INTERFACE §2): environment first, then `healthbook.toml`, then the defaults below.

A secret may come from a file: `HEALTHBOOK_DATABASE_URL_FILE=/run/secrets/database-url`.
"""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from infra.embedded.home import read_addresses

PREFIX = "HEALTHBOOK_"
SECRETS = ("database_url",)


class ConfigError(Exception):
    """A setting cannot be used; the text says which, where it came from, what was expected, and how to mend it."""


class Settings(BaseSettings):
    """One process's settings. An empty address means: the embedded part of this machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file="healthbook.toml", extra="ignore", frozen=True)

    home: Annotated[Path, Field(description="Data of the embedded parts, logs, spools, keys of the samples")] = Path(
        "var"
    )
    parts: Annotated[Path | None, Field(description="Downloads of the embedded parts; default: parts below home")] = (
        None
    )
    lists: Annotated[Path | None, Field(description="Loaded code lists; default: lists below home")] = None
    clocks: Annotated[
        Path | None, Field(description="Versions of clocks that the operator added; default: clocks below home")
    ] = None
    facilities: Annotated[Path | None, Field(description="Facility register; default: facilities below home")] = None

    tokens: Annotated[
        Path | None, Field(description="Hashes of the tokens for `adapter http`; default: the facility register")
    ] = None
    seal_key: Annotated[
        Path | None, Field(description="Private key that seals receipts; default: seal-key.pem below home, made once")
    ] = None

    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka; empty: embedded")] = ""
    kafka_session: Annotated[
        float, Field(ge=1, description="Seconds of silence after which Kafka gives a worker's partitions to others")
    ] = 10.0
    instance: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{0,240}$",
            description="Name of this worker, unique in its stage (validate-2.HOST): Kafka keeps its partitions for it"
            " while it restarts",
        ),
    ] = ""
    kafka_brokers: Annotated[int, Field(description="Brokers of the embedded Kafka: 1, or 3 that survive one")] = 1
    database_url: Annotated[str, Field(description="PostgreSQL; empty: embedded", repr=False)] = ""
    schema_registry_url: Annotated[str, Field(description="Registry, Confluent's REST interface; empty: embedded")] = ""
    gateway_url: Annotated[str, Field(description="BHXH gateway; empty: the simulator")] = ""

    http_host: Annotated[str, Field(description="Where /metrics, /livez and /readyz listen")] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="Their port; 0 takes a free one")] = 0
    console_host: Annotated[str, Field(description="Where the console's pages listen")] = "127.0.0.1"
    console_port: Annotated[int, Field(ge=0, le=65535, description="Their port; 0 takes a free one")] = 0
    adapter_host: Annotated[str, Field(description="Where `adapter http` takes visits")] = "127.0.0.1"
    adapter_port: Annotated[int, Field(ge=0, le=65535, description="Its port; 0 takes a free one")] = 0
    adapter_max_body: Annotated[int, Field(ge=1024, description="Largest body of a request that it takes")] = (
        32 * 1024 * 1024
    )
    adapter_parallel: Annotated[
        int, Field(ge=1, le=1000, description="Requests that it works on at once, of one facility a quarter of them")
    ] = 16
    watch_disks: Annotated[
        str, Field(description="Folders whose disk space is measured, parted by colons; empty: home")
    ] = ""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$", description="Least severe line logged")] = (
        "info"
    )

    workers: Annotated[int, Field(ge=1, le=9, description="Processes of each stage that `run` starts")] = 1
    traces_otlp_url: Annotated[
        str, Field(description="Where traces go by OTLP over HTTP (…/v1/traces); empty: nowhere")
    ] = ""
    traces_zipkin_url: Annotated[
        str, Field(description="Where traces go in Zipkin's JSON (…/api/v2/spans); empty: nowhere")
    ] = ""
    traces_share: Annotated[float, Field(ge=0, le=1, description="Share of the visits that are traced, whole")] = 1.0

    batch_records: Annotated[int, Field(ge=1, le=5000, description="Most records that a stage takes at once")] = 200
    poison_per_minute: Annotated[int, Field(ge=0, description="Dead letters a minute beyond which a stage stops")] = 20
    dossier_max_bytes: Annotated[
        int, Field(ge=1, description="Largest base64 size of an envelope that is sent (GATEWAY §6.7)")
    ] = 20 * 1024 * 1024

    gateway_parallel: Annotated[int, Field(ge=1, description="Sends to the gateway at once, all facilities")] = 32
    gateway_per_facility: Annotated[int, Field(ge=1, description="Sends at once for one facility (GATEWAY §6.7)")] = 5
    gateway_rate: Annotated[float, Field(gt=0, description="Most sends a second, all facilities")] = 200.0
    gateway_timeout: Annotated[float, Field(gt=0, description="Seconds to wait for the answer to a send")] = 60.0
    gateway_lease: Annotated[
        float, Field(gt=0, description="Seconds after which the attempt of a dispatcher that went away is taken over")
    ] = 30.0
    hold_retry: Annotated[
        float, Field(gt=0, description="Seconds between two tries of what a facility's broken privacy list holds up")
    ] = 30.0
    retry_scale: Annotated[float, Field(gt=0, description="Multiplies the waiting times between attempts")] = 1.0
    transaction_idle: Annotated[
        float, Field(gt=0, description="Seconds of silence after which PostgreSQL ends a transaction of ours")
    ] = 30.0
    relay_lease: Annotated[
        float,
        Field(gt=0, description="Seconds after which a relay that carries nothing, though rows wait, is replaced"),
    ] = 30.0
    outbox_keep: Annotated[float, Field(ge=0, description="Seconds that relayed outbox rows are kept for repair")] = (
        3600.0
    )
    receipt_target: Annotated[float, Field(gt=0, description="Clock closed → receipt: seconds")] = 15 * 60.0
    receipt_rule_from: Annotated[
        date | None, Field(description="First day on which the rule of 3 hours stands in the place of that target")
    ] = None
    send_horizon: Annotated[
        float,
        Field(gt=0, description="Seconds after closing until a visit without an answer is held; not below the target"),
    ] = 24 * 3600.0

    @field_validator("kafka_brokers")
    @classmethod
    def _one_or_three(cls, brokers: int) -> int:
        """Two would need both for a majority: less available than one."""
        if brokers not in (1, 3):
            raise ValueError("1 or 3 brokers can be embedded")
        return brokers

    @model_validator(mode="after")
    def _horizon_after_target(self) -> Self:
        if self.send_horizon < self.receipt_target:
            raise ValueError(
                f"{PREFIX}SEND_HORIZON ({self.send_horizon:g} s) is shorter than {PREFIX}RECEIPT_TARGET"
                f" ({self.receipt_target:g} s): visits would be held that are still in time"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def worker(self) -> str:
        """The part of `instance` that tells the workers of one machine apart."""
        return self.instance.partition(".")[0]

    @property
    def parts_dir(self) -> Path:
        """Where downloads of the embedded parts are."""
        return self.parts or self.home / "parts"

    @property
    def watched_folders(self) -> list[Path]:
        """Where disk space is measured."""
        return [Path(folder) for folder in self.watch_disks.split(os.pathsep) if folder] or [self.home]

    @property
    def facilities_dir(self) -> Path:
        """Where the facility register is."""
        return self.facilities or self.home / "facilities"

    @property
    def tokens_dir(self) -> Path:
        """Where the hashes of the facilities' tokens are."""
        return self.tokens or self.facilities_dir

    @property
    def seal_key_file(self) -> Path:
        """Where the key of the seal is."""
        return self.seal_key or self.home / "seal-key.pem"

    @property
    def lists_dir(self) -> Path:
        """Where the loaded code lists are."""
        return self.lists or self.home / "lists"

    @property
    def clocks_dir(self) -> Path:
        """Where the added versions of clocks are."""
        return self.clocks or self.home / "clocks"

    def public(self) -> dict[str, Any]:
        """The settings as a person may see them: a secret only says whether it is set."""
        shown = self.model_dump(mode="json")
        return {name: ("(set)" if name in SECRETS and value else value) for name, value in shown.items()}


def load(**given: Any) -> Settings:
    """The settings of this process. Raises ConfigError."""
    try:
        settings = Settings(**_from_files(), **given)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(item) for item in error.errors())) from None
    return _with_running_parts(settings)


def _from_files() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SECRETS:
        path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
        if path:
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(
                    f"{PREFIX}{name.upper()}_FILE: cannot be read ({error.strerror}). Name a file this user may read."
                ) from None
    return found


def _with_running_parts(settings: Settings) -> Settings:
    """A second terminal with the same home finds the system that runs there (INTERFACE §2)."""
    running = read_addresses(settings.home)
    names = {
        "kafka_bootstrap_servers": "kafka",
        "database_url": "database",
        "schema_registry_url": "schema_registry",
        "gateway_url": "gateway",
    }
    missing = {name: running[key] for name, key in names.items() if not getattr(settings, name) and running.get(key)}
    return settings.model_copy(update=missing)


def _explain(item: Any) -> str:
    if not item["loc"]:  # about several settings together: the text names them
        return str(item["msg"]).removeprefix("Value error, ")
    name = str(item["loc"][0])
    return f"{PREFIX}{name.upper()}: {item['msg']}. Set it in the environment or as `{name}` in healthbook.toml."
