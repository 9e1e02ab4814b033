"""The `pgflow` console script, also `python -m pgflow_cli`."""

from pgflow_cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
