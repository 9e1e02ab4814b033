"""Measures pgflow on a throwaway server with durable commits."""
