"""Notices know the event that mails them; refused mail is found."""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notifications_notification", sa.Column("event_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_notifications_notification_refused",
        "notifications_notification",
        ["id"],
        postgresql_where=sa.text("mail_error IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_notifications_notification_refused", table_name="notifications_notification")
    op.drop_column("notifications_notification", "event_id")
