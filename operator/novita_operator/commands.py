"""Wiring of the commands that answer and end; that of the operator itself is in `app.py`, whose parts they share."""

import asyncio
import contextlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from novita_operator.app import FAILED, VERSION, open_cloud, open_connection, or_one_line, sweep_of
from novita_operator.cluster.errors import ClusterError
from novita_operator.cluster.identity import cluster_id
from novita_operator.control.clock import system_clock
from novita_operator.model.spelling import Address
from novita_operator.settings import Settings
from novita_operator.support.bundle import Bundle, settings_page
from novita_operator.support.checkup import Checkup
from novita_operator.support.findings import Verdict, is_well, table

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  an address that is read, not listened on
STDOUT = "-"


def orphans(settings: Settings) -> int:
    """Print the machines that no resource accounts for; 1 if one was not left on purpose, 3 if it is not known."""
    return asyncio.run(or_one_line(_print_orphans(settings)))


def check(settings: Settings) -> int:
    """Print what stands in the operator's way; 1 if something does, 3 if the Kubernetes API could not be asked."""
    return asyncio.run(or_one_line(_check(settings)))


def support_bundle(settings: Settings, output: str) -> int:
    """Write the bundle to a file, or to stdout if `output` is `-`; 3 if it could not be written."""
    return asyncio.run(or_one_line(_bundle(settings, output)))


async def _print_orphans(settings: Settings) -> int:
    async with contextlib.AsyncExitStack() as stack:
        connection = await open_connection(stack)
        cloud = await stack.enter_async_context(open_cloud(settings, system_clock()))
        cluster = settings.cluster_id or await cluster_id(connection)
        found = await sweep_of(settings, cloud, connection, cluster).look()
    for machine, is_retained in found:
        kind = "retained" if is_retained else "orphan"
        print(f"{kind:<9} {machine.id:<20} {machine.state:<10} {machine.name:<63} {machine.mark}")  # noqa: T201  a command's answer
    return 1 if any(not orphan.is_retained for orphan in found) else 0


async def _check(settings: Settings) -> int:
    async with contextlib.AsyncExitStack() as stack:
        findings = await (await _checkup(stack, settings)).findings()
    sys.stdout.write(table(findings))
    if findings[0].verdict is Verdict.UNKNOWN:
        return FAILED
    return 0 if is_well(findings) else 1


async def _bundle(settings: Settings, output: str) -> int:
    now = datetime.now(UTC)
    async with contextlib.AsyncExitStack() as stack:
        checkup = await _checkup(stack, settings)
        bundle = Bundle(
            checkup.connection,
            checkup.cloud,
            settings.namespaces,
            settings.namespace,
            cluster_id=settings.cluster_id or await _cluster_id_or_none(checkup),
            site=_site(settings),
            known=set(settings.key_source(system_clock().boot).known),
        )
        bundle.files["version.txt"] = f"{VERSION}\nPython {platform.python_version()} on {platform.platform()}\n"
        bundle.files["settings.txt"] = settings_page(settings.shown())
        bundle.files["check.txt"] = table(await checkup.findings())
        await bundle.gather()
    archive = bundle.archive(now)
    if output == STDOUT:
        sys.stdout.buffer.write(archive)
    else:
        await asyncio.to_thread(_write_private, Path(output), archive)
    return 0


async def _checkup(stack: contextlib.AsyncExitStack, settings: Settings) -> Checkup:
    connection = await open_connection(stack)
    cloud = await stack.enter_async_context(open_cloud(settings, system_clock()))
    return Checkup(connection, cloud, settings.namespaces, settings.namespace, settings.cluster_id)


async def _cluster_id_or_none(checkup: Checkup) -> str:
    try:
        return await cluster_id(checkup.connection)
    except ClusterError:
        return ""


def _write_private(path: Path, content: bytes) -> None:
    """Whoever else is on this machine need not read it."""
    path.touch(mode=0o600)
    path.write_bytes(content)


def _site(settings: Settings) -> str:
    """Where the operator beside us serves its metrics: in its pod, or behind a port-forward."""
    host, port = settings.http_address
    return f"http://{Address(_ANYWHERE.get(host, host), port)}"
