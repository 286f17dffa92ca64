"""What chapter 8 trains and evaluates: models of a graph, and what they can be asked."""
