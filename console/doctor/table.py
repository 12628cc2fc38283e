"""The one table of probes; docs/doctor.md is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from console.doctor.canary import CanaryRefused
from console.doctor.credentials import CredentialEnding, IdentitiesApart, TokenGiven
from console.doctor.keeping import (
    AnchorsFollow,
    DatabaseReady,
    DiskRoom,
    LedgerWhole,
    PoliciesLoaded,
)
from console.doctor.outside import OutsideReach
from console.doctor.permissions import MailboxesScoped, PermissionsEnough, PermissionsLeast
from console.doctor.privileges import OwnUser, PrivilegesEnough, PrivilegesLeast
from console.doctor.probe import Probe
from console.doctor.services import ClockAgrees, ServicesAnswer
from console.doctor.steps import DeliveriesArrive, StepsRegistered, SwitchesOn
from console.doctor.unproved import OpenQuestions

PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        each.code: each
        for each in (
            DatabaseReady(), PoliciesLoaded(), TokenGiven(), ServicesAnswer(), CredentialEnding(),
            ClockAgrees(), IdentitiesApart(), PermissionsEnough(), PermissionsLeast(),
            MailboxesScoped(), CanaryRefused(), OwnUser(), PrivilegesEnough(), PrivilegesLeast(),
            StepsRegistered(), DeliveriesArrive(), SwitchesOn(), OutsideReach(), LedgerWhole(),
            AnchorsFollow(), DiskRoom(), OpenQuestions(),
        )
    }
)  # fmt: skip
"""Every probe by its code, in the order in which they are told."""

# What the others lean on is asked first, one after the other.
FIRST = ("database-ready", "policies-loaded", "token-given", "services-answer")
