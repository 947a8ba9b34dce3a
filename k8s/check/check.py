#!/usr/bin/env python3
"""Checks the manifests as far as that goes without a cluster: `make k8s-check`.

Renders every overlay, every combination under tests/ and every component alone, and looks at what comes out: the schemas
of Kubernetes, the types of custom resources, our own policies, and whether the real services take their settings. Runs with
what `make` puts into .tools/k8s.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

import breaks
import crds
import policies

K8S = pathlib.Path(__file__).resolve().parents[1]
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
# Where `make` has put pip's and npm's packages.
TOOLS = pathlib.Path(sys.prefix)
# preStop.sleep is stable from the oldest on.
OLDEST, NEWEST = "1.34", "1.37"
# Where the routes of the components lead to.
PUBLIC = "https://bot.example.com/files"


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def tell(self, what, looked_at, problems):
        """Problems are pairs of a place and what is wrong there; the same in many places is told once."""
        places = {}
        for place, problem in problems:
            places.setdefault(problem, []).append(place)
        told = [f"{problem}: {where[0]}" + f" and {len(where) - 1} more" * (len(where) > 1) for problem, where in places.items()]
        if told or not looked_at:
            self.failed += 1
            print(f"FAILED  {what} ({looked_at})", *(told or ["nothing to look at"]), sep="\n          ")
        else:
            self.passed += 1
            print(f"ok      {what} ({looked_at})")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--services", type=pathlib.Path, required=True, help="the folder with the built binaries")
    options = options.parse_args()

    report = Report()
    rendered, problems = render()
    report.tell("overlays, combinations and single components render", len(rendered), problems)
    report.tell(*schemas(rendered, OLDEST))
    report.tell(*schemas(rendered, NEWEST))
    custom = [thing for objects in rendered.values() for thing in objects if crds.is_custom(thing)]
    if (TOOLS / "node_modules").is_dir():
        report.tell("custom resources have the types of their definitions", len(custom), crds.problems(custom, TOOLS))
    else:
        print(f"skipped types of custom resources: no npm here ({len(custom)})")

    binaries = Binaries(options.services)
    consumers = consumers_of(json.loads((K8S.parent / "proto-schemas/asyncapi.json").read_text()))
    metrics = metrics_of((K8S.parent / "deploy/metrics.md").read_text())
    renderings, taken, problems = {}, 0, []
    for overlay, objects in rendered.items():
        settings, refusals = binaries.settings(objects)
        taken += len(settings)
        problems += ((overlay, refusal) for refusal in refusals)
        renderings[overlay] = policies.Rendering(objects, settings, consumers, metrics)
    report.tell("the services know and accept their settings", taken, problems)
    for policy in policies.POLICIES:
        problems = [(overlay, problem) for overlay, r in renderings.items() for problem in policy(r)]
        report.tell(f"{policy.__name__.replace('_', ' ')}: {policy.__doc__}", len(renderings), problems)
    report.tell("each policy notices what breaks it", *breaks.problems(renderings["tests/all-with-keda"]))
    report.tell(*secrets(rendered))
    report.tell(*broker_values(rendered["overlays/prod"]))
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(report.failed > 0)


def render():
    """The objects of each overlay, by its path, and what does not render."""
    rendered, problems = {}, []
    paths = [path.parent for path in K8S.glob("overlays/*/kustomization.yaml")]
    paths += [path.parent for path in K8S.glob("tests/*/kustomization.yaml")]
    for path in sorted(paths):
        build(path, str(path.relative_to(K8S)), rendered, problems)
    for component in sorted(path.parent for path in K8S.glob("components/*/kustomization.yaml")):
        with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
            # A kustomization knows relative paths only.
            k8s = os.path.relpath(K8S, folder)
            about = {
                "resources": [f"{k8s}/base"],
                "components": [f"{k8s}/components/{component.name}"],
                "namespace": "chatbot",
                "configMapGenerator": [{"name": "attachments", "behavior": "merge", "literals": [f"ATTACHMENTS_URL={PUBLIC}"]}],
            }
            (pathlib.Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(about))
            build(folder, f"components/{component.name}", rendered, problems)
    used = {line.split("/")[-1] for path in K8S.glob("tests/*/kustomization.yaml")
            for line in yaml.safe_load(path.read_text())["components"]}
    problems += (("tests", f"{path.name} is in no combination") for path in K8S.glob("components/*") if path.name not in used)
    return rendered, problems


def build(path, called, rendered, problems):
    done = subprocess.run([KUBECTL, "kustomize", path], capture_output=True, text=True, timeout=60)
    if done.returncode:
        problems.append((called, done.stderr[:500]))
    elif done.stderr:
        # Deprecated fields.
        problems.append((called, done.stderr))
    else:
        rendered[called] = list(yaml.safe_load_all(done.stdout))


def schemas(rendered, version):
    problems, looked_at = [], 0
    for overlay, objects in rendered.items():
        for thing in objects:
            if crds.is_custom(thing):
                continue
            looked_at += 1
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                problems.append((overlay, f"{policies.name(thing)}: {error}"[:300]))
    return f"objects have the schema of Kubernetes {version}", looked_at, problems


def consumers_of(document):
    """By name: how many streams it reads, and the smallest max_ack_pending."""
    found = {}
    for operation in document["operations"].values():
        about = operation.get("x-jetstream", {})
        if "consumer" in about:
            found.setdefault(about["consumer"], {})[about["stream"]] = about["max_ack_pending"]
    return {name: (len(streams), min(streams.values())) for name, streams in found.items()}


def metrics_of(table):
    """By name: which services show it."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| [^|]*\| ([^|]*) \|", table, re.MULTILINE)
    return {name: services.split(", ") for name, services in rows}


class Binaries:
    """The real services, asked what they make of an environment. Each environment is asked about once."""

    def __init__(self, folder):
        self.folder, self.known = folder, {}

    def settings(self, objects):
        rendering = policies.Rendering(objects)
        settings, refusals = {}, []
        for work in rendering.services() + rendering.of("Job"):
            container = policies.containers(work)[0]
            given = {entry["name"]: entry["value"] for entry in container.get("env", [])}
            for source in container.get("envFrom", []):
                given |= rendering.find("ConfigMap", source["configMapRef"]["name"])["data"]
            name = work["metadata"]["name"]
            shown, problem = self.ask(name, given, container.get("args", []))
            settings[name] = shown
            if problem:
                refusals.append(f"{name}: {problem}")
            refusals += (f"{name} does not know {key}" for key in given if key not in shown)
        return settings, refusals

    def ask(self, name, given, arguments):
        key = (name, *sorted(given.items()))
        if key not in self.known:
            self.known[key] = self.command_line(given, arguments) if name == "bootstrap" else self.service(name, given)
        return self.known[key]

    def service(self, name, given):
        done = self.run(name, given, "--print-config")
        shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        return shown, done.stderr if done.returncode else ""

    def command_line(self, given, arguments):
        """What it knows is named in its help, or handed to it as an argument: `$(NAME)`, as Kubernetes expands it."""
        used = re.findall(r"\$\((\w+)\)", " ".join(arguments))
        expanded = [re.sub(r"\$\((\w+)\)", lambda found: given.get(found[1], ""), argument) for argument in arguments]
        done = self.run("chatbot", given, *expanded, "--help")
        return dict.fromkeys([*used, *re.findall(r"\[env: (\w+)", done.stdout)]), done.stderr

    def run(self, program, given, *arguments):
        return subprocess.run([self.folder / program, *arguments], env=given, capture_output=True, text=True, timeout=20)


def secrets(rendered):
    """Every Secret that a pod mounts, or ExternalSecret, is in the table of README.md, and the other way round."""
    used = set()
    for objects in rendered.values():
        rendering = policies.Rendering(objects)
        for work in rendering.workloads():
            used |= {v["secret"]["secretName"] for v in policies.pod(work)["spec"].get("volumes", []) if "secret" in v}
        # An overlay may make its own.
        used -= {thing["metadata"]["name"] for thing in rendering.of("Secret")}
        used |= {thing["metadata"]["name"] for thing in rendering.of("ExternalSecret")}
    table = (K8S / "README.md").read_text().partition("## Secrets")[2].partition("\n## ")[0]
    listed = {word for line in table.splitlines() if line.startswith("| `") for word in re.findall(r"`([\w-]+)`", line.split("|")[1])}
    problems = [(secret, "used and not in README.md") for secret in sorted(used - listed)]
    problems += ((secret, "in README.md and never used") for secret in sorted(listed - used))
    return "README.md lists the Secrets", len(used), problems


def broker_values(objects):
    """nats/values-prod.yaml agrees with the overlay prod."""
    values = yaml.safe_load((K8S / "nats/values-prod.yaml").read_text())
    rendering = policies.Rendering(objects)
    config = values["config"]
    settings = next(m["data"] for m in rendering.of("ConfigMap") if "NATS_REPLICAS" in m["data"])
    certificate = rendering.find("Certificate", "nats-tls")["spec"]["secretName"]
    store = config["jetstream"]["fileStore"]
    wanted = {
        "as many nodes as copies": config["cluster"]["replicas"] == int(settings["NATS_REPLICAS"]),
        "the certificate of clients": config["nats"]["tls"]["secretName"] == certificate,
        "the certificate of peers": config["cluster"]["tls"]["secretName"] == certificate,
        "the authority": values["tlsCA"]["secretName"] == certificate,
        "memory for the bucket `limits`": config["jetstream"]["memoryStore"]["enabled"],
        "a file store below its volume": int(store["maxSize"].removesuffix("Gi")) < int(store["pvc"]["size"].removesuffix("Gi")),
        "restricted containers": all(values[part]["merge"]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                                     for part in ("container", "reloader", "promExporter")),
    }
    return "nats/values-prod.yaml agrees with the overlay prod", len(wanted), [("values-prod.yaml", want) for want, met in wanted.items() if not met]


if __name__ == "__main__":
    main()
