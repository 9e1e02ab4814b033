"""Which view answers which path."""

from django.urls import path
from orders import views

urlpatterns = [
    path("", views.page),
    path("sign-in", views.sign_in),
    path("orders", views.place),
    path("orders/<int:number>", views.read),
    path("orders/<int:number>/cancel", views.cancel),
    path("orders/<int:number>/events", views.events),
]
