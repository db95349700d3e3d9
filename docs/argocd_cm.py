"""Prints the scripts for Argo CD, which stand in upstream's layout, as the settings that an existing Argo CD takes."""

from collections.abc import Iterator
from pathlib import Path

import yaml

HEAD = """\
# Printed from resource_customizations/ by `make generate`. It adds to the settings of an Argo CD, and takes none away:
#   kubectl apply --server-side -f argocd-cm.yaml
"""


def argocd_cm(customizations: Path) -> str:
    """The ConfigMap for a folder `<group>/<kind>/` of scripts."""
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    data = dict(entry for kind in sorted(customizations.glob("*/*")) for entry in _settings(kind))
    return HEAD + _dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def _settings(kind: Path) -> Iterator[tuple[str, str]]:
    name = f"{kind.parent.name}_{kind.name}"
    yield f"resource.customizations.health.{name}", (kind / "health.lua").read_text()
    if (actions := kind / "actions").exists():
        yield f"resource.customizations.actions.{name}", _dump(_actions(actions))
    if (ignored := kind / "ignoreResourceUpdates.yaml").exists():
        yield f"resource.customizations.ignoreResourceUpdates.{name}", ignored.read_text()


def _actions(folder: Path) -> dict[str, object]:
    scripts = sorted(folder.glob("*/action.lua"))
    return {
        "discovery.lua": (folder / "discovery.lua").read_text(),
        "definitions": [{"name": script.parent.name, "action.lua": script.read_text()} for script in scripts],
    }


class _Readable(yaml.SafeDumper):
    """Scripts as blocks of lines."""


def _text(dumper: _Readable, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def _dump(value: object) -> str:
    return yaml.dump(value, Dumper=_Readable, sort_keys=False, width=120)
