"""What chapter 1 trains with: a plain loop in NumPy, and images that are varied at random."""
