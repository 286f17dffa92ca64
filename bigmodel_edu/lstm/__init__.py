"""Chapter 2: LSTM."""
