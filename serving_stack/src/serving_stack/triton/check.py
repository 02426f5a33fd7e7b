"""What a model repository must agree on. Triton says the same when it starts, one model at a time."""

from collections.abc import Iterator
from pathlib import Path

from .pbtxt import Message, parse_pbtxt

KNOWN = {
    "": {"name", "backend", "platform", "max_batch_size", "input", "output", "instance_group", "parameters",
         "dynamic_batching", "sequence_batching", "ensemble_scheduling"},
    "input": {"name", "data_type", "dims", "allow_ragged_batch"},
    "output": {"name", "data_type", "dims"},
    "instance_group": {"kind", "count"},
    "parameters": {"key", "value"},
    "dynamic_batching": {"preferred_batch_size", "max_queue_delay_microseconds", "default_queue_policy"},
    "sequence_batching": {"max_sequence_idle_microseconds", "direct", "oldest", "control_input"},
    "ensemble_scheduling": {"step"},
    "step": {"model_name", "model_version", "input_map", "output_map"},
}  # fmt: skip
TYPES = {f"TYPE_{name}" for name in ("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BF16 "
                                     "STRING").split()}  # fmt: skip
Form = tuple[str, tuple[int, ...]]  # data type, dims


def check_repository(repository: Path) -> list[str]:
    """One sentence for each fault; an empty list is a repository that fits together."""
    configs, faults = {}, []
    for path in sorted(Path(repository).glob("*/config.pbtxt")):
        try:
            configs[path.parent.name] = parse_pbtxt(path.read_text(encoding="utf-8"))
        except ValueError as error:
            faults.append(f"{path.parent.name}: {error}")
    for name, config in configs.items():
        faults += [f"{name}: {fault}" for fault in _alone(Path(repository) / name, config)]
        faults += [f"{name}: {fault}" for fault in _ensemble(config, configs)]
    return faults or ([] if configs else ["no folder holds a config.pbtxt"])


def one(message: Message, field: str, default=None):
    """The last value of a field."""
    return message.get(field, [default])[-1]


def forms(config: Message, kind: str) -> dict[str, Form]:
    """{tensor: (type, dims)} of "input" or "output"."""
    return {one(t, "name"): (one(t, "data_type"), tuple(t.get("dims", ()))) for t in config.get(kind, [])}


def _alone(folder: Path, config: Message) -> Iterator[str]:
    """What one model needs."""
    yield from _unknown("", config)
    if one(config, "name") != folder.name:
        yield f"the name in the file is {one(config, 'name')!r}, the folder's is {folder.name!r}"
    for kind in ("input", "output"):
        if not config.get(kind):
            yield f"it has no {kind}"
        for name, (data_type, dims) in forms(config, kind).items():
            if data_type not in TYPES:
                yield f"{name} has the unknown type {data_type}"
            if not dims or any(not isinstance(d, int) or d == 0 or d < -1 for d in dims):
                yield f"{name} has dims {list(dims)}; each is -1 or at least 1"
    batching = one(config, "dynamic_batching") or {}
    for size in batching.get("preferred_batch_size", []):
        if size > one(config, "max_batch_size", 0):
            yield f"it prefers batches of {size} and allows {one(config, 'max_batch_size', 0)}"
    if "dynamic_batching" in config and "sequence_batching" in config:
        yield "dynamic and sequence batching exclude each other"
    if one(config, "backend") == "python":
        yield from _program(folder, config)
    elif one(config, "platform") != "ensemble":
        yield "it has neither the backend 'python' nor the platform 'ensemble'"


def _program(folder: Path, config: Message) -> Iterator[str]:
    """A Python model reads and writes the tensors of its configuration."""
    versions = [path for path in folder.glob("*/model.py") if path.parent.name.isdigit()]
    if not versions:
        yield "no folder with a version's number holds a model.py"
    controls = {one(c, "name") for c in (one(config, "sequence_batching") or {}).get("control_input", [])}
    for path in versions:
        text = path.read_text(encoding="utf-8")
        for name in [*forms(config, "input"), *forms(config, "output"), *sorted(controls)]:
            if f'"{name}"' not in text:
                yield f"{path.parent.name}/model.py does not name the tensor {name}"


def _unknown(kind: str, message: Message) -> Iterator[str]:
    """Fields that no configuration has: a typing error that would be a default in silence elsewhere."""
    for field, values in message.items():
        if field not in KNOWN[kind]:
            yield f"unknown field {field}" + (f" of {kind}" if kind else "")
        for value in values:
            if isinstance(value, dict) and field in KNOWN:
                yield from _unknown(field, value)


def _ensemble(config: Message, configs: dict[str, Message]) -> Iterator[str]:
    """Each step's tensors exist, fit, and are made before they are used."""
    steps = (one(config, "ensemble_scheduling") or {}).get("step", [])
    if one(config, "platform") == "ensemble" and not steps:
        yield "an ensemble needs steps"
    known = forms(config, "input")
    for step in steps:
        name = one(step, "model_name")
        if name not in configs:
            yield f"the step {name} is no model of this repository"
            continue
        if one(config, "max_batch_size", 0) > one(configs[name], "max_batch_size", 0):
            yield f"it allows batches of {one(config, 'max_batch_size', 0)}, its step {name} does not"
        yield from _mapped(step, name, configs[name], known)
    for tensor, form in forms(config, "output").items():
        if steps and tensor not in known:
            yield f"no step makes the output {tensor}"
        elif steps and known[tensor] != form:
            yield f"the output {tensor} is {_said(form)}, the step makes {_said(known[tensor])}"


def _mapped(step: Message, name: str, model: Message, known: dict[str, Form]) -> Iterator[str]:
    """The maps of one step; what it makes becomes known."""
    inputs, outputs = forms(model, "input"), forms(model, "output")
    maps = {kind: {one(m, "key"): one(m, "value") for m in step.get(f"{kind}_map", [])} for kind in ("input", "output")}
    for tensor in inputs.keys() - maps["input"].keys():
        yield f"the step {name} gets no {tensor}"
    for kind, forms_of in (("input", inputs), ("output", outputs)):
        for tensor in maps[kind].keys() - forms_of.keys():
            yield f"the model {name} has no {kind} {tensor}"
    for tensor, source in maps["input"].items():
        if source not in known:
            yield f"the step {name} uses {source} before a step makes it"
        elif tensor in inputs and not _fits(known[source], inputs[tensor]):
            yield f"the step {name} wants {tensor} as {_said(inputs[tensor])}, {source} is {_said(known[source])}"
    known |= {target: outputs[tensor] for tensor, target in maps["output"].items() if tensor in outputs}


def _fits(given: Form, wanted: Form) -> bool:
    """Same type, same number of dims, and no two that are fixed and differ."""
    pairs = zip(given[1], wanted[1], strict=False)
    return given[0] == wanted[0] and len(given[1]) == len(wanted[1]) and all(-1 in p or p[0] == p[1] for p in pairs)


def _said(form: Form) -> str:
    return f"{form[0]} {list(form[1])}"
