# What the scripts here share. Sourced.

step() { printf '\n== %s\n' "$*"; }

# quietly COMMAND...: its output only if it fails
quietly() {
    if ! "$@" > /tmp/quietly.log 2>&1 < /dev/null; then
        cat /tmp/quietly.log >&2
        echo "failed: $*" >&2
        return 1
    fi
}

# first_block HEADING: the first block of commands below that heading of README.md
first_block() {
    awk -v heading="## $1" '
        $0 == heading { inside = 1; next }
        inside && /^    / { sub(/^    /, ""); sub(/   +.*/, ""); print; found = 1; next }
        found { exit }
    ' README.md
}

# main_cf: the first block of README.md that is marked as lines of main.cf
main_cf() { awk '/^```main\.cf$/ { inside = 1; next } inside && /^```$/ { exit } inside' README.md; }
