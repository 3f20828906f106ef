#!/bin/sh
# install.sh LOCK: a virtual environment in .venv with exactly what the lock file names, and RelMan itself.
# Uses uv when there is one (UV=uv) and needs only Python's own pip otherwise.
set -eu
lock=$1
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "RelMan needs Python 3.11 or newer, and $python is older or missing: name another one, as in PYTHON=python3.11." >&2
    exit 1
fi
if [ -z "${UV:-}" ] && ! "$python" -c 'import ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python$version-venv" >&2
    exit 1
fi

echo "Installing $lock into .venv ..."
if [ -n "${UV:-}" ]; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes --only-binary :all: -r "$lock"
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
else
    [ -x .venv/bin/pip ] || "$python" -m venv .venv
    pip=".venv/bin/python -m pip --disable-pip-version-check --quiet --no-input"
    $pip install --require-hashes --only-binary :all: --requirement "$lock"
    $pip install --no-deps --no-build-isolation --editable .
fi
