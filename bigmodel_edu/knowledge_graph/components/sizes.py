"""The sizes of the examples, and those at which speed is measured."""

B, NEGATIVES = 128, 256  # facts of a batch, and negatives of each, with which speed is measured
GRAPH = (13, 3)  # entities and relations of the examples
ENTITIES, RELATIONS, WIDTH = 5000, 11, 200  # of the graph with which speed is measured
