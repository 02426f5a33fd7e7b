"""The engine: all requests of one call run together."""

import json
import os

import numpy as np
import triton_python_backend_utils as pb

from serving_stack.triton.small import greedy, small_model


class TritonPythonModel:
    def initialize(self, args):
        self.max_tokens = int(json.loads(args["model_config"])["parameters"]["max_tokens"]["string_value"])
        self.model = small_model()

    def execute(self, requests):
        prompts = [pb.get_input_tensor_by_name(r, "IDS").as_numpy()[0].tolist() for r in requests]
        batch = np.array([[len(requests)]], np.int32)
        worker = np.array([[os.getpid()]], np.int64)
        answers = []
        for output in greedy(self.model, prompts, self.max_tokens):
            tensors = [pb.Tensor("NEW_IDS", np.array([output], np.int64)), pb.Tensor("BATCH", batch)]
            answers.append(pb.InferenceResponse([*tensors, pb.Tensor("WORKER", worker)]))
        return answers
