"""Leaderboards are read from their indexes alone."""

from alembic import op

revision = 'contributions_0004'
down_revision = 'contributions_0003'
branch_labels = None
depends_on = None

RANKS = {
    'contributions_progress': ['points', 'member_id'],
    'contributions_type_progress': ['type', 'points', 'member_id'],
    'contributions_month_progress': ['month', 'points', 'member_id'],
    'contributions_board_progress': ['board', 'points', 'member_id'],
}


def upgrade() -> None:
    for table, columns in RANKS.items():
        op.drop_index(f'ix_{table}_rank', table_name=table)
        op.create_index(f'ix_{table}_rank', table, columns, unique=False, postgresql_include=['count'])


def downgrade() -> None:
    for table, columns in RANKS.items():
        op.drop_index(f'ix_{table}_rank', table_name=table)
        op.create_index(f'ix_{table}_rank', table, columns, unique=False)
