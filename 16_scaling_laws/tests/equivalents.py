"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

NEVER_LESS = "a largest value is never below the smallest"
CENTRED = "the centred numbers sum to zero, so the constant that is added to the other factor drops out"
SAME_AXIS = "this axis is the same one counted from the end"
SQUARED = "only its square is used"

EQUIVALENT: dict[str, dict[str, str]] = {
    "train_run": {
        "optimizer -> model, in: optimizer.zero_grad()": "the optimizer holds exactly the model's parameters",
    },
}
