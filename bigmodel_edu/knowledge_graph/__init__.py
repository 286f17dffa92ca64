"""Chapter 8: knowledge graphs."""
