from pgflow_dsl import job


@job
def greet(name: str) -> str:
    return f"Hello, {name}"
