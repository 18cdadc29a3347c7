# Sourced by the build-*.sh, as the first thing: what they have in common. Goes to the top of the clone; `began`: where we were.

# usage STATUS: what the head of the script says of itself; leave with that status
usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit "$1"
}

# directory NAME: make it if it is given; say its absolute name
directory() {
    [ -n "$1" ] || return 0
    (cd "$began" && mkdir -p "$1" && cd "$1" && pwd)
}

# sources_into DIRECTORY: a copy of all that is source, for tools that leave their notes where they work
sources_into() {
    tar -c --exclude=__pycache__ --exclude='*.egg-info' LICENSE NEWS.md README.md etc packaging pyproject.toml rdns_milter setup.cfg tests |
        tar -x -C "$1" --no-same-owner
}

# No script here has options but -h.
case ${1-} in
    -h | --help) usage 0 ;;
    -*) usage 2 ;;
esac
began=$PWD
cd "$(dirname "$0")/.."
. packaging/provide.sh
