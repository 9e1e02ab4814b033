"""Run the handlers of pgflow flows."""
