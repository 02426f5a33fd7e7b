"""PCA is scikit-learn's, t-SNE keeps groups together."""

import numpy as np
import pytest
from expect import array, close
from meaning_space.maps import pca, pca_eigh, tsne


def cloud(seed, N=37, D=7):
    """Points with well separated variances, along directions that are not the axes, far from the origin."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((D, D)))[0]
    return rng.standard_normal((N, D)) * 2.0 ** -np.arange(D) @ rotation * 3 + rng.uniform(1, 4, D)


def up_to_sign(got, want):
    """`got` with each row turned to point the way of `want`'s."""
    return got * np.sign((got * want).sum(axis=1, keepdims=True))


@pytest.mark.task("pca")
def test_pca_by_hand(impl):
    x = np.array([[1.0, 1], [3, 1], [5, 1], [3, 2], [3, 0]])
    coordinates, components, variance = impl.pca(x, 2)
    close(array(variance, (2,), "f", "the variance"), [2.0, 0.5], "spread along x is 8 / 4, along y 2 / 4")
    close(np.abs(array(components, (2, 2), "f", "the components")), np.eye(2), "the components are the two axes")
    first = np.abs(array(coordinates, (5, 2), "f", "the coordinates")[:, 0])
    close(first, [2, 0, 2, 0, 0], "coordinates count from the mean")


@pytest.mark.task("pca")
def test_pca_sorts_the_components(impl):
    """The covariance is diagonal, with its eigenvalues in rising order."""
    x = np.concatenate([np.diag([1.0, 2.0, 5.0]), -np.diag([1.0, 2.0, 5.0])])
    _, components, variance = impl.pca(x, 3)
    close(array(variance, (3,), "f", "the variance"), [10, 1.6, 0.4], "2 * 5^2, 2 * 2^2 and 2 * 1^2, divided by 5")
    close(np.abs(components), np.eye(3)[::-1], "the longest axis is the last one, and comes first")


@pytest.mark.parametrize("shape", [(37, 7), (5, 11), (6, 6), (20, 90)])
def test_pca_is_scikit_learns(impl, seed, shape):
    from sklearn.decomposition import PCA  # imported here: it takes seconds, in every graded run

    x = cloud(seed, *shape)
    want = PCA(3, svd_solver="full").fit(x)
    coordinates, components, variance = impl.pca(x, 3)
    array(components, (3, shape[1]), "f", "the components")
    array(coordinates, (shape[0], 3), "f", "the coordinates")
    # Variances differ by a factor of four from one component to the next, so that 1e-6 is far above rounding.
    close(array(variance, (3,), "f", "the variance"), want.explained_variance_, "the variance along each", 1e-6)
    close(up_to_sign(components, want.components_), want.components_, "the components, up to sign", 1e-6, 1e-8)
    theirs = want.transform(x).T
    close(up_to_sign(coordinates.T, theirs), theirs, "the coordinates, up to sign", 1e-6, 1e-8)


@pytest.mark.task("pca")
def test_coordinates_have_the_signs_of_their_components(impl, seed):
    x = cloud(seed)
    coordinates, components, _ = impl.pca(x, 3)
    close(coordinates, (x - x.mean(axis=0)) @ components.T, "the centered points times the components", 1e-6, 1e-8)


@pytest.mark.task("pca")
def test_a_component_without_variance_has_length_one(impl):
    """Three centered points lie in a plane, so that the third variance is 0."""
    _, components, variance = impl.pca(np.array([[1.0, 0, 0, 2], [0, 3, 0, 1], [4, 0, 1, 0]]), 3)
    close(np.linalg.norm(array(components, (3, 4), "f", "the components"), axis=1), np.ones(3), "rows of length one")
    close(variance[2], 0.0, "three points have no variance along a third component", atol=1e-9)


@pytest.mark.task("pca")
@pytest.mark.parametrize("points", ["on a line", "all the same"])
def test_components_without_variance_are_at_right_angles(impl, points):
    line = np.array([[0.0], [1.0], [2.0], [5.0]]) * (points == "on a line")
    coordinates, components, variance = impl.pca(line * np.array([1.0, 2.0, -2.0]) + 3, 3)
    array(components, (3, 3), "f", "the components")
    close(components @ components.T, np.eye(3), "rows of length one, at right angles to each other", atol=1e-9)
    close(
        variance, [42.0 * (points == "on a line"), 0, 0], "the variance along the line, and none elsewhere", atol=1e-9
    )
    close(np.abs(coordinates), np.abs((line - line.mean()) * [3, 0, 0]), "the places on the line", atol=1e-9)


@pytest.mark.task("pca")
def test_pca_of_points_of_one_number(impl):
    coordinates, components, variance = impl.pca(np.array([[1.0], [4.0], [2.0], [9.0]]), 1)
    close(np.abs(array(components, (1, 1), "f", "the components")), [[1.0]], "one dimension has one direction")
    close(array(variance, (1,), "f", "the variance"), [38 / 3], "9 + 0 + 4 + 25, divided by 3")
    close(coordinates * components, [[-3.0], [0], [-2], [5]], "counted from the mean 4", atol=1e-9)


@pytest.mark.task("pca")
@pytest.mark.parametrize("scale", [1e-8, 1e7])
def test_the_unit_of_the_points_does_not_matter(impl, scale):
    x = cloud(1, D=12)  # the last of the variances is 1e-7 of the first
    one, two = impl.pca(x, 12), impl.pca((x * scale).T.copy().T, 12)
    close(two[2] / scale**2, one[2], f"the variance of points times {scale}, in units of the square", 1e-6)
    close(up_to_sign(two[1], one[1]), one[1], f"the components of points times {scale}", 1e-6, 1e-8)


@pytest.mark.task("pca")
def test_pca_tells_nearly_equal_variances_apart(impl):
    axes = np.array([[2.0, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3
    half = np.diag([1, np.sqrt(0.97), 0.1]) @ axes
    _, components, variance = impl.pca(np.concatenate([half, -half]), 2)
    close(variance, [0.4, 0.388], "2 / 5, and 0.97 of it", 1e-6)
    close(up_to_sign(components, axes[:2]), axes[:2], "the components are the axes of the points", 1e-6, 1e-8)


@pytest.mark.task("pca")
def test_pca_does_not_see_where_the_points_are(impl, seed):
    x = cloud(seed)
    one, two = impl.pca(x, 2), impl.pca(x + 100.0, 2)
    close(one[2], two[2], "moving all points by the same vector changes the variance", 1e-6)


@pytest.mark.task("pca")
@pytest.mark.parametrize("points, k", [(37, 0), (37, -1), (37, 8), (5, 6), (1, 1), (0, 1)])
def test_pca_refuses(impl, points, k):
    with pytest.raises(ValueError):
        impl.pca(cloud(0)[:points], k)


@pytest.mark.task("pca")
def test_pca_keeps_its_digits_far_from_the_origin(impl, seed):
    """E[x x'] - m m' would lose them: 1e14 less 1e14 is rounding."""
    x = cloud(seed)
    close(impl.pca(x + 1e7, 2)[2], impl.pca(x, 2)[2], "the variance of points that are 1e7 from the origin", 1e-6)


def test_both_ways_to_the_components_agree():
    x = cloud(5)
    for a, b in zip(pca(x, 4), pca_eigh(x, 4), strict=True):
        close(np.abs(a), np.abs(b), "singular vectors and eigenvectors", 1e-6, 1e-8)


def test_the_covariance_loses_what_the_singular_values_keep():
    """Standard deviations 1 and 1e-9: the covariance holds 1e-18 beside 1, which float64 cannot."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    z = rng.standard_normal((50, 3))
    z = np.linalg.qr(z - z.mean(0))[0] * 7 * np.array([1, 1e-4, 1e-9])  # uncorrelated, variances 1, 1e-8, 1e-18
    small = pca(z @ rotation, 3)[2][2]
    assert abs(small / 1e-18 - 1) < 1e-3
    assert abs(pca_eigh(z @ rotation, 3)[2][2] / 1e-18 - 1) > 1


def test_tsne_keeps_groups_together():
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((3, 20)) * 5
    x = np.repeat(centers, 20, axis=0) + rng.standard_normal((60, 20)) * 0.3
    flat = tsne(x, seed=0, perplexity=10.0)
    group = np.repeat(np.arange(3), 20)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2) + np.diag(np.full(60, np.inf))
    assert (group[distance.argmin(axis=1)] == group).all()
    with pytest.raises(ValueError, match="perplexity=60"):
        tsne(x, 0, perplexity=60.0)
