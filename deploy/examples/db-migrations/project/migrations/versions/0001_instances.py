"""instances"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.CHAR(36), nullable=False),
        sa.Column("host", sa.String(50), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
    )
