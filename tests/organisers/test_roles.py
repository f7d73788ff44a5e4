"""What each role may do, and what it may not."""

import pytest

from mailer.organisers import roles
from mailer.organisers.roles import MAY, Permission
from mailer.store.models import Role


def test_every_role_may_see_totals_and_each_permission_is_somebodys() -> None:
    assert MAY.keys() == set(Role)
    assert all(Permission.SEE_TOTALS in may for may in MAY.values())
    assert frozenset[Permission]().union(*MAY.values()) == set(Permission)


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (Permission.APPROVE, {Role.PUBLISHER}),
        (Permission.SEND, {Role.PUBLISHER}),
        (Permission.STOP, {Role.PUBLISHER}),
        (Permission.SUPPORTERS, {Role.PUBLISHER}),
        (Permission.WRITE, {Role.WRITER}),
        (Permission.PAUSE, {Role.WRITER, Role.PUBLISHER}),
        (Permission.MANAGE_ACCOUNTS, {Role.ADMIN}),
        (Permission.SEE_AUDIT, {Role.ADMIN}),
        (Permission.SEE_CAMPAIGNS, set(Role) - {Role.ANALYST}),
    ],
)
def test_only_these_roles_may(permission: Permission, allowed: set[Role]) -> None:
    assert {role for role, may in MAY.items() if permission in may} == allowed


def test_only_analysts_need_no_second_factor() -> None:
    assert [role for role in Role if not roles.need_second_factor([role])] == [Role.ANALYST]
    assert roles.need_second_factor([Role.ANALYST, Role.WRITER])
