"""Place an order, watch it being packed, read how it stands, cancel it."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import aget_object_or_404, get_object_or_404
from django.views.decorators.http import require_GET, require_POST
from pgflow_client import AsyncClient, Client
from pydantic import ValidationError

from orders.flows import Placed, order, pack, ship
from orders.models import Order

PAGE = Path(__file__).with_name("page.html")

# All pages that watch share it, and with it one listening connection.
watching = AsyncClient(settings.PGFLOW_DATABASE_URL)


def mine(request: HttpRequest, number: int) -> dict[str, Any]:
    """Say which order may be seen: a customer's own. The cookie stands for your sessions."""
    return {"pk": number, "customer": request.get_signed_cookie("customer", default="")}


def client() -> Client:
    """Return a client on Django's own connection, inside of its transaction where one is open."""
    connection.ensure_connection()
    return Client(connection.connection)


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return HttpResponse(PAGE.read_text())


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Believe whoever comes."""
    response = HttpResponse(status=204)
    response.set_signed_cookie("customer", json.loads(request.body)["name"], samesite="Strict")
    return response


@require_POST
def place(request: HttpRequest) -> HttpResponse:
    """Take an order."""
    customer = request.get_signed_cookie("customer", default="")
    if not customer:
        return HttpResponse("sign in first", status=401)
    try:
        placed = Placed.model_validate_json(request.body)
    except ValidationError as error:
        return HttpResponse(str(error), status=400)
    # The run starts if and only if the row is there: both are one transaction.
    with transaction.atomic():
        run = client().start_flow(order, placed)
        taken = Order.objects.create(customer=customer, run_id=run.run_id)
    return JsonResponse({"number": taken.pk}, status=201)


@require_GET
def read(request: HttpRequest, number: int) -> HttpResponse:
    """Tell how an order stands."""
    run_id = get_object_or_404(Order, **mine(request, number)).run_id
    run = client().get_run(run_id, order)
    shipped = run.output_of(ship) if run.status == "completed" else None
    return JsonResponse({"status": run.status, "shipped": shipped})


@require_POST
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    """Cancel an order; what is being packed is left as it is."""
    run_id = get_object_or_404(Order, **mine(request, number)).run_id
    client().get_run(run_id, order).cancel("the customer changed their mind")
    return HttpResponse(status=204)


@require_GET
async def events(request: HttpRequest, number: int) -> HttpResponseBase:
    """Tell how an order comes along, as Server-Sent Events."""
    taken = await aget_object_or_404(Order, **mine(request, number))
    run = await watching.get_run(taken.run_id, order)
    return StreamingHttpResponse(
        run.sse(streams=[pack], after=request.headers.get("Last-Event-ID")),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
