"""Demo."""

import sqlalchemy as sa
from alembic import op

revision = 'demo_0001'
down_revision = None
branch_labels = ('demo',)
depends_on = None


def upgrade() -> None:
    op.create_table('demo_load',
    sa.Column('seed', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('end_date', sa.Date(), nullable=False),
    sa.Column('loaded_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('seed', name=op.f('pk_demo_load'))
    )


def downgrade() -> None:
    op.drop_table('demo_load')
