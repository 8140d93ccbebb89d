# Sourced by every finding: a folder of its own with pinned packages, and none of this project's.
set -euo pipefail

FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

# with_packages REQUIREMENT…: a fresh environment with exactly these (and what they need)
with_packages() {
    "${PYTHON:-python3}" -m venv "$FOLDER/venv"
    # The CPU build where the index has one under this name; any will do.
    "$FOLDER/venv/bin/pip" install --quiet --disable-pip-version-check ${FINDINGS_PIP_ARGS:-} "$@" >"$FOLDER/pip.log" 2>&1 ||
        { tail -n 20 "$FOLDER/pip.log" >&2; exit 2; }
}

# seen: run the Python program on standard input there; it exits non-zero when what it sees has changed
seen() {
    (cd "$FOLDER" && env -u PYTHONPATH "$FOLDER/venv/bin/python" -W ignore -)
}
