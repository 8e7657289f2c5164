"""a zone for each instance"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("instances", sa.Column("zone", sa.String(20), nullable=False, server_default="default"))
