"""What chapter 4 trains and evaluates: a small Transformer that translates dates."""
