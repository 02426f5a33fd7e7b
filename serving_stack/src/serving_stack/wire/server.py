"""The routes, and a shutdown that loses no stream.

`/health` says that the process lives, `/ready` that it wants requests. On SIGTERM `/ready` turns first; requests that
are here are answered to their end; then the process exits with 0.
"""

import asyncio
import contextlib
import signal
import threading
import time
from importlib.resources import files

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from .answers import collect, events
from .errors import ApiError
from .protocol import CHAT, COMPLETION, parse, parse_json
from .served import Answer
from .service import Service

PAGE = files(__package__).joinpath("page.html")


def create_app(service: Service) -> FastAPI:
    """The application of one service. The engine's thread starts and ends with it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        service.start()
        yield
        service.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service, app.state.open = service, 0
    app.add_exception_handler(ApiError, _error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_api_route("/", lambda: HTMLResponse(PAGE.read_text(encoding="utf-8")), methods=["GET"])
    app.add_api_route("/health", lambda: Response(status_code=503 if service.failed else 200), methods=["GET"])
    app.add_api_route("/ready", lambda: Response(status_code=200 if service.ready else 503), methods=["GET"])
    app.add_api_route("/metrics", lambda: Response(service.metrics.text(), media_type="text/plain; version=0.0.4"),
                      methods=["GET"])  # fmt: skip
    app.add_api_route("/v1/models", lambda: {"object": "list", "data": [_card(service)]}, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", _model, methods=["GET"])
    app.add_api_route("/v1/chat/completions", _chat, methods=["POST"])
    app.add_api_route("/v1/completions", _completion, methods=["POST"])
    return app


def _card(service: Service) -> dict:
    return {"id": service.served.name, "object": "model", "created": 0, "owned_by": "serving_stack"}


async def _model(request: Request, name: str) -> dict:
    service = request.app.state.service
    if name != service.served.name:
        raise ApiError(404, f"the model {name!r} does not exist", "model", "model_not_found")
    return _card(service)


async def _chat(request: Request) -> Response:
    return await _generate(request, CHAT)


async def _completion(request: Request) -> Response:
    return await _generate(request, COMPLETION)


async def _generate(request: Request, kind: str) -> Response:
    """Check the body, queue the request, and answer at once or piece by piece."""
    service: Service = request.app.state.service
    body = parse_json(await _body(request, service.limits.max_body))
    generation = parse(body, kind, service.served.name, len(service.served.token_bytes))
    answer = service.submit(generation)
    headers = {"x-request-id": _request_id(request, answer)}
    _count(request.app, 1)
    if generation.stream:
        return EventResponse(request.app, answer, headers)
    try:
        return JSONResponse(await _unless_gone(request, answer), headers=headers)
    finally:
        service.abort(answer)
        _count(request.app, -1)


class EventResponse(StreamingResponse):
    """The events of an answer. However it ends, before its first event or after its last, the requests leave."""

    def __init__(self, app: FastAPI, answer: Answer, headers: dict[str, str]):
        headers = {**headers, "cache-control": "no-cache"}
        super().__init__(events(answer, app.state.service), media_type="text/event-stream", headers=headers)
        self.app, self.answer = app, answer

    async def __call__(self, scope, receive, send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.app.state.service.abort(self.answer)
            _count(self.app, -1)


async def _unless_gone(request: Request, answer: Answer) -> dict:
    """The whole answer; stops waiting when the client has gone."""
    whole = asyncio.ensure_future(collect(answer, request.app.state.service))
    try:
        while not whole.done():
            await asyncio.wait({whole}, timeout=0.1)
            if not whole.done() and await request.is_disconnected():
                raise ApiError(499, "the client has gone")
        return whole.result()
    finally:
        whole.cancel()


async def _body(request: Request, most: int) -> bytes:
    """The body, read until it is longer than allowed."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise ApiError(413, f"the body is longer than {most} bytes", code="body_too_large")
    return bytes(data)


def _count(app: FastAPI, change: int) -> None:
    app.state.open += change
    app.state.service.metrics.open.set(app.state.open)


def _request_id(request: Request, answer: Answer) -> str:
    """The client's own id, if it is short and printable, else ours. It names the answer, never the engine's request."""
    own = request.headers.get("x-request-id", "")
    return own if 0 < len(own) <= 128 and own.isascii() and own.isprintable() else answer.id


async def _error(request: Request, error: ApiError) -> JSONResponse:
    headers = {"retry-after": str(error.retry)} if error.retry else {}
    if error.status in (413, 503):
        headers["connection"] = "close"
    return JSONResponse(error.body(), error.status, headers)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    return await _error(request, ApiError(error.status_code, str(error.detail), code="not_found"))


class GracefulServer(uvicorn.Server):
    """uvicorn closes its door the moment SIGTERM arrives. This one first says that it is not ready."""

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 8000):
        quiet = {"log_level": "warning", "lifespan": "on", "http": "h11"}
        super().__init__(uvicorn.Config(app, host=host, port=port, timeout_keep_alive=5, **quiet))
        self.app = app

    @contextlib.contextmanager
    def capture_signals(self):
        """Handle signals while serving, and do not raise them again afterwards: the exit code is 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.drain) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def drain(self, *_: object) -> None:
        """Not ready any more; leave when the last answer is sent. A second signal does not wait."""
        service = self.app.state.service
        if service.draining:
            self.should_exit = self.force_exit = True
        elif not service.draining:
            service.draining = True
            threading.Thread(target=self._leave, daemon=True).start()

    def _leave(self) -> None:
        limits = self.app.state.service.limits
        end = time.monotonic() + limits.drain_timeout
        time.sleep(limits.drain_delay)
        while self.app.state.open and time.monotonic() < end:
            time.sleep(0.02)
        self.should_exit = True
