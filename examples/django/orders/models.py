"""What the shop keeps."""

from __future__ import annotations

from uuid import UUID

from django.db import models


class Order(models.Model):
    """An order, and the run that carries it out."""

    customer: models.CharField[str, str] = models.CharField(max_length=100)
    run_id: models.UUIDField[UUID, UUID] = models.UUIDField()

    def __str__(self) -> str:
        return f"order {self.pk} of {self.customer}"
