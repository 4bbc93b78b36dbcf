"""Set up Flask-AppBuilder behind our identity, permissions and templates."""

from __future__ import annotations

from decimal import localcontext
from typing import Any

from flask import Blueprint, Flask, current_app
from flask_appbuilder import AppBuilder
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_babel import format_decimal
from flask_login import UserMixin
from werkzeug.local import LocalProxy

from core.access import permission_name
from core.db.session import current
from core.errors import Forbidden
from core.fab.acts import record_acts
from core.fab.guard import METHODS
from core.fab.tabs import OWN, record_tabs
from core.fab.views import class_name, view_of
from core.gateway.request import actor, owned_by
from core.registry import Registry
from core.resources.resource import BoundResource

ACTIONS = {f"can_{method}": action for action, method in METHODS.items()}


class SignedIn(UserMixin):  # type: ignore[misc]
    """What FAB's decorators ask of a user; identity and permissions are the gateway's."""

    def __init__(self) -> None:
        self.id = str(actor().member_id)
        self.is_signed_in = actor().member_id is not None

    @property
    def is_authenticated(self) -> bool:
        return self.is_signed_in


class GatewaySecurity(SecurityManager):  # type: ignore[misc]
    """Asks the gateway's actor; FAB's own login, tokens and permission writes are not used."""

    views: dict[str, str]
    resources: dict[str, BoundResource]

    def create_login_manager(self, *arguments: Any) -> Any:
        manager = super().create_login_manager(*arguments)
        manager.request_loader(lambda _request: SignedIn())
        return manager

    def register_views(self) -> None:
        """None of FAB's security pages: members and roles have pages of our own."""

    def has_access(self, permission: str, view: str) -> bool:
        key = self.views.get(view, view)
        if "." not in key:
            return False
        action = ACTIONS.get(permission, permission.removeprefix("can_"))
        if key not in self.resources:
            return actor().can(permission_name(f"can_{action}", key))
        try:
            self.resources[key].visible(actor(), action)
        except Forbidden:
            return False
        return True


def exact(number: Any) -> str:
    """A number in the reader's language with all its digits: amounts have up to 38, Decimal keeps 28 by itself."""
    with localcontext(prec=100):
        shown: str = format_decimal(number)
    return shown


def install(app: Flask, registry: Registry) -> AppBuilder:
    """Register FAB and the generated pages of every resource."""
    app.config.update(
        FAB_CREATE_DB=False,
        FAB_UPDATE_PERMS=False,
        FAB_ADD_SECURITY_VIEWS=False,
        FAB_ADD_SECURITY_API=False,
        FAB_API_SWAGGER_UI=False,
        FAB_ADD_OPENAPI_VIEWS=False,
        FAB_ADD_MENU_API=False,
        FAB_BASE_TEMPLATE="guildhall/base.html",
        APP_NAME="Guildhall",
    )
    builder = Builder(security_manager_class=GatewaySecurity)
    builder.init_app(app, LocalProxy(current))
    app.jinja_env.filters["decimalformat"] = exact
    app.jinja_env.globals["record_tabs"] = record_tabs
    app.jinja_env.globals["record_acts"] = record_acts
    app.extensions[OWN] = {}
    builder.sm.resources = registry.resources
    builder.sm.views = {class_name(bound): bound.key for bound in registry.resources.values()}
    for bound in registry.resources.values():
        builder.add_view_no_menu(view_of(bound))
        owned_by(app, bound.plugin, class_name(bound))
    return builder


class Builder(AppBuilder):  # type: ignore[misc]
    """FAB without the views it adds unasked: index, OpenAPI, menu, locale."""

    get_url_for_index = "/"

    def _add_admin_views(self) -> None:
        from flask_appbuilder.views import UtilView

        self.add_view_no_menu(UtilView)

    def _add_global_static(self) -> None:
        """Its templates, which ours replace, but none of its scripts and styles."""
        current_app.register_blueprint(Blueprint("appbuilder", "flask_appbuilder.base", template_folder="templates"))

    def _add_menu_permissions(self, *_arguments: Any, **_named: Any) -> None:
        """Menus are ours."""


__all__ = ["Builder", "GatewaySecurity", "install"]
