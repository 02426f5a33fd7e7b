"""What counted work costs on a machine: the time below which a kernel cannot go, and what sets it.

Three pipes work side by side, and the slowest sets the lower bound:

    memory      every input read once and every output written once, over the bandwidth of device memory
    load/store  a multiprocessor takes one request a cycle, and moves 128 bytes a cycle: 4 sectors of global memory, or
                one wavefront of shared memory (the reads of a tensor core included)
    arithmetic  operations over the peak of the unit that does them

The model has no latency, no cache misses beyond the first and no lost issue slot. A kernel is slower than its lower
bound, never faster. The model says what to change first, not how fast the result will be.
"""

from dataclasses import dataclass, replace

from .on_cpu.trace import Report


@dataclass(frozen=True)
class Machine:
    """The peaks of one GPU. `source` says where they come from: a datasheet, or a measurement.

    bandwidth in bytes/s; the arithmetic peaks in operations/s, where a multiply-add is two.
    """

    name: str
    source: str
    bandwidth: float
    multiprocessors: int
    clock: float
    int8_tensor: float
    fp16_tensor: float

    @property
    def dp4a(self) -> float:
        """64 instructions a cycle and multiprocessor (the rate of a 32-bit integer multiply-add), 8 operations each."""
        return self.multiprocessors * self.clock * 64 * 8

    @property
    def scalar(self) -> float:
        """64 integer multiply-adds a cycle and multiprocessor."""
        return self.multiprocessors * self.clock * 64 * 2

    @property
    def load_store(self) -> float:
        """Cycles of all load/store pipes together, per second."""
        return self.multiprocessors * self.clock


# Bandwidth and dense peaks: NVIDIA's datasheets of the H100 SXM and the H200. They differ in their memory alone. The
# clock is the one at which the int8 peak holds, with 4096 multiply-adds a cycle on each of 132 multiprocessors. The
# rates of scalar units: CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions", column 9.0.
H200 = Machine("NVIDIA H200", "datasheet", 4.8e12, 132, 1979e12 / (132 * 8192), 1979e12, 989.5e12)
H100 = replace(H200, name="NVIDIA H100", bandwidth=3.35e12)


def machine_of(device: str) -> Machine:
    """The datasheet of a GPU by what its driver calls it; an H200's where the name is neither of the two."""
    return H100 if "H100" in device else H200


@dataclass(frozen=True)
class Work:
    """What a kernel does, counted: the bytes it must move, requests, sectors, wavefronts, operations and their unit."""

    bytes: float | int
    requests: float | int = 0
    sectors: float | int = 0
    wavefronts: float | int = 0
    operations: float | int = 0
    unit: str = "scalar"  # an attribute of Machine

    @property
    def intensity(self) -> float:
        """Operations for each requested byte of global memory."""
        return self.operations / (32 * self.sectors or self.bytes)


@dataclass(frozen=True)
class LowerBound:
    """The least time in seconds, the pipe that sets it, and the time of each pipe."""

    seconds: float
    bound: str
    pipes: dict[str, float]


def lower_bound(work: Work, machine: Machine) -> LowerBound:
    """The time of the slowest of the three pipes."""
    pipes = {
        "memory": work.bytes / machine.bandwidth,
        "load/store": (max(work.requests, work.sectors / 4) + work.wavefronts) / machine.load_store,
        "arithmetic": work.operations / getattr(machine, work.unit),
    }
    bound = max(pipes, key=lambda pipe: pipes[pipe])
    return LowerBound(pipes[bound], bound, pipes)


def gemm_work(report: Report, traced: tuple[int, int, int], wanted: tuple[int, int, int], unit: str) -> Work:
    """The work of a large int8 GEMM from the trace of a small one.

    Operands and shared memory are touched at every step of k: their counts grow with M N K. The result and the scales
    are touched once for each output: their counts grow with M N.
    """
    (m0, n0, k0), (m, n, k) = traced, wanted
    inner, outer = m * n * k / (m0 * n0 * k0), m * n / (m0 * n0)
    global_rows = [r for r in report.rows if r.space == "global"]
    growth = {name: inner if name in ("a", "w") else outer for name in {r.name for r in global_rows}}
    return Work(
        bytes=(m + n) * k + 4 * m * n + 4 * (m + n),
        requests=sum(r.requests * growth[r.name] for r in global_rows),
        sectors=sum(r.moved * growth[r.name] for r in global_rows),
        wavefronts=inner * report.total("shared"),
        operations=2.0 * m * n * k,
        unit=unit,
    )
