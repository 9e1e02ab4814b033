"""Orders of customers, and the flow that carries them out."""
