"""The dashboard: a web page that shows flows, runs and workers as they are, and starts runs."""
