"""A conversation: what was said before comes from this instance, and not from the client."""

import json

import numpy as np
import triton_python_backend_utils as pb

from serving_stack.triton.small import greedy, small_model


def number(request, name):
    return int(pb.get_input_tensor_by_name(request, name).as_numpy().item())


class TritonPythonModel:
    def initialize(self, args):
        self.max_tokens = int(json.loads(args["model_config"])["parameters"]["max_tokens"]["string_value"])
        self.model = small_model()
        self.said = {}  # ids of each conversation

    def execute(self, requests):
        """Slots without a request get an empty answer, which nobody reads."""
        ready = [request for request in requests if number(request, "READY")]
        for request in ready:
            which = number(request, "CORRELATION")
            new = pb.get_input_tensor_by_name(request, "IDS").as_numpy()[0].tolist()
            self.said[which] = new if number(request, "START") else self.said[which] + new
        which = [number(request, "CORRELATION") for request in ready]
        outputs = iter(greedy(self.model, [self.said[w] for w in which], self.max_tokens))
        return [self.answer(r, next(outputs)) if number(r, "READY") else response([], 0) for r in requests]

    def answer(self, request, output):
        which = number(request, "CORRELATION")
        self.said[which] += output
        length = len(self.said[which])
        if number(request, "END"):
            del self.said[which]
        return response(output, length)


def response(output, length):
    tensors = pb.Tensor("NEW_IDS", np.array([output], np.int64)), pb.Tensor("LENGTH", np.array([[length]], np.int32))
    return pb.InferenceResponse(list(tensors))
