"""The commands of `pgflow`, one module each; they parse, call and print."""
