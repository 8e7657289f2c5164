"""no host with more than 500 instances"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    connection = op.get_bind()
    hosts = [host for (host,) in connection.execute("select distinct host from instances")]
    for host in hosts:
        count = connection.execute("select count(*) from instances where host = %s", host).scalar()
        if count > 500:
            raise ValueError("host %s has %d instances" % (host, count))
