# Sourced by packaging/try-deb.sh and packaging/try-doctor.sh: a Debian of its own, and ways to run something in it. Nothing of
# this machine is touched: mounts, processes and (where mail flows) the network are those of namespaces.

# begin SCRIPT SUITE: makes a root of that suite, from the clone as working directory. The usage is the comment at the top of SCRIPT.
begin() {
    case $2 in
        bookworm | trixie) ;;
        *)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$1"
            case $2 in -h | --help) exit 0 ;; *) exit 2 ;; esac
            ;;
    esac
    cd "$(dirname "$1")/.."
    [ "$(id -u)" = 0 ] || { echo "only root can make a root" >&2; exit 1; }
    . packaging/provide.sh
    provide debootstrap util-linux iproute2
    make_root "$2"
}

# make_root SUITE: makes $root in $scratch, with the clone in /root/clone; of $BASE, a pristine root, if that is set
make_root() {
    suite=$1
    scratch=$(mktemp -d)
    root=$scratch/root
    # Mounts are made in a namespace of their own, which is gone by then: there is nothing left to be removed by mistake.
    group=
    trap 'rm -rf --one-file-system "$scratch"; [ -z "$group" ] || find "$group" -depth -type d -exec rmdir {} +' EXIT
    if [ -n "${BASE-}" ]; then
        cp -a "$BASE" "$root"
    else
        echo "debootstrap $suite"
        debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian > "$scratch/log" 2>&1 \
            || { tail "$scratch/log" >&2; exit 1; }
    fi
    mkdir "$root/root/clone"
    tar -c --exclude=__pycache__ --exclude=./.venv --exclude=./.venv-sendmail --exclude=./.git --exclude=./dist . \
        | tar -x -C "$root/root/clone" --no-same-owner
    cp /etc/resolv.conf "$root/etc/resolv.conf"
}

# inside NETWORK SCRIPT: runs a script of packaging/try in the root. NETWORK: "ours" (for apt), or "none" (for mail): loopback
# only, with the addresses of the demo's clients, so that a client may come from anywhere.
inside() {
    network=
    [ "$1" = ours ] || network=--net
    # shellcheck disable=SC2016,SC2086
    unshare --mount --pid --fork --kill-child $network sh -eu -c '
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/run"
        if [ "$2" = none ]; then
            ip link set lo up
            for address in 192.0.2.1 192.0.2.10 198.51.100.30; do ip address add "$address/32" dev lo; done
        fi
        exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$1" sh -eu -c "cd /root/clone && exec sh -eu packaging/try/$3"
    ' sh "$root" "$1" "$2"
}

# booted SCRIPT: starts the root as a machine of its own, with systemd as its first process and no network but loopback, and runs a
# Python script of packaging/try there, for $seconds at most; it ends as the script ends. systemd wants a control group (cgroup2)
# for itself.
booted() {
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$groups" ] || { echo "no cgroup2 here: $1 is not tried" >&2; return 0; }
    group=$groups/rdns-milter-try.$$
    mkdir "$group"
    rm -f "$root/usr/sbin/policy-rc.d"
    sed "s,SCRIPT,$1," packaging/try/try.service > "$root/etc/systemd/system/try.service"
    ln -sf ../try.service "$root/etc/systemd/system/multi-user.target.wants/"
    for unit in getty.target systemd-logind.service; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
    status=0
    # shellcheck disable=SC2016
    sh -eu -c 'echo $$ > "$2/cgroup.procs"
        exec timeout --kill-after=5 "$4" unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net sh -eu -c "$3" sh "$1"' \
        sh "$root" "$group" '
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount -t sysfs -o ro sysfs "$1/sys"
        mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
        for directory in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$1/$directory"; done
        chmod 755 "$1/run"
        # Not a devtmpfs, which systemd would mount: there is only one for all, and /dev/log in it would be seen by this machine.
        mount -t tmpfs -o mode=755 tmpfs "$1/dev"
        for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
            number=${node#*:}
            mknod -m 666 "$1/dev/${node%%:*}" c "${number%:*}" "${number#*:}"
        done
        mkdir "$1/dev/shm" "$1/dev/pts"
        ln -s /proc/self/fd "$1/dev/fd"
        ln -s pts/ptmx "$1/dev/ptmx"
        ip link set lo up
        for address in 192.0.2.1 192.0.2.10 198.51.100.30; do ip address add "$address/32" dev lo; done
        exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            chroot "$1" /lib/systemd/systemd --show-status=no --log-target=null
    ' "${seconds-300}" || status=$?
    cat "$root/root/try.log" || true
    [ "$status" = 0 ] || { echo "failed: $1 (status $status)" >&2; return 1; }
}
