"""The review inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0009"
down_revision = "core_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    states = "state IN ('open', 'approved', 'rejected', 'withdrawn')"
    op.create_table(
        "core_review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=120), nullable=False),
        sa.Column("subject_id", sa.String(length=80), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("params", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="open", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(states, name=op.f("ck_core_review_state")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_core_review_decided")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_review")),
        *(
            sa.ForeignKeyConstraint([column], ["core_member.id"], name=op.f(f"fk_core_review_{column}_core_member"))
            for column in ("member_id", "opened_by", "assignee_id", "decided_by")
        ),
    )
    for column in ("member_id", "opened_by", "assignee_id", "decided_by"):
        op.create_index(op.f(f"ix_core_review_{column}"), "core_review", [column])
    still_open, closed = sa.text("state = 'open'"), sa.text("state <> 'open'")
    op.create_index(
        "uq_core_review_open_subject", "core_review", ["kind", "subject_id"], unique=True, postgresql_where=still_open
    )
    op.create_index("ix_core_review_open", "core_review", ["due_at", "id"], postgresql_where=still_open)
    op.create_index("ix_core_review_decided", "core_review", ["decided_at", "id"], postgresql_where=closed)
    op.create_index("ix_core_review_subject", "core_review", ["kind", "subject_id"])
    op.create_table(
        "core_review_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_review_note")),
        sa.ForeignKeyConstraint(["review_id"], ["core_review.id"], name=op.f("fk_core_review_note_review_id_core_review")),
        *(
            sa.ForeignKeyConstraint([column], ["core_member.id"], name=op.f(f"fk_core_review_note_{column}_core_member"))
            for column in ("member_id", "author_id")
        ),
    )
    op.create_index(op.f("ix_core_review_note_review_id"), "core_review_note", ["review_id"])
    for column in ("member_id", "author_id"):
        op.create_index(op.f(f"ix_core_review_note_{column}"), "core_review_note", [column])


def downgrade() -> None:
    op.drop_table("core_review_note")
    op.drop_table("core_review")
