"""Bytes that Dataverse posted become a delivery, and a delivery becomes a change."""

from guard.receive.change import change_from
from guard.receive.delivery import Delivery, read_delivery

__all__ = ["Delivery", "change_from", "read_delivery"]
