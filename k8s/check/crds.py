"""Custom resources, checked as typed literals by the TypeScript compiler: it finds unknown fields and wrong types.

No schema that is strict about unknown fields can be had without a cluster; the types of @kubernetes-models are.
"""

import json
import pathlib
import re
import subprocess
import tempfile

# The package that has the types of a group.
PACKAGES = {
    "cert-manager.io": "cert-manager",
    "external-secrets.io": "external-secrets",
    "gateway.networking.k8s.io": "gateway-api",
    "keda.sh": "keda",
    "monitoring.coreos.com": "prometheus-operator",
}


def is_custom(thing):
    return thing["apiVersion"].partition("/")[0] in PACKAGES


def problems(objects, folder):
    """Pairs of a resource and what the compiler says of it. `folder` has node_modules."""
    literals = {}
    for thing in objects:
        literals.setdefault(json.dumps(thing, indent=1, sort_keys=True), thing)
    things = list(literals.values())
    with tempfile.TemporaryDirectory(dir=folder) as spot:
        source = pathlib.Path(spot) / "resources.ts"
        # One line each, so that a line's number tells which it is.
        source.write_text("".join(literal(thing, number) for number, thing in enumerate(things)))
        done = subprocess.run(
            [folder / "node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", source],
            capture_output=True, text=True, timeout=120)
    found = [(int(line), told) for line, told in re.findall(r"resources\.ts\((\d+),\d+\): error \w+: (.*)", done.stdout)]
    if done.returncode and not found:
        return [("tsc", done.stdout + done.stderr)]
    return [(f"{things[line - 1]['kind']} {things[line - 1]['metadata']['name']}", told) for line, told in found]


def literal(thing, number):
    group, version = thing["apiVersion"].split("/")
    path = f"@kubernetes-models/{PACKAGES[group]}/{group}/{version}/{thing['kind']}"
    kind = f"I{thing['kind']}"
    return f"import {{ {kind} as T{number} }} from {json.dumps(path)}; const x{number}: T{number} = {json.dumps(thing)};\n"
