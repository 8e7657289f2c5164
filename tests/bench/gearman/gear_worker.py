"""python gear_worker.py HOST PORT FUNCTION [nodelay]

The worker of PyPI's `gear`, as Zuul's own workers use it, completing each build at once. As it is, its WORK_COMPLETE and the GRAB behind it are
two small segments, and TCP (Nagle here, delayed acknowledgement there) holds the second one back for 40 ms; "nodelay" switches that off.
"""

import socket
import sys

import gear

host, port, function = sys.argv[1:4]
worker = gear.Worker("bench")
worker.addServer(host, int(port))
worker.waitForServer()
if "nodelay" in sys.argv[4:]:
    for connection in worker.active_connections:
        connection.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
worker.registerFunction(function)
while True:
    worker.getJob().sendWorkComplete(b'{"result": "SUCCESS"}')
