"""Flows as pictures and as text that others make pictures of."""

from pgflow_cli.graph.model import FlowGraph, Node, graph_of_code, graph_of_definition

__all__ = ["FlowGraph", "Node", "graph_of_code", "graph_of_definition"]
