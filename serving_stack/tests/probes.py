"""The inputs on which a mistake is recognised, for all tasks. Each holds promised behaviour only."""

import probes_attention
import probes_engine
import probes_formats
import probes_memory
import probes_sampling
import probes_wire

PROBES = {
    **probes_memory.PROBES,
    **probes_attention.PROBES,
    **probes_engine.PROBES,
    **probes_sampling.PROBES,
    **probes_wire.PROBES,
    **probes_formats.PROBES,
}
