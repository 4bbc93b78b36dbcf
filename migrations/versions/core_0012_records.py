"""Comments on records; events by the member they are about."""

import sqlalchemy as sa
from alembic import op

revision = "core_0012"
down_revision = "core_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    people = {"member_id": "RESTRICT", "author_id": "RESTRICT", "deleted_by": "RESTRICT"}
    op.create_table(
        "core_comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_type", sa.String(length=120), nullable=False),
        sa.Column("subject_id", sa.String(length=120), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_comment")),
        *(
            sa.ForeignKeyConstraint(
                [column], ["core_member.id"], name=op.f(f"fk_core_comment_{column}_core_member"), ondelete=gone
            )
            for column, gone in people.items()
        ),
    )
    for column in people:
        op.create_index(op.f(f"ix_core_comment_{column}"), "core_comment", [column])
    op.create_index("ix_core_comment_subject", "core_comment", ["subject_type", "subject_id", "id"])
    for table, column, referred in (
        ("core_comment_file", "file_id", "core_file"),
        ("core_comment_mention", "member_id", "core_member"),
    ):
        op.create_table(
            table,
            sa.Column("comment_id", sa.Uuid(), nullable=False),
            sa.Column(column, sa.Uuid(), nullable=False),
            sa.PrimaryKeyConstraint("comment_id", column, name=op.f(f"pk_{table}")),
            sa.ForeignKeyConstraint(
                ["comment_id"],
                ["core_comment.id"],
                name=op.f(f"fk_{table}_comment_id_core_comment"),
                ondelete="CASCADE",
            ),
            sa.ForeignKeyConstraint(
                [column], [f"{referred}.id"], name=op.f(f"fk_{table}_{column}_{referred}"), ondelete="CASCADE"
            ),
        )
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.create_index(
        "ix_core_event_member",
        "core_event",
        [sa.text("(payload ->> 'member_id')"), "id"],
        postgresql_where=sa.text("(payload ->> 'member_id') IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_core_event_member", table_name="core_event")
    op.drop_table("core_comment_mention")
    op.drop_table("core_comment_file")
    op.drop_table("core_comment")
