"""What every rendering of the manifests has to keep. Each policy takes a Rendering and yields what breaks it."""

import ipaddress
import re

# The longest timeout that an integration may have, by `services/shared/registry`: 10 min.
LONGEST_WEBHOOK_SECONDS = 600
# What a service has left to end in, after its DRAIN_DEADLINE.
MARGIN_SECONDS = 10
# Where a webhook or a file may not lie, whatever its name says.
FORBIDDEN = ("10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "::1", "fd00::1",
             "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1")

POLICIES = []


def policy(function):
    POLICIES.append(function)
    return function


class Rendering:
    """The objects of one overlay."""

    def __init__(self, objects, settings=None, consumers=None, metrics=None):
        self.objects = objects
        # What each service makes of its settings.
        self.settings = settings
        # By name: how many streams it reads, and the smallest max_ack_pending.
        self.consumers = consumers
        # By name: which services show it.
        self.metrics = metrics

    def of(self, *kinds):
        return [thing for thing in self.objects if thing["kind"] in kinds]

    def workloads(self):
        return self.of("Deployment", "StatefulSet", "Job")

    def services(self):
        """The Deployments that are ours."""
        return [thing for thing in self.of("Deployment") if labels(thing).get("app.kubernetes.io/part-of") == "chatbot"]

    def scalers(self):
        return self.of("ScaledObject", "HorizontalPodAutoscaler")

    def find(self, kind, name):
        return next((thing for thing in self.of(kind) if thing["metadata"]["name"] == name), None)

    def selected_by(self, selector):
        return [work for work in self.workloads() if matches(selector, pod(work)["metadata"].get("labels", {}))]


def labels(thing):
    return thing["metadata"].get("labels", {})


def pod(work):
    return work["spec"]["template"]


def containers(work):
    return pod(work)["spec"]["containers"] + pod(work)["spec"].get("initContainers", [])


def name(thing):
    return f"{thing['kind']} {thing['metadata']['name']}"


def matches(selector, having):
    for key, value in selector.get("matchLabels", {}).items():
        if having.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        if rule["operator"] != "In":
            raise ValueError(f"the check does not know the operator {rule['operator']}")
        if having.get(rule["key"]) not in rule["values"]:
            return False
    return True


def seconds(duration):
    """Of `1m 50s`, as --print-config writes it."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", duration))


@policy
def pods_are_restricted(rendering):
    """The Pod Security Standard `restricted`, and a read-only root, no token, no variables of other Services."""
    for work in rendering.workloads():
        spec = pod(work)["spec"]
        context = spec.get("securityContext", {})
        wanted = {
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser other than 0": bool(context.get("runAsUser")),
            "seccompProfile": context.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "automountServiceAccountToken: false": spec.get("automountServiceAccountToken") is False,
            "enableServiceLinks: false": spec.get("enableServiceLinks") is False,
            "nothing of the host": not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
            "volumes without a hostPath": not any("hostPath" in volume for volume in spec.get("volumes", [])),
            "fsGroup, for Secrets that only a group may read": bool(context.get("fsGroup")),
        }
        for container in containers(work):
            own = container.get("securityContext", {})
            wanted["no privilege escalation"] = own.get("allowPrivilegeEscalation") is False
            wanted["a read-only root"] = own.get("readOnlyRootFilesystem") is True
            wanted["no capabilities"] = own.get("capabilities", {}) == {"drop": ["ALL"]}
            wanted["no host port"] = not any("hostPort" in port for port in container.get("ports", []))
            wanted["nothing privileged"] = not own.get("privileged") and "runAsUser" not in own
        yield from (f"{name(work)}: {want} is missing" for want, met in wanted.items() if not met)


@policy
def the_end_of_a_pod_outlasts_its_drain(rendering):
    """terminationGracePeriodSeconds >= preStop + DRAIN_DEADLINE + a margin; a webhook's timeout fits in the drain."""
    for work in rendering.services():
        drain = seconds(rendering.settings[work["metadata"]["name"]]["DRAIN_DEADLINE"])
        pause = max(c.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0) for c in containers(work))
        grace = pod(work)["spec"].get("terminationGracePeriodSeconds", 30)
        if grace < pause + drain + MARGIN_SECONDS:
            yield f"{name(work)}: {grace} s of grace for {pause} s of preStop and {drain} s of draining"
        if work["metadata"]["name"] == "webhook-caller" and drain <= LONGEST_WEBHOOK_SECONDS:
            yield f"{name(work)}: a webhook may take {LONGEST_WEBHOOK_SECONDS} s, draining {drain} s"


@policy
def every_service_has_one_disruption_budget(rendering):
    """One PodDisruptionBudget selects each Deployment, and nothing else."""
    for budget in rendering.of("PodDisruptionBudget"):
        if len(rendering.selected_by(budget["spec"]["selector"])) != 1:
            yield f"{name(budget)} does not select one workload"
    for work in rendering.services():
        own = [b for b in rendering.of("PodDisruptionBudget") if work in rendering.selected_by(b["spec"]["selector"])]
        if len(own) != 1:
            yield f"{name(work)} has {len(own)} disruption budgets"


@policy
def what_is_scaled_says_no_replicas(rendering):
    """Each scaler scales a Deployment that is there, alone, and whose manifest would not set its replicas back."""
    seen = set()
    for scaler in rendering.scalers():
        target = scaler["spec"]["scaleTargetRef"]["name"]
        work = rendering.find("Deployment", target)
        if work is None:
            yield f"{name(scaler)} scales {target}, which is not there"
        elif "replicas" in work["spec"]:
            yield f"{name(work)} says replicas although {name(scaler)} scales it"
        if target in seen:
            yield f"{target} is scaled twice"
        seen.add(target)
    if seen and seen != {work["metadata"]["name"] for work in rendering.services()} - {"console"}:
        yield f"only {sorted(seen)} are scaled"


@policy
def scaling_follows_what_can_be_done(rendering):
    """Each query names its consumer, service and namespace; a busy replica alone does not ask for another one."""
    for scaler in rendering.of("ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        for trigger in scaler["spec"]["triggers"]:
            if trigger["type"] != "prometheus":
                continue
            query = trigger["metadata"]["query"]
            named = dict(re.findall(r'(namespace|consumer|service)="([^"]*)"', query))
            wanted = {"namespace": scaler["metadata"].get("namespace"), "consumer": target, "service": target}
            if named != wanted or query.count("namespace=") != 2:
                yield f"{name(scaler)}: its query asks for {named}"
            for metric in re.findall(r"chatbot_\w+", query):
                if target not in rendering.metrics.get(metric, []):
                    yield f"{name(scaler)}: {target} does not show {metric}"
            if target not in rendering.consumers:
                yield f"{name(scaler)}: no consumer is called {target}"
                continue
            streams, most_pending = rendering.consumers[target]
            at_work = int(rendering.settings[target]["CONCURRENCY"]) * streams
            if int(trigger["metadata"]["threshold"]) <= at_work:
                yield f"{name(scaler)}: a replica may have {at_work} in work, which is no less than the threshold"
            if scaler["spec"]["maxReplicaCount"] * at_work > most_pending:
                yield f"{name(scaler)}: more replicas than max_ack_pending ({most_pending}) lets work"


@policy
def ports_are_named_and_exist(rendering):
    """Ports have names, and probes, Services and PodMonitors refer to them by these."""
    def ports(work):
        return {port.get("name") for container in containers(work) for port in container.get("ports", [])}

    for work in rendering.workloads():
        if None in ports(work):
            yield f"{name(work)}: a port has no name"
        for container in containers(work):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in container and container[probe]["httpGet"]["port"] not in ports(work):
                    yield f"{name(work)}: its {probe} asks a port that is not there"
    for service in rendering.of("Service"):
        chosen = rendering.selected_by({"matchLabels": service["spec"]["selector"]})
        if len(chosen) != 1:
            yield f"{name(service)} selects {len(chosen)} workloads"
        for port in service["spec"]["ports"]:
            if any(port["targetPort"] not in ports(work) for work in chosen):
                yield f"{name(service)}: {port['targetPort']} is no port of its pods"
    for monitor in rendering.of("PodMonitor"):
        for work in rendering.services():
            if not matches(monitor["spec"]["selector"], pod(work)["metadata"]["labels"]):
                yield f"{name(work)} is not watched by {name(monitor)}"
            if any(end["port"] not in ports(work) for end in monitor["spec"]["podMetricsEndpoints"]):
                yield f"{name(monitor)} asks a port that {name(work)} has not"


@policy
def probes_have_their_meaning(rendering):
    """Ready is /readyz; alive is /healthz, which does not ask for the broker."""
    for work in rendering.services():
        container = containers(work)[0]
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            if container.get(probe, {}).get("httpGet") != {"path": path, "port": "admin"}:
                yield f"{name(work)}: {probe} is not {path} at admin"


@policy
def every_pod_is_behind_network_policies(rendering):
    """Nothing is open by default; ours reach the broker; who calls the internet reaches no private address."""
    policies = rendering.of("NetworkPolicy")

    def about(work, direction):
        having = pod(work)["metadata"].get("labels", {})
        return [p for p in policies if direction in p["spec"]["policyTypes"] and matches(p["spec"]["podSelector"], having)]

    for work in rendering.workloads():
        for direction in ("Ingress", "Egress"):
            if not any(not p["spec"].get(direction.lower()) for p in about(work, direction)):
                yield f"{name(work)}: {direction} is not denied by default"
        reached = {port["port"] for p in about(work, "Egress") for rule in p["spec"].get("egress", []) for port in rule["ports"]}
        if labels(work).get("app.kubernetes.io/part-of") == "chatbot" and not {53, 4222} <= reached:
            yield f"{name(work)} reaches only the ports {sorted(reached)}"
    for rule in (rule for p in policies for rule in p["spec"].get("egress", [])):
        if not rule.get("to"):
            yield "a network policy lets out to anywhere"
        for block in (peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer):
            spared = [ipaddress.ip_network(network) for network in block.get("except", [])]
            for address in map(ipaddress.ip_address, FORBIDDEN):
                inside = address in ipaddress.ip_network(block["cidr"])
                if inside and not any(address in network for network in spared):
                    yield f"a network policy lets out to {address}"


@policy
def images_are_pinned(rendering):
    """By a tag other than latest, or by digest."""
    for work in rendering.workloads():
        for image in (container["image"] for container in containers(work)):
            tag = image.rsplit("/", 1)[-1].partition(":")[2]
            if "@sha256:" not in image and tag in ("", "latest"):
                yield f"{name(work)}: the image {image} is not pinned"


@policy
def resources_are_bounded(rendering):
    """CPU and memory are requested, memory is limited; CPU is not, as that only slows down what could go on."""
    for work in rendering.workloads():
        for container in containers(work):
            resources = container.get("resources", {})
            if set(resources.get("requests", {})) != {"cpu", "memory"} or set(resources.get("limits", {})) != {"memory"}:
                yield f"{name(work)}: resources are {resources}"


@policy
def what_is_referred_to_is_there(rendering):
    """ServiceAccounts, ConfigMaps, mounts and the Services behind routes."""
    for work in rendering.workloads():
        spec = pod(work)["spec"]
        account = spec.get("serviceAccountName")
        if account and rendering.find("ServiceAccount", account) is None:
            yield f"{name(work)}: there is no ServiceAccount {account}"
        maps = [source["configMapRef"]["name"] for c in containers(work) for source in c.get("envFrom", [])]
        maps += [volume["configMap"]["name"] for volume in spec.get("volumes", []) if "configMap" in volume]
        yield from (f"{name(work)}: there is no ConfigMap {m}" for m in maps if rendering.find("ConfigMap", m) is None)
        volumes = {volume["name"] for volume in spec.get("volumes", []) + claims(work)}
        mounted = {mount["name"] for container in containers(work) for mount in container.get("volumeMounts", [])}
        if mounted != volumes:
            yield f"{name(work)}: mounts {sorted(mounted)} of the volumes {sorted(volumes)}"
    for route, service, port in backends(rendering):
        found = rendering.find("Service", service)
        if found is None or all(port not in (own["port"], own["name"]) for own in found["spec"]["ports"]):
            yield f"{name(route)}: no Service {service} listens at {port}"


def claims(work):
    return [claim["metadata"] for claim in work["spec"].get("volumeClaimTemplates", [])]


def backends(rendering):
    for route in rendering.of("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            yield from ((route, backend["name"], backend["port"]) for backend in rule["backendRefs"])
    for route in rendering.of("Ingress"):
        for path in (path for rule in route["spec"]["rules"] for path in rule["http"]["paths"]):
            service = path["backend"]["service"]
            yield route, service["name"], service["port"]["name"]


@policy
def links_lead_to_the_public_address(rendering):
    """In an overlay with a public address, ATTACHMENTS_URL is an https address at the host of its route."""
    routes = rendering.of("HTTPRoute", "Ingress")
    hosts = {host for r in routes for host in r["spec"].get("hostnames", [rule.get("host") for rule in r["spec"].get("rules", [])])}
    address = rendering.settings["egress"]["ATTACHMENTS_URL"]
    if routes and address not in {f"https://{host}/files" for host in hosts}:
        yield f"ATTACHMENTS_URL is {address}, the routes are for {sorted(hosts)}"
