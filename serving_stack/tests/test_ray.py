"""Ray Serve: two replicas give the engine's answers through the same API, and load starts a second one."""

import pytest
from starlette.testclient import TestClient

from serving_stack import EngineConfig
from serving_stack.lab.running import free_port, running
from serving_stack.lab.scale import at_once, random_model, stream, until_two
from serving_stack.scale import AUTOSCALING, Recipe, application, cluster, replica_app

BODY = {"model": "tiny", "prompt": "hello", "max_tokens": 8, "temperature": 0}


def test_a_replica_signs_what_it_answers():
    answers = []
    for name in ("a", "b"):
        with TestClient(replica_app(Recipe(random_model), name)) as client:
            answers.append(client.post("/v1/completions", json=BODY))
    assert [a.headers["x-replica"] for a in answers] == ["a", "b"]
    assert answers[0].json()["choices"] == answers[1].json()["choices"]


def test_a_replica_refuses_what_does_not_fit_its_queue():
    with TestClient(replica_app(Recipe(random_model, max_waiting=1))) as client:
        assert client.post("/v1/completions", json={**BODY, "n": 2}).status_code == 429


def test_autoscaling_is_bounded():
    assert 1 <= AUTOSCALING["min_replicas"] < AUTOSCALING["max_replicas"]
    recipe = Recipe(random_model)
    assert AUTOSCALING["target_ongoing_requests"] <= recipe.max_running + recipe.max_waiting


@pytest.mark.ray
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")  # of Ray's own code
def test_replicas_answer_as_the_server_does():
    pytest.importorskip("ray", reason="Ray is in the extra 'peers-ray'")
    import openai
    from ray import serve

    with pytest.raises(ValueError, match="replicas"):
        application(Recipe(random_model), AUTOSCALING, 2)
    config = EngineConfig(128)
    with running(random_model(config), config) as server:
        want = [stream(server.url, f"hello {i}", 16)["text"] for i in range(12)]
    with cluster(free_port()) as url:
        serve.run(application(Recipe(random_model), replicas=2), name="two", route_prefix="/")
        found = at_once(url, 12, 16)
        assert [answer["text"] for answer in found] == want
        assert len({answer["replica"] for answer in found}) == 2
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        chunks = list(client.completions.create(model="tiny", prompt="hello 0", max_tokens=16, stream=True,
                                                temperature=0))  # fmt: skip
        assert "".join(chunk.choices[0].text for chunk in chunks) == want[0]
        with pytest.raises(openai.NotFoundError):
            client.completions.create(model="other", prompt="hello")
        serve.delete("two")
        assert until_two(url) is not None
