#!/usr/bin/env python3
"""Checks rules, alerts, their tests, runbooks and dashboards against each other; `make ops-check` runs it.

Needs `.tools/promtool` (deploy/tools/prometheus.py) and Python 3.9. Rule files are read as text by their indentation, so that
no YAML library is needed; promtool reads them properly, and has to find as many rules.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROMTOOL = ROOT / ".tools" / "promtool"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
RUNBOOKS = DEPLOY / "runbooks"
KUBERNETES = sorted((ROOT / "k8s").rglob("*.yaml"))
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))

# Metrics that are not ours: Prometheus's own, and those of kube-state-metrics.
FOREIGN = {"up", "kube_horizontalpodautoscaler_status_current_replicas", "kube_horizontalpodautoscaler_spec_max_replicas"}
# Labels that every series of ours has or that scraping adds.
COMMON_LABELS = {"service", "namespace", "instance", "job", "pod"}
SECTIONS = ["## What it means", "## What users notice", "## First look", "## What to do", "## When to escalate"]
# A metric, and what stands in braces behind it.
SELECTOR = re.compile(r"([a-z_:]*chatbot_[a-z0-9_:]+)(?:\{([^{}]*)\})?")


def main():
    if not PROMTOOL.exists():
        sys.exit(f"{PROMTOOL} is missing: run deploy/tools/prometheus.py, or `make ops-check`.")
    failed = 0
    checks = [
        rules_are_valid, tests_pass, tests_notice_an_alert_that_never_fires, tests_notice_an_alert_that_always_fires,
        alerts_are_complete, runbooks_are_complete, generated_files_are_up_to_date, dashboards_are_in_form,
        queries_of_dashboards_are_valid, metrics_that_are_named_exist,
    ]
    for check in checks:
        looked_at, problems = check()
        failed += bool(problems)
        verdict = "FAILED" if problems else "ok"
        print(f"{verdict:6} {check.__name__.replace('_', ' ')} ({looked_at})", flush=True)
        for problem in problems:
            print(f"       {problem}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


# What is there.


class Rule:
    """An alert or a recording: its file, its name, its text, and that of its expression."""

    def __init__(self, path, block):
        self.path, self.block = path, block
        kind, self.name = re.match(r"      - (alert|record): (\S+)\n", block).groups()
        self.is_alert = kind == "alert"
        self.expr = re.search(r"\n        expr: (\|\n(?:          .*\n)+|.*\n)", block).group(1)

    def field(self, name):
        found = re.search(rf"\n\s+{name}: (.+)\n", self.block)
        return found and found.group(1).strip('"')

    def shown(self):
        window = self.field("window")
        return self.name + (f" over {window}" if window else "")

    def with_expr(self, change):
        """The rule file with another expression here."""
        expr = self.expr[1:].strip() if self.expr.startswith("|") else self.expr.strip()
        changed = self.block.replace(self.expr, "|\n          " + change.format(expr.replace("\n          ", " ")) + "\n")
        return self.path.read_text().replace(self.block, changed)


def rules():
    found = []
    for path in RULES:
        for block in re.split(r"\n(?=      - (?:alert|record): )", path.read_text())[1:]:
            found.append(Rule(path, block.rstrip("\n") + "\n"))
    return found


def alerts():
    return [rule for rule in rules() if rule.is_alert]


def tests_of(path):
    return path.parents[1] / "tests" / f"{path.stem}_test.yml"


def kebab(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def queries():
    """The expressions of all dashboards, with their panels."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]


def promtool(*arguments):
    done = subprocess.run([str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


# The checks: how much was looked at, and what is wrong.


def rules_are_valid():
    passed, said = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    configured, told = promtool("check", "config", "--lint=all", "--lint-fatal", DEPLOY / "prometheus" / "prometheus.yml")
    found = len(rules())
    counted = sum(int(count) for count in re.findall(r"SUCCESS: (\d+) rules found", said))
    problems = [] if passed else [said]
    problems += [] if configured else [told]
    if passed and counted != found:
        problems.append(f"promtool sees {counted} rules and this script {found}: mind the indentation")
    return f"{found} rules", problems


def tests_pass():
    problems, count = [], 0
    for path in RULES:
        passed, said = promtool("test", "rules", tests_of(path))
        problems += [] if passed else [said]
        count += tests_of(path).read_text().count("\n  - name: ")
    return f"{count} tests", problems


def tests_notice_an_alert_that_never_fires():
    return unnoticed("({}) unless on () vector(1)", "no test fails when it never fires")


def tests_notice_an_alert_that_always_fires():
    return unnoticed("({}) or on () vector(1)", "no test fails when it always fires")


def unnoticed(change, problem):
    with ThreadPoolExecutor() as pool:
        passes = list(pool.map(lambda alert: passes_with(alert, change), alerts()))
    return f"{len(passes)} alerts", [f"{alert.shown()}: {problem}" for alert, passed in zip(alerts(), passes) if passed]


def passes_with(alert, change):
    """Whether the tests of an alert still pass when its expression is changed."""
    text = tests_of(alert.path).read_text()
    head, *tests = re.split(r"\n(?=  - name: )", text)
    own = [test for test in tests if re.search(rf"alertname: {alert.name}\n", test + "\n")]
    if not own:
        return True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rules.yml").write_text(alert.with_expr(change))
        head = re.sub(r"rule_files: .*", "rule_files: [rules.yml]", head)
        (folder / "test.yml").write_text("\n".join([head, *own]))
        valid, said = promtool("check", "rules", folder / "rules.yml")
        assert valid, f"{alert.shown()}: the changed rule is not valid:\n{said}"
        return promtool("test", "rules", folder / "test.yml")[0]


def alerts_are_complete():
    problems = []
    for alert in alerts():
        if alert.field("severity") not in ("page", "ticket"):
            problems.append(f"{alert.shown()}: severity is neither page nor ticket")
        problems += [f"{alert.shown()}: no {field}" for field in ("summary", "description") if not alert.field(field)]
        if alert.field("runbook_url") != f"deploy/runbooks/{kebab(alert.name)}.md":
            problems.append(f"{alert.shown()}: runbook_url is not deploy/runbooks/{kebab(alert.name)}.md")
    return f"{len(alerts())} alerts", problems


def runbooks_are_complete():
    severities = {}
    for alert in alerts():
        severities.setdefault(alert.name, set()).add(alert.field("severity"))
    wanted = {f"{kebab(name)}.md" for name in severities}
    there = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    index = (RUNBOOKS / "README.md").read_text()
    problems = [f"{name}: no such runbook" for name in sorted(wanted - there)]
    problems += [f"{name}: no alert has this name" for name in sorted(there - wanted)]
    rows = [f"| [{name}]({kebab(name)}.md) | {', '.join(sorted(which))} |" for name, which in severities.items()]
    problems += [f"README.md: no row {row}" for row in rows if row not in index]
    for name in sorted(there):
        text = (RUNBOOKS / name).read_text()
        problems += [f"{name}: no section {section!r}" for section in SECTIONS if f"\n{section}\n" not in text]
    return f"{len(there)} runbooks", problems


def generated_files_are_up_to_date():
    scripts = [DEPLOY / "grafana" / "dashboards.py", DEPLOY / "prometheus" / "operator.py"]
    problems = []
    for script in scripts:
        done = subprocess.run([sys.executable, "-B", script, "--check"], capture_output=True, text=True)
        if done.returncode != 0:
            problems.append(f"{script.relative_to(ROOT)}: {(done.stdout + done.stderr).strip()}; run it")
    listed = (DEPLOY / "grafana" / "kustomization.yaml").read_text()
    problems += [f"{path.name}: kustomization.yaml does not list it" for path in DASHBOARDS if f"={path.name}\n" not in listed]
    listed = (DEPLOY / "prometheus" / "kustomization.yaml").read_text()
    problems += [f"{path.stem}: kustomization.yaml does not list it" for path in RULES if f"/{path.stem}.yaml\n" not in listed]
    return f"{len(DASHBOARDS) + len(RULES)} files", problems


def dashboards_are_in_form():
    problems, panels, uids = [], 0, []
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        uids.append(dashboard["uid"])
        names = {variable["name"] for variable in dashboard["templating"]["list"]} | {"__rate_interval", "__all"}
        used = set(re.findall(r"\$\{?(\w+)", path.read_text()))
        problems += [f"{path.name}: there is no variable ${name}" for name in sorted(used - names)]
        for panel in dashboard["panels"]:
            if panel["type"] == "row":
                continue
            panels += 1
            where = f"{path.name}: {panel['title']}"
            if not panel["description"] or not panel["fieldConfig"]["defaults"]["unit"]:
                problems.append(f"{where}: no description or no unit")
            if any(one["datasource"]["uid"] != "${datasource}" for one in [panel, *panel["targets"]]):
                problems.append(f"{where}: the data source cannot be chosen")
            for target in panel["targets"]:
                if re.search(r"\[(?!\$__rate_interval\])", target["expr"]):
                    problems.append(f"{where}: a range other than $__rate_interval")
                if 'namespace=~"$namespace"' not in target["expr"]:
                    problems.append(f"{where}: the namespace cannot be chosen")
    if len(set(uids)) != len(uids):
        problems.append(f"two dashboards have one uid: {uids}")
    return f"{len(DASHBOARDS)} dashboards, {panels} panels", problems


def queries_of_dashboards_are_valid():
    problems, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "queries.yml"
        for where, expr in queries():
            count += 1
            rule = {"record": "a:query:of_a_panel", "expr": expr.replace("$__rate_interval", "1m")}
            # JSON is YAML.
            path.write_text(json.dumps({"groups": [{"name": "queries", "rules": [rule]}]}))
            valid, said = promtool("check", "rules", path)
            problems += [] if valid else [f"{where}: {said}"]
    return f"{count} queries", problems


def metrics_that_are_named_exist():
    table = DEPLOY / "metrics.md"
    known = {rule.name: None for rule in rules() if not rule.is_alert}
    for row in re.findall(r"^\| `(chatbot_\w+)` \| (\w+) \| (.*?) \|", table.read_text(), re.MULTILINE):
        name, kind, labels = row
        labels = set(re.findall(r"`(\w+)`", labels)) | COMMON_LABELS
        names = [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]
        known.update({one: labels | {"le"} for one in names})
    texts = [(path.relative_to(ROOT), path.read_text()) for path in [*RULES, *RUNBOOKS.glob("*.md"), *KUBERNETES]]
    texts += list(queries())
    problems, named = [], set()
    for where, text in texts:
        for name, selectors in SELECTOR.findall(text):
            named.add(name)
            if name not in known:
                problems.append(f"{where}: there is no metric {name}")
            elif known[name]:
                labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
                problems += [f"{where}: {name} has no label {label}" for label in sorted(labels - known[name])]
        foreign = set(re.findall(r"\bkube_\w+", text)) - FOREIGN
        problems += [f"{where}: {name} is not known to exist" for name in sorted(foreign)]
    return f"{len(named)} metrics", sorted(set(problems))


if __name__ == "__main__":
    sys.exit(main())
