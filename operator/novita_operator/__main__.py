"""The command line. The operator itself is imported by the commands that need it, so that the others answer at once."""

import argparse
import logging
import os
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version

from novita_operator import logs
from novita_operator.model.environ import SettingsError, describe
from novita_operator.settings import Settings

USAGE = 2
"""Exit code where a setting or an argument is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the process' exit code."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("novita-operator", description="Runs GPU instances at Novita.ai from Kubernetes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, summary in (
        ("run", _run, "run the operator until SIGTERM"),
        ("orphans", _orphans, "print the machines of ours whose resource is gone"),
        ("check", _check, "look whether an operator can work here, and say what to do if not"),
        ("support-bundle", _support_bundle, "collect what somebody needs who helps, without secrets"),
    ):
        working = commands.add_parser(
            name, help=summary, epilog=_manual(), formatter_class=argparse.RawDescriptionHelpFormatter
        )
        working.set_defaults(command=command)
        _add_options(working)
    commands.choices["run"].add_argument(
        "--leader-elect", action="store_true", help="act only while holding the Lease; for replicas"
    )
    commands.choices["support-bundle"].add_argument(
        "--output", default="novita-operator-support.tar.gz", metavar="FILE", help="default: %(default)s; - is stdout"
    )
    commands.add_parser("crd", help="print the CustomResourceDefinition").set_defaults(command=_crd)
    commands.add_parser("version", help="print the version").set_defaults(command=_version)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        dest="namespaces",
        help="namespace to watch, may be given several times; goes before NOVITA_OPERATOR_WATCH_NAMESPACES",
    )
    parser.add_argument(
        "--log-format", choices=[*logs.LogFormat], default=logs.LogFormat.JSON, help="default: %(default)s"
    )
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: %(default)s"
    )


def _manual() -> str:
    lines = ["settings, from the environment:"]
    for name, default, description in describe(Settings):
        lines.append(f"  {name}{f' (default {default})' if default else ''}")
        lines += textwrap.wrap(description, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    # argparse reads the text as a template.
    return "\n".join(lines).replace("%", "%%")


def _run(arguments: argparse.Namespace) -> int:
    from novita_operator import app  # noqa: PLC0415  kopf takes half a second

    return _with_settings(arguments, partial(app.run, leader_elect=arguments.leader_elect))


def _orphans(arguments: argparse.Namespace) -> int:
    from novita_operator import commands  # noqa: PLC0415  as above

    return _with_settings(arguments, commands.orphans)


def _check(arguments: argparse.Namespace) -> int:
    from novita_operator import commands  # noqa: PLC0415  as above

    return _with_settings(arguments, commands.check)


def _support_bundle(arguments: argparse.Namespace) -> int:
    from novita_operator import commands  # noqa: PLC0415  as above

    return _with_settings(arguments, partial(commands.support_bundle, output=arguments.output))


def _with_settings(arguments: argparse.Namespace, work: Callable[[Settings], int]) -> int:
    try:
        settings = Settings.load(os.environ | _flags(arguments.namespaces))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    key = settings.key_source(time.monotonic)
    logs.configure(arguments.log_format, arguments.log_level, lambda: key.known)
    for warning in settings.warnings():
        logging.getLogger("novita_operator").warning(warning)
    return work(settings)


def _flags(namespaces: Sequence[str] | None) -> dict[str, str]:
    """The flag as the setting that it goes before; an empty name must not come to mean every namespace."""
    return {"NOVITA_OPERATOR_WATCH_NAMESPACES": ",".join(namespaces) or ","} if namespaces else {}


def _crd(_: argparse.Namespace) -> int:
    from novita_operator.model.crd import crd_yaml  # noqa: PLC0415  only this command needs YAML

    sys.stdout.write(crd_yaml())
    return 0


def _version(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{version('novita-gpu-operator')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
