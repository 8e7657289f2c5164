"""no two instances with one uuid"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_index("uuid", "instances", ["uuid"], unique=True)
