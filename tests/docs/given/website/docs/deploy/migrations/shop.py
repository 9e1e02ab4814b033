from pgflow_dsl import Flow

shipping = Flow("shipping", input=int)


@shipping.step
def ship(order: int = shipping.input) -> str:
    return f"order {order} is on its way"
