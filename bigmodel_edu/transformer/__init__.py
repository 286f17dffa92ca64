"""Chapter 4: Transformer."""
