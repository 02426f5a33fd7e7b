"""What theory says about models that are larger than their data: each page against its own formula.

Read in this order:
    double_descent.py   ridgeless regression and random features
    network.py          the small network that the next files look at
    hessian.py          Lanczos, sharpness and the edge of stability
    landscape.py        slices with filter normalisation
    saddles.py          saddle points against minima
    information.py      the information bottleneck and its estimate
    bounds.py           Rademacher and PAC-Bayes bounds
    universal.py        universal approximation, with its proof; width against depth
    lottery.py          why a random network holds a good one
"""

from .double_descent import min_norm_fit, random_feature_risk, ridgeless_risk, simulate_ridgeless

__all__ = ["min_norm_fit", "random_feature_risk", "ridgeless_risk", "simulate_ridgeless"]
