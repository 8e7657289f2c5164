"""geard: python geard.py HOST PORT [KEEPALIVE_IDLE KEEPALIVE_INTERVAL KEEPALIVE_COUNT]

The server of PyPI's `gear` as Zuul runs it, in the foreground and without a line of debug output for every packet.
"""

import logging
import signal
import sys

import gear

host, port, keepalive = sys.argv[1], int(sys.argv[2]), [int(value) for value in sys.argv[3:]]
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
options = {}
if keepalive:
    options = {"keepalive": True, "tcp_keepidle": keepalive[0], "tcp_keepintvl": keepalive[1], "tcp_keepcnt": keepalive[2]}
gear.Server(port, host=host, **options)
print("listening on %s:%d" % (host, port), flush=True)
signal.pause()
