import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine

fileConfig(context.config.config_file_name)
engine = create_engine("mysql+pymysql://root@localhost/inventory?unix_socket=" + os.environ["DATABASE_SOCKET"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
