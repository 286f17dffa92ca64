"""Chapter 1: neural nets."""
