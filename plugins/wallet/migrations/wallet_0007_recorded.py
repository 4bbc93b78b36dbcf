"""An index for reports of a period, which is small: entries lie in the order in which they were recorded."""

from alembic import op

revision = 'wallet_0007'
down_revision = 'wallet_0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_wallet_entry_recorded_at', 'wallet_entry', ['recorded_at'],
        postgresql_using='brin', postgresql_with={'autosummarize': 'on'},
    )


def downgrade() -> None:
    op.drop_index('ix_wallet_entry_recorded_at', table_name='wallet_entry')
