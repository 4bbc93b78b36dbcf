"""Imports of files by a job, which can be undone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'contributions_0005'
down_revision = 'contributions_0004'
branch_labels = None
depends_on = None

STATES = ('uploaded', 'checking', 'checked', 'running', 'done', 'undoing', 'undone')


def upgrade() -> None:
    op.create_table(
        'contributions_import',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.String(length=120), nullable=False),
        sa.Column('file_id', sa.Uuid(), nullable=True),
        sa.Column('columns', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column('state', sa.Enum(*STATES, name='_'.join(STATES), native_enum=False, create_constraint=True, length=40), server_default='uploaded', nullable=False),
        sa.Column('figures', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column('lines', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('job_id', sa.Uuid(), nullable=True),
        sa.Column('reason', sa.String(length=200), server_default='', nullable=False),
        sa.Column('made_by', sa.Uuid(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['made_by'], ['core_member.id'], name=op.f('fk_contributions_import_made_by_core_member'), ondelete='RESTRICT'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_import')),
    )
    op.create_index('ix_contributions_import_created', 'contributions_import', ['created_at', 'id'])
    op.create_index(op.f('ix_contributions_import_made_by'), 'contributions_import', ['made_by'])
    op.create_table(
        'contributions_import_row',
        sa.Column('import_id', sa.Uuid(), nullable=False),
        sa.Column('contribution_id', sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(['import_id'], ['contributions_import.id'], name='fk_contributions_import_row_import'),
        sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_import_row_contribution'),
        sa.PrimaryKeyConstraint('import_id', 'contribution_id', name=op.f('pk_contributions_import_row')),
    )
    op.create_index(op.f('ix_contributions_import_row_contribution_id'), 'contributions_import_row', ['contribution_id'])
    op.create_table(
        'contributions_import_problem',
        sa.Column('import_id', sa.Uuid(), nullable=False),
        sa.Column('step', sa.String(length=10), nullable=False),
        sa.Column('line', sa.Integer(), nullable=False),
        sa.Column('code', sa.String(length=60), nullable=False),
        sa.Column('message', sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(['import_id'], ['contributions_import.id'], name='fk_contributions_import_problem_import'),
        sa.PrimaryKeyConstraint('import_id', 'step', 'line', name=op.f('pk_contributions_import_problem')),
    )


def downgrade() -> None:
    for table in ('import_problem', 'import_row', 'import'):
        op.drop_table(f'contributions_{table}')
