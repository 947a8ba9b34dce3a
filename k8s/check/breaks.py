"""Shows that the policies can fail: each is broken on purpose, in a copy of a rendering that keeps them all."""

import copy

import policies

BREAKS = {
    "pods_are_restricted": [
        lambda r: context(r)["capabilities"].clear(),
        lambda r: context(r).update(readOnlyRootFilesystem=False),
        lambda r: spec(r).update(automountServiceAccountToken=True),
        lambda r: spec(r)["securityContext"].update(runAsUser=0),
    ],
    "the_end_of_a_pod_outlasts_its_drain": [
        lambda r: spec(r).update(terminationGracePeriodSeconds=115),
        lambda r: r.settings["webhook-caller"].update(DRAIN_DEADLINE="10m"),
    ],
    "every_service_has_one_disruption_budget": [
        lambda r: r.objects.remove(r.find("PodDisruptionBudget", "egress")),
        lambda r: r.find("PodDisruptionBudget", "egress")["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/name"),
    ],
    "what_is_scaled_says_no_replicas": [
        lambda r: r.find("Deployment", "egress")["spec"].update(replicas=2),
        lambda r: r.objects.remove(r.find("ScaledObject", "egress")),
        lambda r: r.find("ScaledObject", "egress")["spec"]["scaleTargetRef"].update(name="egres"),
    ],
    "scaling_follows_what_can_be_done": [
        lambda r: trigger(r).update(query=trigger(r)["query"].replace('consumer="egress"', 'consumer="ingress"')),
        lambda r: trigger(r).update(query=trigger(r)["query"].replace('namespace="chatbot",', "", 1)),
        lambda r: trigger(r).update(query=trigger(r)["query"].replace("pending_messages", "pending")),
        lambda r: trigger(r).update(threshold="1024"),
        lambda r: r.find("ScaledObject", "egress")["spec"].update(maxReplicaCount=100),
    ],
    "ports_are_named_and_exist": [
        lambda r: container(r)["ports"][0].pop("name"),
        lambda r: r.find("Service", "ingress")["spec"]["ports"][0].update(targetPort="htp"),
        lambda r: r.find("PodMonitor", "chatbot")["spec"]["podMetricsEndpoints"][0].update(port="metrics"),
    ],
    "probes_have_their_meaning": [
        lambda r: container(r)["livenessProbe"]["httpGet"].update(path="/readyz"),
        lambda r: container(r).pop("readinessProbe"),
    ],
    "every_pod_is_behind_network_policies": [
        lambda r: r.objects.remove(r.find("NetworkPolicy", "default-deny")),
        lambda r: r.objects.remove(r.find("NetworkPolicy", "to-nats")),
        lambda r: outbound(r)[0]["ipBlock"]["except"].remove("169.254.0.0/16"),
        lambda r: outbound(r)[1]["ipBlock"]["except"].remove("fc00::/7"),
        lambda r: r.find("NetworkPolicy", "outbound")["spec"]["egress"][0].pop("to"),
    ],
    "images_are_pinned": [
        lambda r: container(r).update(image="localhost:5000/egress"),
        lambda r: container(r).update(image="egress:latest"),
    ],
    "resources_are_bounded": [
        lambda r: container(r)["resources"].pop("limits"),
        lambda r: container(r)["resources"]["requests"].pop("cpu"),
    ],
    "what_is_referred_to_is_there": [
        lambda r: spec(r).update(serviceAccountName="egres"),
        lambda r: container(r)["envFrom"][0]["configMapRef"].update(name="nats"),
        lambda r: spec(r)["volumes"].pop(),
        lambda r: r.objects.remove(r.find("Service", "attachment-fetcher")),
    ],
    "links_lead_to_the_public_address": [
        lambda r: r.settings["egress"].update(ATTACHMENTS_URL="http://bot.example.com/files"),
    ],
}


def problems(rendering):
    """How many breaks there are, and which of them no policy noticed."""
    found = []
    for policy in policies.POLICIES:
        if not BREAKS.get(policy.__name__):
            found.append((policy.__name__, "nothing shows that it can fail"))
        for number, break_it in enumerate(BREAKS.get(policy.__name__, [])):
            broken = copy.deepcopy(rendering)
            break_it(broken)
            if not list(policy(broken)):
                found.append((policy.__name__, f"did not notice break {number}"))
    return sum(map(len, BREAKS.values())), found


def spec(rendering):
    return policies.pod(rendering.find("Deployment", "egress"))["spec"]


def container(rendering):
    return spec(rendering)["containers"][0]


def context(rendering):
    return container(rendering)["securityContext"]


def trigger(rendering):
    return rendering.find("ScaledObject", "egress")["spec"]["triggers"][0]["metadata"]


def outbound(rendering):
    return rendering.find("NetworkPolicy", "outbound")["spec"]["egress"][0]["to"]
