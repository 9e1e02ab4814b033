from pgflow_dsl import Flow

shop = Flow("shop", input=list[str])


@shop.map(over=shop.input)
def pack(piece: str) -> str:
    return f"packed: {piece}"
