"""Chapter 8 broken on purpose: each slip in a line must be caught by a judge."""

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.components import Component


def component(name: str) -> Component:
    return catalogue.component(f"knowledge_graph.{name}")


# (file, right, wrong, component)
SLIPS = [
    ("models.py", "return s + r", "return s - r", "transe_l2"),
    ("models.py", "return dq, dq", "return dq, -dq", "transe_l1"),
    ("models.py", "return s * r", "return s + r", "distmult"),
    ("models.py", "return dq * r, dq * s", "return dq * s, dq * r", "distmult"),
    (
        "models.py",
        "return complex_product(s, r)",
        "return complex_product(s, conjugate(r))",
        "complex",
    ),
    (
        "models.py",
        "complex_product(dq, conjugate(r)), complex",
        "complex_product(dq, r), complex",
        "complex",
    ),
    ("models.py", "        return conjugate(r)", "        return r", "complex_candidates"),
    ("models.py", "dq_imaginary * q_real - dq_real", "dq_imaginary * q_real + dq_real", "rotate"),
    (
        "models.py",
        "complex_product(dq, rotation(-r)), dr",
        "complex_product(dq, rotation(r)), dr",
        "rotate",
    ),
    ("models.py", "            d_entities += dt\n", "            d_entities = dt\n", "transe_l2"),
    (
        "models.py",
        "scatter_add(sources, ds, entities)",
        "np.zeros_like(entities)",
        "distmult_candidates",
    ),
    ("models.py", "np.where(self.is_inverse(relations), self.inverse(dr), dr)", "dr", "transe_l1"),
    ("models.py", "relations >= self.num_relations)", "relations > self.num_relations)", "complex"),
    (
        "models.py",
        "return table[relations]",
        "return table[relations % self.num_relations]",
        "rotate_reciprocal",
    ),
    ("complex_numbers.py", "a * c - b * d", "a * c + b * d", "complex"),
    (
        "complex_numbers.py",
        "squares += imaginary * imaginary",
        "squares += 2 * imaginary * imaginary",
        "rotate",
    ),
    ("complex_numbers.py", "(real, -imaginary)", "(-real, imaginary)", "complex"),
    (
        "complex_numbers.py",
        "(np.cos(angles), np.sin(angles))",
        "(np.sin(angles), np.cos(angles))",
        "rotate",
    ),
    ("matching.py", "squares *= -2", "squares *= -1.9", "transe_l2"),
    (
        "matching.py",
        "distances = lengths(q[:, None] - t)",
        "distances = lengths(q[:, None] + t)",
        "transe_l2_candidates",
    ),
    ("matching.py", "dq = far @ t - far", "dq = far @ t + far", "transe_l2"),
    ("matching.py", "dt = far.T @ q - far", "dt = far.T @ q + far", "transe_l2"),
    ("matching.py", "dq[b] -= weights @ directions", "dq[b] += weights @ directions", "transe_l1"),
    ("matching.py", "dt[rows] += directions", "dt[rows] = directions", "rotate"),
    ("matching.py", "dt *= dy[..., None]", "dt *= 1", "transe_l1_candidates"),
    ("matching.py", "self.divide(differences, sizes)", "pass", "rotate"),
    ("penalties.py", "total / len(sources)", "total", "n3"),
    ("penalties.py", "relations % self.model.relation_rows", "0 * relations", "n3_real"),
    ("penalties.py", "self.power * sizes", "sizes", "l2"),
    ("penalties.py", "sizes ** (self.power - 2) * x", "sizes ** (self.power - 1)", "n3_real"),
    (
        "penalties.py",
        '"entity.weight": self.model.has_complex_entities',
        '"entity.weight": False',
        "n3",
    ),
    ("penalties.py", "if not (self.model.has_angles and", "if not (False and", "l2"),
    ("rgcn.py", "1 / counts[place]", "1 / counts[place] ** 2", "rgcn"),
    ("rgcn.py", "own[:, 0], own[:, 2]", "own[:, 2], own[:, 0]", "rgcn"),
    ("rgcn.py", "d_bases += coefficients", "d_bases = coefficients", "rgcn"),
    ("rgcn.py", "(bases * d_weight).sum", "(bases * d_weight).mean", "rgcn"),
    ("rgcn.py", "shares * d_means[place]", "d_means[place]", "rgcn"),
    ("rgcn.py", "dx += scatter_add", "dx = scatter_add", "rgcn"),
]


@pytest.mark.parametrize(
    ("file", "line", "slip", "name"),
    SLIPS,
    ids=[f"{file}: {line[:30]} → {slip[:30]}" for file, line, slip, _ in SLIPS],
)
def test_a_slip_in_one_line_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("knowledge_graph", f"reference/{file}", line, slip)
    assert caught_by(component(name))


def test_nothing_is_caught_without_a_slip(caught_by):
    names = {name for *_, name in SLIPS}
    assert not {name for name in names if caught_by(component(name))}
