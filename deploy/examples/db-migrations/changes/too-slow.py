"""wait a second for each 800 instances"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.execute("select sleep(count(*) / 800) from instances")
