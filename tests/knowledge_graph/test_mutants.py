"""Chapter 8 broken on purpose: each slip in a line must be caught by a judge."""

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.components import Component


def component(name: str) -> Component:
    return catalogue.component(f"knowledge_graph.{name}")


# (file, right, wrong, component)
SLIPS = [
    ("reference/models.py", "return s + r", "return s - r", "transe_l2"),
    ("reference/models.py", "return dq, dq", "return dq, -dq", "transe_l1"),
    ("reference/models.py", "return s * r", "return s + r", "distmult"),
    ("reference/models.py", "return dq * r, dq * s", "return dq * s, dq * r", "distmult"),
    (
        "reference/models.py",
        "return complex_product(s, r)",
        "return complex_product(s, conjugate(r))",
        "complex",
    ),
    (
        "reference/models.py",
        "complex_product(dq, conjugate(r)), complex",
        "complex_product(dq, r), complex",
        "complex",
    ),
    (
        "reference/models.py",
        "        return conjugate(r)",
        "        return r",
        "complex_candidates",
    ),
    (
        "reference/models.py",
        "dq_imaginary * q_real - dq_real",
        "dq_imaginary * q_real + dq_real",
        "rotate",
    ),
    (
        "reference/models.py",
        "complex_product(dq, rotation(-r)), dr",
        "complex_product(dq, rotation(r)), dr",
        "rotate",
    ),
    (
        "reference/models.py",
        "d_entities + self.scatter_add(sources, ds, entities)",
        "d_entities",
        "transe_l2",
    ),
    (
        "reference/models.py",
        "self.scatter_add(sources, ds, entities)",
        "np.zeros_like(entities)",
        "distmult_candidates",
    ),
    (
        "reference/models.py",
        "np.where(self.is_inverse(relations), self.inverse(dr), dr)",
        "dr",
        "transe_l1",
    ),
    (
        "reference/models.py",
        "relations >= self.num_relations)",
        "relations > self.num_relations)",
        "complex",
    ),
    (
        "reference/models.py",
        "return table[relations]",
        "return table[relations % self.num_relations]",
        "rotate_reciprocal",
    ),
    ("reference/complex_numbers.py", "a * c - b * d", "a * c + b * d", "complex"),
    (
        "reference/complex_numbers.py",
        "squares += imaginary * imaginary",
        "squares += 2 * imaginary * imaginary",
        "rotate",
    ),
    ("reference/complex_numbers.py", "(real, -imaginary)", "(-real, imaginary)", "complex"),
    (
        "reference/complex_numbers.py",
        "(np.cos(angles), np.sin(angles))",
        "(np.sin(angles), np.cos(angles))",
        "rotate",
    ),
    ("reference/matching.py", "squares *= -2", "squares *= -1.9", "transe_l2"),
    (
        "reference/matching.py",
        "distances = lengths(q[:, None] - t)",
        "distances = lengths(q[:, None] + t)",
        "transe_l2_candidates",
    ),
    ("reference/matching.py", "dq = far @ t - far", "dq = far @ t + far", "transe_l2"),
    ("reference/matching.py", "dt = far.T @ q - far", "dt = far.T @ q + far", "transe_l2"),
    (
        "reference/matching.py",
        "dq[b] -= weights @ directions",
        "dq[b] += weights @ directions",
        "transe_l1",
    ),
    ("reference/matching.py", "dt[rows] += directions", "dt[rows] = directions", "rotate"),
    ("reference/matching.py", "dt *= dy[..., None]", "dt *= 1", "transe_l1_candidates"),
    ("reference/matching.py", "self.divide(differences, sizes)", "pass", "rotate"),
    ("reference/penalties.py", "total / len(sources)", "total", "n3"),
    ("reference/penalties.py", "relations % self.model.relation_rows", "0 * relations", "n3_real"),
    ("reference/penalties.py", "self.power * sizes", "sizes", "l2"),
    (
        "reference/penalties.py",
        "sizes ** (self.power - 2) * x",
        "sizes ** (self.power - 1)",
        "n3_real",
    ),
    (
        "reference/penalties.py",
        '"entity.weight": self.model.has_complex_entities',
        '"entity.weight": False',
        "n3",
    ),
    ("reference/penalties.py", "if not (self.model.has_angles and", "if not (False and", "l2"),
    ("reference/rgcn.py", "1 / counts[place]", "1 / counts[place] ** 2", "rgcn"),
    ("reference/rgcn.py", "own[:, 0], own[:, 2]", "own[:, 2], own[:, 0]", "rgcn"),
    ("reference/rgcn.py", "d_bases += coefficients", "d_bases = coefficients", "rgcn"),
    ("reference/rgcn.py", "(bases * d_weight).sum", "(bases * d_weight).mean", "rgcn"),
    ("reference/rgcn.py", "shares * d_means[place]", "d_means[place]", "rgcn"),
    ("reference/rgcn.py", "dx += scatter_add", "dx = scatter_add", "rgcn"),
    ("reference/losses.py", "lacking > 0", "lacking > -9", "margin_loss"),
    (
        "reference/losses.py",
        "self.margin - positive[:, None] + n",
        "-positive[:, None] + n",
        "margin_loss",
    ),
    ("reference/losses.py", "dy / violated.size", "dy / len(violated)", "margin_loss"),
    ("reference/losses.py", "-d_negative.sum(axis=1)", "-d_negative.mean(axis=1)", "margin_loss"),
    (
        "reference/losses.py",
        "softplus(-positive).sum()",
        "softplus(positive).sum()",
        "logistic_loss",
    ),
    (
        "reference/losses.py",
        "return total / (positive.size + negative.size)",
        "return total / negative.size",
        "logistic_loss",
    ),
    (
        "reference/losses.py",
        "scale * sigmoid(negative)), {}",
        "scale * sigmoid(-negative)), {}",
        "logistic_loss",
    ),
    (
        "reference/losses.py",
        "negative + self.margin",
        "negative - self.margin",
        "self_adversarial_loss",
    ),
    ("reference/losses.py", "scale * weights * sig", "scale * sig", "self_adversarial_loss"),
    (
        "reference/losses.py",
        "softmax(self.temperature * n",
        "softmax(n",
        "self_adversarial_weights",
    ),
    ("torch_impl/losses.py", "negative).mean()", "negative).sum()", "margin_loss"),
    ("torch_impl/losses.py", "labels[:, 0] = 1", "labels[:, 1] = 1", "logistic_loss"),
    ("torch_impl/losses.py", ").sum(dim=1)", ").mean(dim=1)", "self_adversarial_loss"),
    ("reference/ranking.py", "scores > own", "scores < own", "ranks"),
    (
        "reference/ranking.py",
        "np.count_nonzero(scores == own",
        "np.count_nonzero(scores >= own",
        "ranks",
    ),
    ("reference/ranking.py", "above + 1, above + level", "above, above + level", "ranks"),
    ("reference/ranking.py", "rows[of_known > to_beat]", "rows[of_known >= to_beat]", "ranks"),
    ("reference/ranking.py", "rows[of_known == to_beat]", "rows[of_known < to_beat]", "ranks"),
    ("reference/ranking.py", "columns != targets[rows]", "columns != -1", "ranks"),
    (
        "reference/ranking.py",
        "self.optimistic + self.pess",
        "self.pessimistic + self.pess",
        "ranks",
    ),
    ("reference/ranking.py", "ranks <= k", "ranks < k", "rank_metrics"),
    ("reference/ranking.py", "(1 / ranks).mean()", "1 / ranks.mean()", "rank_metrics"),
    (
        "reference/ranking.py",
        "(candidates - 1).mean() / 2",
        "candidates.mean() / 2",
        "rank_metrics",
    ),
    ("reference/sampling.py", "tails / np.max", "heads / np.max", "bernoulli_head_probability"),
    (
        "reference/sampling.py",
        "for side in (0, 2)",
        "for side in (0, 0)",
        "bernoulli_head_probability",
    ),
]


@pytest.mark.parametrize(
    ("file", "line", "slip", "name"),
    SLIPS,
    ids=[f"{file}: {line[:30]} → {slip[:30]}" for file, line, slip, _ in SLIPS],
)
def test_a_slip_in_one_line_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("knowledge_graph", file, line, slip)
    assert caught_by(component(name))


def test_nothing_is_caught_without_a_slip(caught_by):
    names = {name for *_, name in SLIPS}
    assert not {name for name in names if caught_by(component(name))}
