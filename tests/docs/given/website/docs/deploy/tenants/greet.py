from pgflow_dsl import Flow

greet = Flow("greet", input=str)


@greet.step
def hello(name: str = greet.input) -> str:
    return f"hello {name}"
