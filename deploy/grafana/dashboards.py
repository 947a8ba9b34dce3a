#!/usr/bin/env python3
"""Writes the dashboards that lie beside it: `dashboards.py` writes them, `dashboards.py --check` says which differ.

A dashboard is a list of rows, a row a list of panels, a panel what it shows: title, what it tells, unit, and queries with
their legends; what they are made of stands in panels.py. Needs Python 3.9 and nothing else.
"""

import json
import pathlib
import sys

from panels import dashboard, latest, of, panel, quantiles, rate, share, stat, variable

FOLDER = pathlib.Path(__file__).resolve().parent


def main():
    differ = []
    for name, wanted in dashboards().items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(wanted, indent=1, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_text() != text:
            differ.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(text)
    print(f"differ: {' '.join(differ)}" if differ else "nothing differs")
    return 1 if differ and "--check" in sys.argv else 0


def dashboards():
    return {
        "overview": overview(),
        "stages": stages(),
        "webhooks": webhooks(),
        "channels": channels(),
        "nats": nats(),
    }


# Panels that several dashboards show.

LAG, LAG_LEGEND = "namespace, stream, consumer", "{{stream}} {{consumer}}"


def waiting(*labels):
    return panel("Waiting", "Messages that no replica has taken up yet.", "short",
                 [(latest("chatbot_consumer_pending_messages", *labels, by=LAG), LAG_LEGEND)])


def handed_out(*labels):
    return panel("In work or parked", "Handed out and not settled; beyond what is in work they wait for their next try.",
                 "short", [(latest("chatbot_consumer_ack_pending_messages", *labels, by=LAG), LAG_LEGEND)])


def redelivered(*labels):
    return panel("Handed out more than once", "And not settled.", "short",
                 [(latest("chatbot_consumer_redelivered_messages", *labels, by=LAG), LAG_LEGEND)])


def oldest():
    return panel("Age of the oldest", "How long the oldest message has not been settled; nothing where nothing waits.", "s",
                 [(of("namespace_stream_consumer:chatbot_consumer_oldest_age_seconds:max"), LAG_LEGEND)])


def unexplained(*labels):
    return panel("Unexplained messages", "In a slot, unknown to the consumer and not settled. Should be 0.", "short",
                 [(latest("chatbot_unexplained_messages", *labels, by="service"), "{{service}}")])


def loops(*labels):
    return panel("Since a loop went round", "The loops that take work, once a second. Above 30 s /healthz fails.", "s",
                 [(f"time() - {of('chatbot_pull_loop_heartbeat_timestamp_seconds', *labels)}",
                   "{{service}} {{stream}} {{instance}}")])


def given_up(title, *labels):
    return panel(title, "Messages that were given up, by class.", "mps",
                 [(rate("chatbot_dead_letters_published_total", *labels, by="service, class"), "{{service}} {{class}}")])


def kept(width=8):
    return panel("Dead letters kept", "All that are kept, for at most 30 days and up to 1 GiB.", "short",
                 [(latest("chatbot_dead_letters", by="namespace"), "kept")], width=width)


def connected():
    return panel("Connected to the broker", "Replicas with a connection.", "short",
                 [(f"sum by (service) ({of('chatbot_nats_connected')})", "{{service}}")])


def rates(service):
    return panel("Requests for rates", "What the rates of the whole cluster cost at the broker.", "ops",
                 [(rate("chatbot_rate_limit_operations_total", f'service="{service}"', by="operation"), "{{operation}}")])


def objective(title, name, description, red_from):
    return [
        stat(f"{title}, {window}", f"{description} Over {window}.", "percentunit",
             f"max({of(f'namespace:chatbot_{name}:ratio_rate{window}')})", red_from)
        for window in ("1h", "3d")
    ]


def overview():
    rows = {
        "Objectives": [
            *objective("Pushes refused", "pushes_failed", "Share of pushes that got 503; at most 0.1 %.", 0.001),
            *objective("Answers missed", "answers_missed",
                       "Share of messages that no webhook answered within 30 s; at most 1 %.", 0.01),
            *objective("Replies missed", "deliveries_missed",
                       "Share of replies that had not left within 60 s; at most 1 %.", 0.01),
        ],
        "Flow": [
            panel("Messages", "What comes in, what is answered, and what leaves. Lines that part mean a backlog.", "mps", [
                (rate("chatbot_requests_total", 'result="accepted"', by="namespace"), "accepted"),
                (rate("chatbot_gateway_messages_total", 'result="accepted"', by="namespace"), "accepted from Gateways"),
                (rate("chatbot_messages_processed_total", 'service="webhook-caller"', 'outcome="done"', by="namespace"),
                 "answered"),
                (rate("chatbot_messages_processed_total", 'service="egress"', 'outcome="done"', by="namespace"), "delivered"),
            ]),
            panel("From push to delivery", "How old messages are when their reply has left.", "s",
                  quantiles("chatbot_pipeline_age_seconds", 'service="egress"')),
            panel("Age by stage, p95", "How old messages are when each service is done with them.", "s",
                  quantiles("chatbot_pipeline_age_seconds", by="service", of_all=(0.95,))),
        ],
        "Queues": [
            waiting(),
            handed_out(),
            oldest(),
            panel("What replicas are needed for", "Waiting and in work, without what is parked: what KEDA scales by.", "short",
                  [(of("namespace_service:chatbot_work_messages:sum"), "{{service}}")]),
            panel("Tried again", "Messages that a stage put off.", "mps",
                  [(rate("chatbot_messages_processed_total", 'outcome="retry"', by="service"), "{{service}}")]),
            panel("Pushes by result", "How pushes end. 503 is unavailable, 429 is rate_limited.", "reqps",
                  [(rate("chatbot_requests_total", by="result"), "{{result}}")]),
        ],
        "What was given up": [
            given_up("New dead letters"),
            kept(),
            panel("Open breakers", "Integrations whose webhook is left in peace.", "short",
                  [(latest("chatbot_circuit_state", 'state!="closed"', by="integration, state"), "{{integration}} {{state}}")]),
        ],
        "Processes": [
            panel("Replicas", "Processes of each service and version.", "short",
                  [(f"count by (service, version) ({of('chatbot_build_info')})", "{{service}} {{version}}")]),
            connected(),
            panel("Since the last success", "How long ago a service was done with a message last.", "s",
                  [(f"time() - max by (service) ({of('chatbot_last_success_timestamp_seconds')} > 0)", "{{service}}")]),
        ],
    }
    return dashboard("chatbot-overview", "Chatbot / Overview", "Is the platform well, and if not, where to look.", rows)


def stages():
    service = 'service=~"$service"'
    rows = {
        "Work": [
            panel("Settled, by outcome", "How handling a message ended.", "mps",
                  [(rate("chatbot_messages_processed_total", service, by="service, outcome"), "{{service}} {{outcome}}")]),
            panel("Duration of a step", "How long the stage handled a message, waits for limits included.", "s",
                  quantiles("chatbot_stage_duration_seconds", service, by="service", of_all=(0.5, 0.99))),
            panel("Age when done", "From ingress accepting a message to the stage being done with it.", "s",
                  quantiles("chatbot_pipeline_age_seconds", service, by="service", of_all=(0.5, 0.99))),
            panel("In work", "Messages that replicas are handling.", "short",
                  [(f"sum by (service) ({of('chatbot_in_flight_messages', service)})", "{{service}}")]),
            panel("Since the last success", "How long ago each replica was done with a message last.", "s",
                  [(f"time() - ({of('chatbot_last_success_timestamp_seconds', service)} > 0)", "{{service}} {{instance}}")]),
            given_up("Dead letters", service),
        ],
        "Its queue": [
            waiting(service),
            handed_out(service),
            redelivered(service),
            loops(service),
            panel("Leftovers removed", "Settled messages that the broker had kept in their slots.", "mps",
                  [(rate("chatbot_leftovers_removed_total", service, by="service"), "{{service}}")]),
            unexplained(service),
        ],
        "context-builder": [
            panel("Decisions", "What was due when a conversation was looked at.", "ops",
                  [(rate("chatbot_decisions_total", by="decision"), "{{decision}}")]),
            panel("Slots", "Turns that were offered, by the slot's answer.", "ops",
                  [(rate("chatbot_turn_slots_total", by="answer"), "{{answer}}")]),
            panel("Stale reads", "Reads that lagged behind their event, and were made again.", "ops",
                  [(rate("chatbot_stale_reads_total", by="namespace"), "stale")]),
        ],
        "attachment-fetcher": [
            panel("Files fetched", "Tries to bring a file in, of users (in) and of replies (out).", "ops",
                  [(rate("chatbot_files_fetched_total", by="direction, result"), "{{direction}} {{result}}")]),
            panel("Bytes fetched", "Brought into the object store.", "Bps",
                  [(rate("chatbot_attachment_bytes_total", by="direction"), "{{direction}}")]),
            panel("Files served", "Requests for links, by how they ended.", "reqps",
                  [(rate("chatbot_files_served_total", by="result"), "{{result}}")]),
        ],
        "console": [
            panel("Requests", "Of the admin API, if it runs.", "reqps",
                  [(rate("chatbot_console_requests_total", by="result"), "{{result}}")], width=12),
            panel("Time to an answer", "Tests take as long as their webhook.", "s",
                  quantiles("chatbot_console_request_duration_seconds"), width=12),
        ],
    }
    return dashboard("chatbot-stages", "Chatbot / Stages", "One service at a time: its work, its queue.", rows,
                     variable("service", "Service", "chatbot_build_info"))


def webhooks():
    integration = 'integration=~"$integration"'
    calls = "chatbot_webhook_requests_total"
    rows = {
        "By integration": [
            panel("Calls", "Calls, and refusals to make one, by integration.", "reqps",
                  [(rate(calls, integration, by="integration"), "{{integration}}")]),
            panel("Share of failures", "What was not answered well, of all calls and refusals.", "percentunit",
                  [("1 - " + share(calls, 'result="ok"', integration, by="integration"), "{{integration}}")], max=1),
            panel("Results", "Why calls fail, and which are not made.", "reqps",
                  [(rate(calls, integration, by="result"), "{{result}}")]),
            panel("In flight", "Calls that wait for their answer.", "short",
                  [(f"sum by (integration) ({of('chatbot_webhook_calls_in_flight', integration)})", "{{integration}}")]),
            panel("Will be tried again", "Failed calls that have tries left.", "ops",
                  [(rate("chatbot_webhook_retries_total", integration, by="integration"), "{{integration}}")]),
            panel("Breakers", "1 for the state that each breaker is in.", "short",
                  [(latest("chatbot_circuit_state", integration, by="integration, state") + " > 0",
                    "{{integration}} {{state}}")], max=1),
        ],
        "Of all": [
            panel("Duration, well", "How long calls took that were answered well.", "s",
                  quantiles("chatbot_webhook_duration_seconds", 'outcome="ok"')),
            panel("Duration, failed", "How long calls took that failed.", "s",
                  quantiles("chatbot_webhook_duration_seconds", 'outcome="error"')),
            panel("Waits for limits", "How long calls waited for their integration's rate or concurrency.", "s",
                  quantiles("chatbot_rate_limiter_wait_seconds")),
            panel("Late answers", "Dropped: their turn was finished, or its context had moved on.", "ops",
                  [(rate("chatbot_late_answers_total", by="namespace"), "dropped")]),
            given_up("Turns given up", 'service="webhook-caller"'),
            rates("webhook-caller"),
        ],
    }
    return dashboard("chatbot-webhooks", "Chatbot / Webhooks", "How integrations do, each by itself.", rows,
                     variable("integration", "Integration", "chatbot_webhook_calls_in_flight"))


def channels():
    channel = 'channel=~"$channel"'
    rows = {
        "In": [
            panel("Pushes", "By channel and how they ended.", "reqps",
                  [(rate("chatbot_requests_total", channel, by="channel, result"), "{{channel}} {{result}}")]),
            panel("Time to an answer", "From a push's headers to its answer. Slack and Discord wait for 3 s.", "s",
                  quantiles("chatbot_accept_duration_seconds", channel, by="channel", of_all=(0.5, 0.99))),
            panel("Refused for good reason", "Not signed, unknown, broken or too large.", "reqps",
                  [(rate("chatbot_requests_total", channel,
                         'result=~"unauthorized|unknown_connection|bad_body|too_large|not_understood"',
                         by="channel, result"), "{{channel}} {{result}}")]),
        ],
        "Discord's Gateway": [
            panel("Messages", "That the Gateway told of, by what became of them.", "mps",
                  [(rate("chatbot_gateway_messages_total", by="result"), "{{result}}")]),
            panel("Sessions", "Begun anew or gone on with.", "ops",
                  [(rate("chatbot_gateway_sessions_total", by="began"), "{{began}}")]),
            panel("Ends", "Of connections, by cause. What is refused needs an operator.", "ops",
                  [(rate("chatbot_gateway_session_ends_total", by="cause"), "{{cause}}")]),
            panel("Readers", "Replicas that read each connection's Gateway: 1.", "short",
                  [(f"sum by (connection) ({of('chatbot_gateway_lease_held')})", "{{connection}}")]),
        ],
        "Out": [
            panel("Parts sent", "By channel and result.", "ops",
                  [(rate("chatbot_egress_sends_total", channel, by="channel, result"), "{{channel}} {{result}}")]),
            panel("Duration of a send", "Of all channels.", "s", quantiles("chatbot_egress_duration_seconds")),
            panel("Too much for the platform", "Share of sends that were refused for their rate.", "percentunit",
                  [(share("chatbot_egress_sends_total", 'result="rate_limited"', channel, by="channel"), "{{channel}}")],
                  max=1),
            panel("Shown to be typing", "How often chats were shown that the bot works.", "ops",
                  [(rate("chatbot_egress_typing_total", channel, by="channel, result"), "{{channel}} {{result}}")]),
            given_up("Replies given up", 'service="egress"'),
            rates("egress"),
        ],
    }
    return dashboard("chatbot-channels", "Chatbot / Channels", "What platforms push, and what is sent to them.", rows,
                     variable("channel", "Channel", "chatbot_egress_sends_total"))


def nats():
    rows = {
        "Connections": [
            connected(),
            panel("Losses", "Of connections.", "ops",
                  [(rate("chatbot_nats_reconnects_total", by="service"), "{{service}}")]),
            panel("Refused subjects", "What users may not publish or subscribe. Should be 0.", "ops",
                  [(rate("chatbot_nats_permission_errors_total", by="service"), "{{service}}")]),
        ],
        "Consumers": [
            waiting(),
            handed_out(),
            redelivered(),
            oldest(),
            loops(),
            unexplained(),
        ],
        "Dead letters": [
            kept(width=12),
            panel("Age of the oldest", "They are kept for 30 days and up to 1 GiB, the oldest go first.", "s",
                  [(f"time() - ({latest('chatbot_dead_letters_oldest_timestamp_seconds', by='namespace')} > 0)", "oldest")],
                  width=12),
        ],
    }
    return dashboard("chatbot-nats", "Chatbot / NATS", "The broker as the services see it.", rows)


if __name__ == "__main__":
    sys.exit(main())
