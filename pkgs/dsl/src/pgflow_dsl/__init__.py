"""Define typed pgflow flows with ordinary functions and compile them to SQL."""
