"""Notices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'notifications_0001'
down_revision = None
branch_labels = ('notifications',)
depends_on = None


def upgrade() -> None:
    op.create_table('notifications_notification',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=80), nullable=False),
    sa.Column('params', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('url', sa.String(length=500), nullable=False),
    sa.Column('reference', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mailed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('mail_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_notifications_notification_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notifications_notification')),
    sa.UniqueConstraint('reference', name=op.f('uq_notifications_notification_reference'))
    )
    op.create_index('ix_notifications_notification_contribution', 'notifications_notification', [sa.literal_column("(params ->> 'contribution_id')")], unique=False, postgresql_where=sa.text("params ? 'contribution_id'"))
    op.create_index('ix_notifications_notification_member_id_id', 'notifications_notification', ['member_id', 'id'], unique=False)
    op.create_index('ix_notifications_notification_unread', 'notifications_notification', ['member_id'], unique=False, postgresql_where=sa.text('read_at IS NULL'))


def downgrade() -> None:
    op.drop_index('ix_notifications_notification_unread', table_name='notifications_notification', postgresql_where=sa.text('read_at IS NULL'))
    op.drop_index('ix_notifications_notification_member_id_id', table_name='notifications_notification')
    op.drop_index('ix_notifications_notification_contribution', table_name='notifications_notification', postgresql_where=sa.text("params ? 'contribution_id'"))
    op.drop_table('notifications_notification')
