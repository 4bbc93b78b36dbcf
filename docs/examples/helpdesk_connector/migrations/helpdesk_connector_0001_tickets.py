"""Tickets."""

import sqlalchemy as sa
from alembic import op

revision = "helpdesk_connector_0001"
down_revision = None
branch_labels = ("helpdesk_connector",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "helpdesk_connector_ticket",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("suggestion_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_helpdesk_connector_ticket")),
        sa.UniqueConstraint("suggestion_id", name=op.f("uq_helpdesk_connector_ticket_suggestion_id")),
    )


def downgrade() -> None:
    op.drop_table("helpdesk_connector_ticket")
