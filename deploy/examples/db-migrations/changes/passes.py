"""find instances by their host"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_index("host", "instances", ["host"])
