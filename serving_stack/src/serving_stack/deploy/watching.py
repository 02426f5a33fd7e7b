"""What must fit between the metrics page and whoever reads it: the autoscaler, the rules, the dashboard."""

import re
from collections.abc import Iterator

from .objects import name_of
from .promql import metrics_of
from .read import Stack

ALWAYS = {"up", "ALERTS", "scrape_duration_seconds"}  # Prometheus makes them itself


def scaling(stack: Stack) -> Iterator[str]:
    """The autoscaler's metric is on the page, and the adapter hands it over."""
    offered = {rule["name"]["as"] for rule in stack.adapter.get("rules", [])}
    for scaler in stack.of_kind("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            name = metric.get("pods", {}).get("metric", {}).get("name")
            if name is None:
                continue
            if name not in stack.exposed:
                yield f"{name_of(scaler)}: it scales on {name}, which is not on the metrics page"
            elif name not in offered:
                yield f"{name_of(scaler)}: it scales on {name}, which the adapter does not hand over"
    for rule in stack.adapter.get("rules", []):
        for name in metrics_of(rule["seriesQuery"]) - stack.exposed:
            yield f"adapter: it reads {name}, which is not on the metrics page"


def _rules(stack: Stack) -> list[dict]:
    return [rule for group in stack.rules.get("groups", []) for rule in group["rules"]]


def recorded(stack: Stack) -> set[str]:
    """The names that the rules make."""
    return {rule["record"] for rule in _rules(stack) if "record" in rule}


def rules(stack: Stack) -> Iterator[str]:
    """Rules read what exists. Prometheus takes a wrong name for an empty answer, and never alerts."""
    known = stack.exposed | recorded(stack) | ALWAYS
    for rule in _rules(stack):
        name = rule.get("alert") or rule["record"]
        for missing in sorted(metrics_of(rule["expr"]) - known):
            yield f"rule {name}: it reads {missing}, which nobody exposes"
        if "alert" in rule and not rule.get("for"):
            yield f"alert {name}: it has no 'for', so a single scrape wakes somebody"
        if "alert" in rule and not {"summary", "action"} <= rule.get("annotations", {}).keys():
            yield f"alert {name}: it does not say what happens and what to do"


def dashboard(stack: Stack) -> Iterator[str]:
    """Panels read what exists."""
    known = stack.exposed | recorded(stack) | ALWAYS
    for panel in stack.dashboard.get("panels", []):
        for target in panel["targets"]:
            for missing in sorted(metrics_of(target["expr"]) - known):
                yield f"panel {panel['title']!r}: it reads {missing}, which nobody exposes"
    for variable in stack.dashboard.get("templating", {}).get("list", []):
        query = variable["query"]["query"] if isinstance(variable["query"], dict) else ""
        for name in re.findall(r"label_values\(\s*([\w:]+)\s*,", query):
            if name not in known:
                yield f"variable {variable['name']!r}: it reads {name}, which nobody exposes"


def jobs(stack: Stack) -> Iterator[str]:
    """A rule that asks for a job asks for one that Prometheus scrapes."""
    scraped = {job["job_name"] for job in stack.prometheus.get("scrape_configs", [])}
    for rule in _rules(stack):
        for wanted in re.findall(r'\bjob="([^"]+)"', rule["expr"]):
            if wanted not in scraped:
                yield f"rule {rule.get('alert') or rule['record']}: it asks for the job {wanted}, which is not scraped"
