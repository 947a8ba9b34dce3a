"""What dashboards are made of: queries, panels, variables, and the frame around them. What is the same everywhere stands
here once."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
NAMESPACE = 'namespace=~"$namespace"'
# Grafana's grid.
WIDTH, HEIGHT = 24, 8


# Queries.


def of(metric, *labels):
    """A metric in the namespaces that are chosen."""
    return f"{metric}{{{','.join((NAMESPACE,) + labels)}}}"


def rate(metric, *labels, by):
    """Its speed, in so many a second."""
    return f"sum by ({by}) (rate({of(metric, *labels)}[$__rate_interval]))"


def share(metric, part, *labels, by):
    """How much of it has the label `part`."""
    return f"{rate(metric, *labels, part, by=by)} / {rate(metric, *labels, by=by)}"


def quantiles(histogram, *labels, by="", of_all=(0.5, 0.95, 0.99)):
    """Its quantiles, each with a legend."""
    group = f"le, {by}" if by else "le"
    speed = rate(f"{histogram}_bucket", *labels, by=group)
    legend = f" {{{{{by}}}}}" if by else ""
    return [(f"histogram_quantile({q}, {speed})", f"p{q * 100:g}{legend}") for q in of_all]


def latest(gauge, *labels, by):
    """A gauge that all replicas show alike."""
    return f"max by ({by}) ({of(gauge, *labels)})"


# Panels, and what is around them.


def panel(title, description, unit, queries, kind="timeseries", width=8, **options):
    """Shows queries: pairs of an expression and its legend."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, **options}, "overrides": []},
        "options": {
            "timeseries": {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
                           "tooltip": {"mode": "multi", "sort": "desc"}},
            "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
        }[kind],
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(queries)
        ],
        "gridPos": {"w": width, "h": HEIGHT if kind == "timeseries" else 4},
    }


def stat(title, description, unit, expr, red_from=None):
    """One number, red from a value on."""
    steps = [{"color": "green", "value": None}]
    if red_from is not None:
        steps.append({"color": "red", "value": red_from})
    thresholds = {"mode": "absolute", "steps": steps}
    return panel(title, description, unit, [(expr, "")], kind="stat", width=4, thresholds=thresholds)


def variable(name, label, metric):
    """A choice among the values of a label, all at first."""
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Also what lacks the label, as without Kubernetes.
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard(uid, title, description, rows, *variables):
    """Puts rows of panels below each other."""
    datasource = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    namespace = variable("namespace", "Namespace", "chatbot_build_info")
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["chatbot"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["chatbot"], "title": "Chatbot", "asDropdown": True, "keepTime": True,
                   "includeVars": True}],
        "templating": {"list": [datasource, namespace, *variables]},
        "panels": laid_out(rows),
    }


def laid_out(rows):
    """Panels from left to right, each row under its title."""
    panels, top = [], 0
    for title, row in rows.items():
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        left, top, height = 0, top + 1, 0
        for one in row:
            place = one["gridPos"]
            if left + place["w"] > WIDTH:
                left, top, height = 0, top + height, 0
            panels.append({**one, "gridPos": {"x": left, "y": top, **place}})
            left, height = left + place["w"], max(height, place["h"])
        top += height
    return [{"id": number, **one} for number, one in enumerate(panels, 1)]
