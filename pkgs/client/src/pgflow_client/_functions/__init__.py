"""Every call of a function of the core: its SQL text, its arguments, and what comes back."""
