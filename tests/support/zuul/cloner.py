"""cloner.py ARGUMENTS

Zuul 2.6's own zuul-cloner (from PyPI, unchanged). All of Zuul's commands import its connections, and with them a database that the cloner never
asks for: that import alone is left out.
"""

import sys
import types

connections = types.ModuleType("zuul.lib.connections")
sys.modules["zuul.lib.connections"] = connections
import zuul.lib  # noqa: E402

zuul.lib.connections = connections
import zuul.cmd.cloner  # noqa: E402

zuul.cmd.cloner.main()
