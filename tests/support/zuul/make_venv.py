"""python3 make_venv.py DIRECTORY REQUIREMENTS ZUUL_VERSION

Makes the virtual environment with gear and Zuul unless DIRECTORY/complete says that it is there. Only one process makes it, others wait
for it; one that was killed half-way is made anew (the kernel gives the lock back, and `complete` is missing).
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import venv

directory, requirements, zuul_version = sys.argv[1:]
marker = os.path.join(directory, "complete")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def pip(*arguments):
    command = [os.path.join(directory, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run(command + list(arguments), check=True, stdout=sys.stderr, preexec_fn=die_with_parent)


os.makedirs(os.path.dirname(directory), exist_ok=True)
with open(directory + ".lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(marker):
        print("making the Python environment with gear and Zuul %s in %s (under a minute) ..." % (zuul_version, directory), file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True)
        pip("-r", requirements)
        print("installing Zuul %s ..." % zuul_version, file=sys.stderr)
        pip("zuul==%s" % zuul_version)
        with open(marker, "w"):
            pass
