"""Suggestions."""

import sqlalchemy as sa
from alembic import op

revision = 'suggestions_0001'
down_revision = None
branch_labels = ('suggestions',)
depends_on = None


def upgrade() -> None:
    op.create_table('suggestions_suggestion',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('author_id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.String(length=120), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('status', sa.Enum('new', 'planned', 'done', 'declined', name='new_planned_done_declined', native_enum=False, create_constraint=True, length=40), server_default='new', nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['core_member.id'], name=op.f('fk_suggestions_suggestion_author_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suggestions_suggestion'))
    )
    op.create_index(op.f('ix_suggestions_suggestion_author_id'), 'suggestions_suggestion', ['author_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_suggestions_suggestion_author_id'), table_name='suggestions_suggestion')
    op.drop_table('suggestions_suggestion')
