from pgflow_dsl import Flow

order = Flow("order", input=dict[str, int])


@order.step
def ship(placed: dict[str, int] = order.input) -> str:
    return f"order {placed['number']} is on its way"
