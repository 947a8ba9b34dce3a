#!/usr/bin/env python3
"""Asks a real Prometheus that scrapes the real services under load every query of the dashboards, rules and runbooks.

`make ops-live` runs it. It takes some two minutes: rates need samples, and the services ask the broker every 15 s. Needs
`.tools/prometheus`, `.tools/promtool`, `.tools/nats-server`, the built binaries, and Python 3.9.
"""

import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import live_platform
from live_platform import ROOT, SERVICES, Platform, connects, free_port, wait_for
from ops_check import DASHBOARDS, KUBERNETES, RULES, RUNBOOKS, rules

PROMETHEUS = ROOT / ".tools" / "prometheus"
PROMTOOL = ROOT / ".tools" / "promtool"
# How long the load lasts before it is looked at: two rounds of the slowest group of rules, which comes every 30 s.
WARM_UP = 75
RATE_INTERVAL = "30s"
# Turns that are put off at a webhook that rests, and calls that are under way at a slow one.
PARKED, SLOW = 40, 30
# What KEDA scales webhook-caller by.
SCALER = (
    'max(chatbot_consumer_pending_messages{consumer="webhook-caller"})'
    ' + sum(chatbot_in_flight_messages{service="webhook-caller"})'
)
# What is broken on purpose: webhooks that refuse, fail, or are gone.
ALERTS = {"AnswerBudgetBurn", "DeadLettersGrowing", "WebhookGone"}
# Panels that show nothing here, and why.
EMPTY = {
    ("channels.json", "Readers"): "no connection of Discord with a Gateway",
}


class Failures(list):
    """What went wrong, said when it is found."""

    def __init__(self):
        super().__init__()
        self.passed = 0

    def expect(self, holds, what):
        if holds:
            self.passed += 1
        else:
            self.append(what)
            print(f"FAILED {what}", flush=True)


class Prometheus:
    """A server that scrapes the services every two seconds and evaluates the rules."""

    def __init__(self, folder, targets):
        jobs = [{"job_name": "chatbot", "static_configs": [{"targets": targets}]}]
        config = {"global": {"scrape_interval": "2s", "evaluation_interval": "5s"},
                  "rule_files": [str(path) for path in RULES], "scrape_configs": jobs}
        # JSON is YAML.
        (folder / "prometheus.json").write_text(json.dumps(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1"
        with open(folder / "prometheus.log", "wb") as log:
            self.process = subprocess.Popen(
                [str(PROMETHEUS), f"--config.file={folder / 'prometheus.json'}", f"--storage.tsdb.path={folder / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        wait_for("prometheus", lambda: connects(port))

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"{self.url}/{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def ask(self, query):
        """The values that it returns now, without those that are no number."""
        try:
            result = self.get("query", query=query)["result"]
        except urllib.error.HTTPError as refused:
            return refused.read().decode()
        return [value for value in (float(one["value"][1]) for one in result) if not math.isnan(value)]

    def first(self, query):
        values = self.ask(query)
        return values[0] if values else None


class Load(threading.Thread):
    """Users who write to all bots, twenty times a second, until `stop`."""

    def __init__(self, platform):
        super().__init__(daemon=True)
        self.platform, self.ends, self.statuses = platform, threading.Event(), {}

    def run(self):
        bots = ["ok"] * 15 + ["file", "file", "refuses", "gone", "fails"]
        number = 0
        while not self.ends.wait(0.04):
            bot = bots[number % len(bots)]
            got = self.platform.push(bot, f"c{number % 97}", number, with_file=number % 10 == 0,
                                     key=b"wrong" if number % 50 == 7 else live_platform.KEY)
            self.statuses[got] = self.statuses.get(got, 0) + 1
            if number % 100 == 0:
                self.platform.test_integration("ok")
            number += 1

    def stop(self):
        self.ends.set()
        self.join()


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ops-live-"))
    failures, platform, prometheus = Failures(), Platform(folder), None
    try:
        platform.start()
        targets = [platform.url(name, "admin", "").removeprefix("http://") for name in SERVICES]
        prometheus = Prometheus(folder, targets)
        look(platform, prometheus, failures)
    finally:
        if prometheus:
            prometheus.process.terminate()
            prometheus.process.wait(15)
        platform.stop()
    if failures:
        print(f"what the processes said lies in {folder}")
    else:
        shutil.rmtree(folder)
    print(f"{failures.passed} passed, {len(failures)} failed")
    return 1 if failures else 0


def look(platform, prometheus, failures):
    load = Load(platform)
    load.start()
    for number in range(PARKED):
        platform.push("rests", f"r{number}", number)
    print(f"{len(SERVICES)} services, under load for {WARM_UP} s", flush=True)
    time.sleep(WARM_UP)
    exposition_is_in_form(platform, failures)
    panels_show_data(prometheus, failures)
    rules_are_well(prometheus, failures)
    queries_of_runbooks_are_answered(prometheus, failures)
    queries_of_scalers_show_data(prometheus, failures)
    load.stop()
    print(f"pushes by status: {load.statuses}")
    failures.expect(not platform.died(), f"ended under way: {platform.died()}")
    scaler_counts_no_parked_turns(platform, prometheus, failures)


def exposition_is_in_form(platform, failures):
    for name in SERVICES:
        text = urllib.request.urlopen(platform.url(name, "admin", "/metrics"), timeout=10).read()
        done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True)
        said = (done.stdout + done.stderr).decode().strip()
        failures.expect(done.returncode == 0 and not said, f"metrics of {name}: {said}")


def panels_show_data(prometheus, failures):
    for path in DASHBOARDS:
        panels = [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]
        shown, zero = 0, []
        for panel in panels:
            answers = [prometheus.ask(as_grafana_asks(target["expr"])) for target in panel["targets"]]
            values = [value for answer in answers if isinstance(answer, list) for value in answer]
            wrong = [answer for answer in answers if isinstance(answer, str)]
            reason = EMPTY.get((path.name, panel["title"]))
            failures.expect(not wrong and (values or reason), f"{path.name}: {panel['title']}: {wrong or 'no data'}")
            shown += bool(values)
            if values and not any(values):
                zero.append(panel["title"])
            if not values and reason:
                print(f"       {path.name}: {panel['title']} is empty: {reason}")
        print(f"{path.name}: {shown} of {len(panels)} panels show data, {len(zero)} of them zero: {', '.join(zero)}", flush=True)


def as_grafana_asks(expr):
    """With all values of every variable."""
    expr = expr.replace("$__rate_interval", RATE_INTERVAL)
    return re.sub(r"\$(namespace|service|integration|channel)\b", ".*", expr)


def rules_are_well(prometheus, failures):
    firing, recorded = set(), 0
    for group in prometheus.get("rules")["groups"]:
        for rule in group["rules"]:
            failures.expect(rule["health"] == "ok", f"rule {rule['name']}: {rule['health']} {rule.get('lastError', '')}")
            firing |= {rule["name"]} if rule.get("state") == "firing" else set()
    for rule in rules():
        if not rule.is_alert:
            recorded += 1
            failures.expect(prometheus.ask(rule.name), f"recording {rule.name}: no data")
    failures.expect(firing == ALERTS, f"alerts that fire: {sorted(firing)}, and not {sorted(ALERTS)}")
    print(f"{recorded} recordings return data, and these alerts fire: {', '.join(sorted(firing))}", flush=True)


def queries_of_runbooks_are_answered(prometheus, failures):
    count = 0
    for path in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL):
            for query in block.strip().splitlines():
                count += 1
                answer = prometheus.ask(query)
                failures.expect(isinstance(answer, list), f"{path.name}: {query}: {answer}")
    print(f"{count} queries of runbooks are answered", flush=True)


def queries_of_scalers_show_data(prometheus, failures):
    count = 0
    for path in KUBERNETES:
        for query in re.findall(r" query: >-\n((?: {8}.*\n?)+)", path.read_text()):
            count += 1
            # There are no namespaces here.
            query = re.sub(r'namespace="\w+",?', "", query)
            failures.expect(len(prometheus.ask(query)) == 1, f"{path.name}: {query}: {prometheus.ask(query)}")
    print(f"{count} queries of scalers return one number", flush=True)


def scaler_counts_no_parked_turns(platform, prometheus, failures):
    held = 'max(chatbot_consumer_ack_pending_messages{consumer="webhook-caller"})'

    def wait(what, query, wanted):
        try:
            wait_for(what, lambda: prometheus.first(query) == wanted)
        except TimeoutError:
            failures.expect(False, f"{what}: {query} is {prometheus.first(query)}, not {wanted}")
            return
        failures.expect(True, what)
        print(f"{what}: {query} is {wanted}", flush=True)

    wait(f"{PARKED} turns are parked and in the consumer's hands", held, PARKED)
    wait("and none of them counts for the scaler", SCALER, 0)
    for number in range(SLOW):
        threading.Thread(target=platform.push, args=("slow", f"s{number}", number), daemon=True).start()
    wait(f"{SLOW} calls under way count", SCALER, SLOW)
    wait("until they are answered", SCALER, 0)


if __name__ == "__main__":
    sys.exit(main())
