"""What goes over the wire: OpenAI's API, told truthfully.

Read in this order:
    detokenize.py     tokens into text that can be sent, stop strings left out
    frames.py         server-sent events, and the usage at their end
    protocol.py       a body is checked, field by field; what is not supported is refused
    json_schema.py    which tokens may come next, so that the answer obeys a schema
    chat.py           messages into a prompt, tool calls out of an answer
    service.py        a thread with the engine, and queues to whoever waits for tokens
    metrics.py        numbers for Prometheus
    server.py         the routes, and a shutdown that loses no stream
    router.py         several replicas: the one with the least work left, after its cache
"""

from .detokenize import StreamDetokenizer
from .frames import Delta, SSEStream
from .router import Worker, route

__all__ = ["Delta", "SSEStream", "StreamDetokenizer", "Worker", "route"]
