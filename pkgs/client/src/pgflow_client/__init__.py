"""Start, watch and steer pgflow runs from Python."""
