"""A thread with the engine, and a queue to each client that waits for tokens.

The engine runs in one thread and belongs to it. The server's event loop hands requests over under a lock; tokens come
back through `call_soon_threadsafe`. An answer that nobody reads costs memory for its text and no blocks.
"""

import asyncio
import threading
import time
import uuid

from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import Sampled
from .chat import call_schema
from .constraint import Constraint, Trie
from .detokenize import StreamDetokenizer
from .errors import ApiError
from .frames import Delta
from .metrics import Metrics
from .protocol import CHAT, Generation
from .served import Answer, Choice, Limits, ServedModel


class Service:
    """Owns the engine. `submit` and `abort` may be called from the event loop."""

    def __init__(self, served: ServedModel, config: EngineConfig, limits: Limits | None = None, keep_log: bool = False):
        self.served, self.limits, self.metrics = served, limits or Limits(), Metrics()
        self.engine = Engine(served.runner, config, keep_log)
        self.max_model_len = min(served.max_model_len, config.num_blocks * config.block_size)
        self.metrics.blocks_total.set(config.num_blocks)
        self.trie = None
        self.draining, self.failed = False, False
        self._choices: dict[str, tuple[Answer, Choice]] = {}
        self._lock, self._wake, self._stopping = threading.Lock(), threading.Event(), False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="engine")

    @property
    def ready(self) -> bool:
        """May a load balancer send requests here?"""
        return self._thread.is_alive() and not self.draining and not self.failed

    def start(self) -> None:
        """Start the engine's thread. Called in the event loop that will wait for tokens."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; whoever still waits gets an error."""
        self._stopping = True
        self._wake.set()
        self._thread.join(10)

    def submit(self, generation: Generation) -> Answer:
        """Queue a checked request.

        Raises:
            ApiError: 400 for a prompt that is too long or empty, 429 for a full queue, 503 while shutting down.
        """
        if not self.ready:
            raise ApiError(503, "this server is shutting down", code="not_ready", retry=1)
        prompt = self.prompt_of(generation)
        room = self.max_model_len - len(prompt)
        max_tokens = generation.max_tokens or (max(room, 1) if generation.kind == CHAT else 16)
        if not prompt:
            raise ApiError(400, "the prompt has no tokens", "prompt", "empty_prompt")
        if max_tokens > room:
            wanted = len(prompt) + max_tokens
            raise ApiError(400, f"this model's context is {self.max_model_len} tokens; you ask for {wanted}",
                           "messages" if generation.kind == CHAT else "prompt", "context_length_exceeded")  # fmt: skip
        answer = Answer(f"{'chatcmpl' if generation.kind == CHAT else 'cmpl'}-{uuid.uuid4().hex}", generation,
                        len(prompt), time.monotonic())  # fmt: skip
        answer.choices = [self._choice(answer.id, prompt, generation, i, max_tokens) for i in range(generation.n)]
        for choice in answer.choices[1:]:
            choice.request.parent = answer.choices[0].request
        with self._lock:
            if self.engine.num_waiting + generation.n > self.limits.max_waiting:
                raise ApiError(429, "too many requests wait here; come again", code="queue_full", retry=1)
            for choice in answer.choices:
                self.engine.add(choice.request)
                self._choices[choice.request.id] = answer, choice
        self.metrics.prompt_tokens.inc(len(prompt))
        self._wake.set()
        return answer

    def prompt_of(self, generation: Generation) -> list[int]:
        """The token ids of a request's prompt."""
        if generation.prompt is not None:
            return generation.prompt
        if generation.kind == CHAT:
            tools = generation.tools if generation.tool_choice != "none" else ()
            return self.served.encode(self.served.template.render(generation.messages, tools))
        return self.served.encode(generation.text)

    def _choice(self, answer_id: str, prompt: list[int], asked: Generation, index: int, max_tokens: int) -> Choice:
        seed = None if asked.seed is None else (asked.seed + index) % 2**63
        params = SamplingParams(asked.temperature, asked.top_p, max_tokens, seed, (self.served.end_token,),
                                asked.logprobs)  # fmt: skip
        request = Request(f"{answer_id}-{index}", prompt, params, tag=self.served.name)
        schema = asked.schema
        if asked.tool_choice not in ("none", "auto"):
            schema = call_schema(asked.tools, asked.tool_choice)
        if schema is not None:
            self.trie = self.trie or Trie(self.served.token_bytes)
            request.constraint = Constraint(schema, self.trie, self.served.token_bytes, self.served.end_token)
        return Choice(request, StreamDetokenizer(self.served.token_bytes, asked.stop), index)

    def abort(self, answer: Answer) -> None:
        """The client has gone: its requests leave, running or waiting. Those that have ended are not touched."""
        with self._lock:
            for choice in answer.choices:
                if self._choices.pop(choice.request.id, None):
                    self.engine.abort(choice.request.id)
                    self.metrics.requests.labels("abort").inc()
        self._wake.set()

    # ------------------------------------------------------------ the engine's thread

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                busy = self.engine.has_work
                if busy:
                    self._step()
                self._look_at_the_clock()
                self._measure()
            if not busy:
                self._wake.wait(0.1)
                self._wake.clear()
        with self._lock:
            self._fail_all(ApiError(503, "this server has stopped", code="not_ready"))

    def _step(self) -> None:
        start = time.monotonic()
        before = sum(request.num_preemptions for request in self.engine.requests.values())
        try:
            new = self.engine.step()
        except Exception as error:
            self.failed = True
            self._fail_all(ApiError(500, f"the engine failed: {type(error).__name__}", code="engine_error"))
            self.engine.state.running.clear()
            self.engine.state.waiting.clear()
            return
        for request, sampled in new:
            self._tell(request, sampled)
        after = sum(request.num_preemptions for request in self.engine.requests.values())
        self.metrics.preemptions.inc(max(0, after - before))
        self.metrics.step.observe(time.monotonic() - start)

    def _tell(self, request: Request, sampled: Sampled) -> None:
        """A new token: its text, what can be sent of it, and whether it ends the choice."""
        if request.id not in self._choices:
            return
        answer, choice = self._choices[request.id]
        if len(request.output) == 1:
            self.metrics.first_token.observe(time.monotonic() - answer.arrival)
            self.metrics.cached_tokens.inc(request.num_cached)
        self.metrics.output_tokens.inc()
        choice.unsent += 1
        choice.sampled.append(sampled)
        if request.constraint is not None:
            request.constraint.advance(sampled.token)
        text = "" if sampled.token == self.served.end_token else choice.detokenizer.push(sampled.token)
        if choice.detokenizer.stopped and request.finish_reason != "stop":
            self.engine.finish(request, "stop")
        if request.finish_reason is not None:
            text += choice.detokenizer.finish()
            del self._choices[request.id]
            self.metrics.requests.labels(request.finish_reason).inc()
        if text or request.finish_reason is not None:
            delta = Delta(text, choice.unsent, request.finish_reason, choice.index)
            self._send(answer, (delta, choice.sampled))
            choice.unsent, choice.sampled = 0, []

    def _send(self, answer: Answer, item) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(answer.queue.put_nowait, item)

    def _look_at_the_clock(self) -> None:
        late = time.monotonic() - self.limits.request_timeout
        for answer in {answer for answer, _ in self._choices.values() if answer.arrival < late}:
            self._fail(answer, ApiError(504, "this request took too long", code="timeout"))

    def _fail(self, answer: Answer, error: ApiError) -> None:
        for choice in answer.choices:
            if self._choices.pop(choice.request.id, None):
                self.engine.abort(choice.request.id)
                self.metrics.requests.labels("error").inc()
        self._send(answer, error)

    def _fail_all(self, error: ApiError) -> None:
        for answer in {answer for answer, _ in self._choices.values()}:
            self._fail(answer, error)

    def _measure(self) -> None:
        self.metrics.blocks_used.set(self.engine.num_used_blocks)
        self.metrics.running.set(len(self.engine.state.running))
        self.metrics.waiting.set(self.engine.num_waiting)
