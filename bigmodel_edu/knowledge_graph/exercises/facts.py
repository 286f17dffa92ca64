"""Facts of one relation, for the cases of several exercises."""


def facts_of(relation: int, *pairs: tuple[int, int]) -> list[tuple[int, int, int]]:
    return [(head, relation, tail) for head, tail in pairs]
