"""What counted on each day of each type, so that figures by day are read without counting all contributions."""

import sqlalchemy as sa
from alembic import op

revision = 'contributions_0007'
down_revision = 'contributions_0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('contributions_day_figure',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(precision=38, scale=0), nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('day', 'type', name=op.f('pk_contributions_day_figure'))
    )
    op.create_table('contributions_day_change',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(precision=38, scale=0), nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_day_change'))
    )
    op.execute("""
        INSERT INTO contributions_day_figure (day, type, count, points, members)
        SELECT (occurred_at AT TIME ZONE 'UTC')::date, type, count(*), sum(points + correction),
            count(DISTINCT member_id)
        FROM contributions_contribution WHERE state = 'counted' GROUP BY 1, 2
    """)


def downgrade() -> None:
    op.drop_table('contributions_day_change')
    op.drop_table('contributions_day_figure')
