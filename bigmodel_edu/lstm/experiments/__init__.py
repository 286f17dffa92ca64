"""What chapter 2 trains and evaluates: a classifier of sentences, and a model that writes."""
