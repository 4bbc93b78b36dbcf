"""How many members have how many points, so that a rank is read without counting them all."""

import sqlalchemy as sa
from alembic import op

revision = 'contributions_0003'
down_revision = 'contributions_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('contributions_rank_bucket',
    sa.Column('bucket', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('bucket', name=op.f('pk_contributions_rank_bucket'))
    )
    op.create_table('contributions_rank_change',
    sa.Column('id', sa.BigInteger(), autoincrement=True, nullable=False),
    sa.Column('bucket', sa.BigInteger(), nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_rank_change'))
    )
    op.execute("""
        INSERT INTO contributions_rank_bucket (bucket, members)
        SELECT floor(points / 16)::bigint, count(*) FROM contributions_progress p
        WHERE points > 0 AND NOT EXISTS (SELECT 1 FROM contributions_hidden h WHERE h.member_id = p.member_id)
        GROUP BY 1
    """)


def downgrade() -> None:
    op.drop_table('contributions_rank_change')
    op.drop_table('contributions_rank_bucket')
