"""Text to the ids of its bytes."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            text = pb.get_input_tensor_by_name(request, "TEXT").as_numpy()  # 1 1
            ids = np.frombuffer(text[0, 0], np.uint8).astype(np.int64)[None]  # 1 T
            answers.append(pb.InferenceResponse([pb.Tensor("IDS", ids)]))
        return answers
