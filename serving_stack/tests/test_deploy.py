"""The files of a deployment fit together, and each planted fault between two of them is named."""

import copy
import shutil
import subprocess
import sys
from importlib.resources import as_file

import httpx
import pytest
import yaml

from serving_stack import EngineConfig
from serving_stack.__main__ import COMMANDS
from serving_stack.deploy import CHECKS, Stack, faults, ours, vllm
from serving_stack.deploy.image import command, instructions, option
from serving_stack.deploy.promql import metrics_of, sample_names
from serving_stack.deploy.read import FOLDER, ROUTES, read_objects
from serving_stack.lab import cli, serve, tiny
from serving_stack.lab.running import running

KUBERNETES = "1.34"


@pytest.fixture(scope="module")
def page():
    """The metrics page of a server that has answered, and the paths that a GET finds there."""
    config = EngineConfig(num_blocks=16)
    with running(tiny.served(serve.random_tiny(), config), config) as server:
        body = {"model": "tiny", "prompt": "x", "max_tokens": 2}
        assert httpx.post(f"{server.url}/v1/completions", json=body).status_code == 200
        plain = [r for r in server.server.app.routes if "{" not in r.path and "GET" in r.methods]
        return httpx.get(f"{server.url}/metrics").text, {route.path for route in plain}


def test_our_files_fit_together_and_to_the_running_server(page):
    text, routes = page
    assert faults(ours(sample_names(text))) == [] == faults(ours())
    assert routes == ROUTES


def test_vllm_s_files_fit_together():
    stack = vllm()
    assert faults(stack) == []
    [deployment] = stack.of_kind("Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


# ---------------------------------------------------------------- planted faults


def one(stack: Stack, kind: str) -> dict:
    return next(stack.of_kind(kind))


def spec(stack: Stack) -> dict:
    return one(stack, "Deployment")["spec"]["template"]["spec"]


def container(stack: Stack) -> dict:
    return spec(stack)["containers"][0]


def notes(stack: Stack) -> dict:
    return one(stack, "Deployment")["spec"]["template"]["metadata"]["annotations"]


def text(old: str, new: str):
    """The Containerfile with something replaced."""

    def change(stack: Stack) -> None:
        assert old in stack.containerfile
        object.__setattr__(stack, "containerfile", stack.containerfile.replace(old, new))

    return change


def expression(place: str, old: str, new: str):
    """A rule, a panel or a manifest with a word replaced everywhere."""

    def change(stack: Stack) -> None:
        whole = yaml.safe_dump(getattr(stack, place))
        assert old in whole
        object.__setattr__(stack, place, yaml.safe_load(whole.replace(old, new)))

    return change


def put(of, *keys):
    """`put(container, "image", "x")` sets a value; a last value of None removes the key."""

    def change(stack: Stack) -> None:
        found = of(stack)
        *path, last, value = keys
        for key in path:
            found = found[key]
        assert value is not None or last in found
        if value is None:
            del found[last]
        else:
            found[last] = value

    return change


def of(kind: str):
    return lambda stack: one(stack, kind)


PLANTED = {
    "the Service selects nobody": ("selectors", put(of("Service"), "spec", "selector", {"app": "x"}), "Service"),
    "the budget selects nobody": (
        "selectors", put(of("PodDisruptionBudget"), "spec", "selector", "matchLabels", {"app": "x"}), "Budget"),
    "the Deployment does not select its own pods": (
        "selectors", put(of("Deployment"), "spec", "selector", "matchLabels", {"app": "x"}), "its own pods"),
    "the Service sends to another port": ("ports", expression("objects", "targetPort: http", "targetPort: web"), "web"),
    "a probe asks another port": ("ports", put(container, "readinessProbe", "httpGet", "port", 9000), "9000"),
    "no startup probe": ("probes", put(container, "startupProbe", None), "startupProbe"),
    "liveness asks /ready": ("probes", put(container, "livenessProbe", "httpGet", "path", "/ready"), "is killed"),
    "readiness asks what is not there": (
        "probes", put(container, "readinessProbe", "httpGet", "path", "/healthz"), "/healthz"),
    "killed in the middle of the drain": ("grace", put(spec, "terminationGracePeriodSeconds", 60), "after 60 s"),
    "killed after the default of thirty seconds": ("grace", put(spec, "terminationGracePeriodSeconds", None), "30 s"),
    "no preStop": ("grace", put(container, "lifecycle", None), "no preStop"),
    "no memory limit": ("resources", put(container, "resources", "limits", None), "memory in its limits"),
    "no processor is asked for": ("resources", put(container, "resources", "requests", "cpu", None), "no cpu"),
    "replicas beside the autoscaler": ("replicas", put(of("Deployment"), "spec", "replicas", 3), "each apply"),
    "the autoscaler scales another": (
        "replicas", put(of("HorizontalPodAutoscaler"), "spec", "scaleTargetRef", "name", "web"), "scales web"),
    "more at least than at most": (
        "replicas", put(of("HorizontalPodAutoscaler"), "spec", "maxReplicas", 1), "above maxReplicas"),
    "no node can be drained": (
        "disruption", put(of("PodDisruptionBudget"), "spec", "maxUnavailable", 0), "no node can ever"),
    "all replicas may leave at once": (
        "disruption", put(of("PodDisruptionBudget"), "spec", "maxUnavailable", 2), "none must stay"),
    "the base is latest": ("image", text("python:3.12.8-slim-bookworm\n\n# Process", "python:latest\n\n#"), "latest"),
    "a line for a shell": (
        "image", text('ENTRYPOINT ["tini", "--", "python", "-m", "serving_stack", "serve"]',
                      "ENTRYPOINT python -m serving_stack serve"), "SIGTERM"),
    "no health check": ("image", text("HEALTHCHECK --interval=10s", "LABEL a=b #"), "HEALTHCHECK"),
    "the pod's image is latest": ("pinned", put(container, "image", "example.org/stack:latest"), "latest"),
    "the pod's image has no tag": ("pinned", put(container, "image", "localhost:5000/serving-stack"), "not pinned"),
    "the image runs as root": ("user", text("USER 10001:10001", "USER root"), "root"),
    "the image names no user": ("user", text("USER 10001:10001\n", ""), "root"),
    "the image's user has a name": ("user", text("USER 10001:10001", "USER server"), "a number"),
    "the pod may run as root": ("user", put(spec, "securityContext", "runAsNonRoot", None), "may run as root"),
    "the pod runs as another user": ("user", put(spec, "securityContext", "runAsUser", 1000), "1000"),
    "it listens to itself only": (
        "listening", expression("objects", "0.0.0.0", "127.0.0.1"), "127.0.0.1"),
    "it listens at another port": (
        "listening", put(container, "args", ["--host", "0.0.0.0", "--port", "80"]), "port 80"),
    "the image exposes another port": ("listening", text("EXPOSE 8000", "EXPOSE 8080"), "8080"),
    "Prometheus asks another port": ("scraped", put(notes, "prometheus.io/port", "9090"), "9090"),
    "Prometheus asks another path": ("scraped", put(notes, "prometheus.io/path", "/stats"), "/stats"),
    "Prometheus is not asked to look": ("scraped", put(notes, "prometheus.io/scrape", None), "does not scrape"),
    "it scales on what nobody exposes": (
        "scaling", expression("objects", "serving_requests_waiting", "serving_queue_length"), "serving_queue_length"),
    "the adapter does not hand it over": (
        "scaling", expression("adapter", "as: serving_requests_waiting", "as: waiting"), "hand over"),
    "a counter without its suffix": (
        "rules", expression("rules", "serving_output_tokens_total", "serving_output_tokens"), "serving_output_tokens,"),
    "an alert on a rule that was renamed": (
        "rules", expression("rules", "job:serving_requests_failed:share_5m >", "job:requests_failed:share >"), "Fail"),
    "an alert that fires at once": (
        "rules", put(lambda s: s.rules["groups"][1]["rules"][0], "for", None), "a single scrape"),
    "an alert that says nothing": (
        "rules", put(lambda s: s.rules["groups"][1]["rules"][0], "annotations", "action", None), "what to do"),
    "a panel reads what nobody exposes": (
        "dashboard", expression("dashboard", "serving_kv_blocks_used", "serving_cache_usage"), "Blocks that are held"),
    "a variable reads what nobody exposes": (
        "dashboard", expression("dashboard", "label_values(serving_kv_blocks_total", "label_values(blocks"), "'job'"),
    "a rule asks for another job": ("jobs", expression("rules", 'job="serving-stack"', 'job="server"'), "job server"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_effect_a_planted_fault_is_named_and_no_other(name):
    check, change, words = PLANTED[name]
    stack = copy.deepcopy(ours())
    change(stack)
    found = {which: list(function(stack)) for which, function in CHECKS.items()}
    assert [which for which, sentences in found.items() if sentences] == [check]
    assert any(words in sentence for sentence in found[check]), found[check]


def test_every_check_can_fail():
    assert {check for check, _, _ in PLANTED.values()} == set(CHECKS)


# ---------------------------------------------------------------- the parts


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("up == 0", {"up"}),
        ('sum by (job, le) (rate(a_bucket{le="b_total", x=~"c(d)"}[5m])) > 2', {"a_bucket"}),
        ("a / on (pod) group_left (node) b and c > 5m", {"a", "b", "c"}),
        ("job:a:p99_5m offset 1h", {"job:a:p99_5m"}),
        ("histogram_quantile(0.99, sum(rate(x_bucket[1m])) by (le))", {"x_bucket"}),
        ('label_replace(a, "b", "$1", "c", "d(e)")', {"a"}),
    ],
)
def test_metrics_of_an_expression(expression, metrics):
    assert metrics_of(expression) == metrics


def test_a_counter_with_labels_is_known_before_its_first_event():
    page = "# TYPE a counter\n# TYPE b gauge\nb 1\n# TYPE c histogram\n"
    assert sample_names(page) == {"a_total", "b", "c_bucket", "c_sum", "c_count"}


def test_only_the_last_stage_counts():
    words = [word for word, _ in instructions("FROM a AS b\nUSER 0\n# c\nFROM d\nRUN e \\\n  && f\nUSER 7")]
    assert words == ["FROM", "RUN", "USER"] and option(["--port=1", "--host", "x"], "port") == "1"


def test_the_image_s_command_is_one_that_the_server_takes():
    parser = cli.parser("serving_stack", "", COMMANDS)
    serve.arguments(parser)
    [deployment] = ours().of_kind("Deployment")
    for words in (
        command(ours().containerfile, "CMD"),
        deployment["spec"]["template"]["spec"]["containers"][0]["args"],
    ):
        taken = parser.parse_args(["serve", *words])
        assert (taken.host, taken.port, taken.gguf) == ("0.0.0.0", 8000, "/models/model.gguf")
    assert command(ours().containerfile, "ENTRYPOINT")[-4:] == ["python", "-m", "serving_stack", "serve"]


def test_a_file_without_a_kind_is_an_error(tmp_path):
    (tmp_path / "a.yaml").write_text("metadata: {name: x}\n")
    with pytest.raises(ValueError, match=r"a\.yaml: an object needs a kind"):
        read_objects(tmp_path)


# ---------------------------------------------------------------- tools of others


@pytest.mark.parametrize("stack", [ours, vllm])
def test_oracle_the_schemas_of_kubernetes(stack):
    kubernetes = pytest.importorskip("kubernetes_validate")
    for found in stack().objects:
        assert kubernetes.validate(found, KUBERNETES, strict=True)
    broken = copy.deepcopy(one(stack(), "Deployment"))
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 75
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(broken, KUBERNETES, strict=True)


def test_oracle_hadolint(tmp_path):
    with as_file(FOLDER.joinpath("Containerfile")) as path:
        run = subprocess.run([tool("hadolint"), str(path)], capture_output=True, text=True)
    assert run.returncode == 0 and not run.stdout, run.stdout
    (tmp_path / "Containerfile").write_text("FROM python:latest\nRUN pip install torch\n")
    run = subprocess.run([tool("hadolint"), str(tmp_path / "Containerfile")], capture_output=True, text=True)
    assert run.returncode == 1 and "DL3007" in run.stdout


def tool(name: str) -> str:
    """A program beside this Python, or on the path; the test is skipped where there is none."""
    beside = shutil.which(name, path=str(sys.executable).rpartition("/")[0] or None)
    found = beside or shutil.which(name) or pytest.skip(f"{name} is not installed")
    return found


def test_oracle_promtool_s_unit_tests_of_the_rules():
    """Debian's package prometheus has promtool; no package of Python has."""
    with as_file(FOLDER.joinpath("monitoring")) as folder:
        run = subprocess.run([tool("promtool"), "test", "rules", "rules_test.yaml"], cwd=folder, capture_output=True)
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()
