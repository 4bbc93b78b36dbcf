"""An index for the words of suggestions."""

import sqlalchemy as sa
from alembic import op

revision = 'suggestions_0003'
down_revision = 'suggestions_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_suggestions_suggestion_body_words', 'suggestions_suggestion',
        [sa.text("to_tsvector('simple', left(body, 100000))")], postgresql_using='gin',
    )


def downgrade() -> None:
    op.drop_index('ix_suggestions_suggestion_body_words', table_name='suggestions_suggestion')
