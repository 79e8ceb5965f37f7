"""What cannot start says so in one sentence; what is not ours is left alone."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
import pytest

from infra.embedded import jars, kafka, postgres, prometheus
from infra.embedded.cluster import planned
from infra.embedded.failure import PartFailed
from infra.embedded.home import keep_port
from infra.embedded.parts import Parts
from infra.embedded.process import end_orphans, run_to_end, spawn, states
from infra.embedded.records import Record, write_record
from tests.support.eventually import eventually


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no supervisor started."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def record_of(process: subprocess.Popen[bytes]) -> Record:
    create_time = psutil.Process(process.pid).create_time()
    return Record("sleeper", process.pid, create_time, ["sleep", "600"], datetime.now(UTC).isoformat())


async def test_an_orphan_is_known_by_pid_and_start_time(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_record(tmp_path, record_of(sleeper))
    assert await end_orphans(tmp_path) == ["sleeper"]
    assert sleeper.wait(10) == -signal.SIGTERM
    assert states(tmp_path) == {}


async def test_a_later_owner_of_the_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    now = record_of(sleeper)
    write_record(tmp_path, replace(now, create_time=now.create_time - 60))
    assert not states(tmp_path)["sleeper"].running
    assert await end_orphans(tmp_path) == []
    assert sleeper.poll() is None


async def test_an_orphan_that_ignores_the_signal_is_killed_with_what_it_started(tmp_path: Path) -> None:
    child = await spawn(tmp_path, "stubborn", ["sh", "-c", "trap '' TERM; setsid sleep 600 & wait; sleep 600"])
    [grandchild] = await eventually(psutil.Process(child.pid).children)
    assert await end_orphans(tmp_path, grace=0.1) == ["stubborn"]
    assert await child.wait() == -signal.SIGKILL
    await eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


async def test_states_tell_what_runs_and_how_the_others_ended(tmp_path: Path) -> None:
    runs = await spawn(tmp_path, "runs", ["sleep", "600"])
    ended = await spawn(tmp_path, "ended", ["sh", "-c", "exit 7"])
    await ended.wait()
    found = states(tmp_path)
    assert (found["runs"].running, found["runs"].exit_code) == (True, None)
    assert (found["ended"].running, found["ended"].exit_code) == (False, 7)
    assert await runs.stop() == -signal.SIGTERM
    assert states(tmp_path)["runs"].exit_code == -signal.SIGTERM


async def test_a_child_that_ends_early_is_quoted(tmp_path: Path) -> None:
    script = "echo all is well; echo 'FATAL: no such cupboard'; echo bye; exit 3"
    with pytest.raises(PartFailed) as failed:
        await run_to_end(tmp_path, "part", ["sh", "-c", script])
    assert str(failed.value) == (
        f"part cannot run: it ended with status 3: FATAL: no such cupboard. Its log is {tmp_path / 'log' / 'part.log'}."
    )


async def test_only_the_words_of_this_start_are_quoted(tmp_path: Path) -> None:
    await run_to_end(tmp_path, "part", ["sh", "-c", "echo 'ERROR of an earlier start'"])
    with pytest.raises(PartFailed, match="status 3: nothing special"):
        await run_to_end(tmp_path, "part", ["sh", "-c", "echo nothing special; exit 3"])


async def test_the_cause_of_a_java_stack_trace_is_quoted(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text(
        "ERROR Exiting Kafka due to fatal exception\norg.example.Outer: wrapped\n\tat org.example.Main(Main.java:1)\n"
        "Caused by: java.io.IOException: the door is shut\n\tat org.example.Door(Door.java:2)\n\t... 3 more\n"
        "INFO stopped\n"
    )
    with pytest.raises(PartFailed, match=r"Caused by: java\.io\.IOException: the door is shut"):
        await run_to_end(tmp_path, "part", ["sh", "-c", f"cat {trace}; exit 1"])


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match="/no/such/program cannot be started"):
        await spawn(tmp_path, "part", ["/no/such/program"])


async def test_a_taken_port_is_named_and_the_next_start_takes_another(tmp_path: Path, downloads: Path) -> None:
    cluster = planned(tmp_path, 1)
    first = cluster.nodes[0].port
    assert keep_port(tmp_path, "kafka") == first
    with listening(first):
        with pytest.raises(PartFailed, match=rf"^kafka cannot run: port {first} of 127\.0\.0\.1 is taken"):
            await kafka.start(cluster, cluster.nodes[0], downloads)
        with pytest.raises(PartFailed, match=rf"^postgres cannot run: port {first} of 127\.0\.0\.1 is taken"):
            await postgres.start(tmp_path, port=first)
        assert keep_port(tmp_path, "kafka") != first


async def test_a_foreign_kafka_folder_names_kafka_and_its_log_and_stops_the_rest(
    tmp_path: Path, downloads: Path
) -> None:
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=MkU3OEVBNTcwNTJENDM2Qk\n")
    with pytest.raises(PartFailed, match="Stored node id 7 doesn't match previous node id 1") as failed:
        await Parts(tmp_path, downloads=downloads).__aenter__()
    assert (failed.value.part, failed.value.log) == ("kafka", tmp_path / "log" / "kafka.log")
    assert not any(state.running for state in states(tmp_path).values())


async def test_data_of_one_broker_are_not_left_behind_for_three_empty_ones(tmp_path: Path, downloads: Path) -> None:
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\n")
    why = "holds the data of kafka, asked for are kafka-1, kafka-2, kafka-3: the number of brokers stays"
    with pytest.raises(PartFailed, match=why):
        await Parts(tmp_path, downloads=downloads, brokers=3).__aenter__()


async def test_a_foreign_postgres_folder_names_postgres_and_its_log(tmp_path: Path, downloads: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(PartFailed) as failed:
        await postgres.start(tmp_path)
    assert (failed.value.part, failed.value.log) == ("postgres", tmp_path / "log" / "postgres.log")
    assert "could not access the server configuration file" in failed.value.why


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_full_disk_is_called_a_full_disk(tmp_path: Path, downloads: Path) -> None:
    with small_disk(tmp_path / "disk") as home:
        (home / "filler").write_bytes(bytes(2**20 - 2**16))
        with pytest.raises(PartFailed, match=r"No space left on device|MiB are left on its disk"):
            await Parts(home, downloads=downloads).__aenter__()
        assert not any(state.running for state in states(home).values())


async def test_downloads_are_whole_or_absent_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = stand_in_for_maven(tmp_path, monkeypatch, fails=jars.ATTEMPTS)
    with pytest.raises(PartFailed, match=r"^maven-kafka cannot run: .*broken pipe"):
        await jars.resolve("kafka", tmp_path / "parts")
    assert called() == jars.ATTEMPTS
    assert not list((tmp_path / "parts").glob("kafka-*"))

    monkeypatch.chdir(tmp_path)  # a relative folder, as in HEALTHBOOK_HOME=var, is one below here
    called = stand_in_for_maven(tmp_path, monkeypatch, fails=0)
    first, second = await asyncio.gather(*(jars.resolve("kafka", Path("parts")) for _ in range(2)))
    assert first == second == await jars.resolve("kafka", tmp_path / "parts")
    assert [jar.name for jar in first.iterdir()] == ["whole.jar"]
    assert called() == 1


async def test_without_maven_the_debian_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartFailed, match="install the Debian package maven"):
        await jars.resolve("kafka", tmp_path / "parts")


async def test_prometheus_never_fails_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await prometheus.start(tmp_path) is None


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is optional and not on this machine")
async def test_prometheus_scrapes_what_it_is_told(tmp_path: Path) -> None:
    started = await prometheus.start(tmp_path)
    assert started is not None
    child, url = started
    prometheus.write_targets(tmp_path, {"itself": url.removeprefix("http://")})
    try:
        async with aiohttp.ClientSession() as http:

            async def up() -> bool:
                async with http.get(f"{url}/api/v1/query", params={"query": 'up{process="itself"} == 1'}) as answer:
                    return bool((await answer.json())["data"]["result"])

            await eventually(up, timeout=30)
    finally:
        await child.stop()


def stand_in_for_maven(folder: Path, monkeypatch: pytest.MonkeyPatch, *, fails: int) -> Callable[[], int]:
    """An `mvn` first on PATH that breaks off `fails` times, then is done; how often it was called."""
    calls = folder / f"calls-{fails}"
    calls.touch()
    elsewhere = folder / "elsewhere"  # Maven works beside its pom, not where we are
    elsewhere.mkdir(exist_ok=True)
    program = folder / "mvn"
    program.write_text(
        "#!/bin/sh\n"
        "for argument; do case $argument in -DoutputDirectory=*) output=${argument#*=};; esac; done\n"
        f'cd {elsewhere}; mkdir -p "$output"; touch "$output/part.jar"; echo call >> {calls}\n'
        f'[ $(wc -l < {calls}) -gt {fails} ] || {{ echo "ERROR: broken pipe"; exit 1; }}\n'
        'mv "$output/part.jar" "$output/whole.jar"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: len(calls.read_text().splitlines())


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this container may not mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
