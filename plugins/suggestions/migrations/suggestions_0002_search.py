"""An index for the search."""

import sqlalchemy as sa
from alembic import op

revision = 'suggestions_0002'
down_revision = 'suggestions_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_suggestions_suggestion_title_search', 'suggestions_suggestion', [sa.text('lower(title) text_pattern_ops')]
    )


def downgrade() -> None:
    op.drop_index('ix_suggestions_suggestion_title_search', table_name='suggestions_suggestion')
