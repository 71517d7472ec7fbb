#!/bin/sh
# The first process of a lab: STATE-DIR TOKEN. It runs in fresh user, mount, net, ipc, uts and pid namespaces, while the
# host's /proc is still mounted; it makes the sandbox's own file systems and then sleeps. When it dies, all is gone.
set -eu
state=$1 token=$2
# Whoever inside is not root reads /etc/hosts and /run/netns too.
umask 022

# Held by this process alone: the kernel frees it at our death, also while we are still dying. A second start fails here;
# who only looks whether we are alive holds it for a moment.
exec 9>"$state/alive"
flock -w 2 9 || exit 3

# Our pid as the host sees it; the start time tells it from a later process with the same number.
read -r pid rest </proc/self/stat
start=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)

mount --make-rslave / # nothing that is mounted from here on shows outside
mount -t proc proc /proc
mount -t sysfs sysfs /sys # else /sys/class/net shows the host's links
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# Built aside, because the state directory may itself lie in /run.
mkdir -p "$state/run"
mount -t tmpfs -o mode=755 tmpfs "$state/run"
run=$state/run
mkdir -p "$run/netns" "$run/lock" "$run/hoplab/state" "$run/hoplab/upper" "$run/hoplab/work" "$run/hoplab/netns"
mount --bind "$state" "$run/hoplab/state"
[ ! -d /run/current-system ] || { mkdir -p "$run/current-system"; mount --rbind /run/current-system "$run/current-system"; } # NixOS keeps its programs there
mount --rbind "$run" /run

mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/hoplab/upper,workdir=/run/hoplab/work /etc 2>/dev/null || {
  # No overlay in a user namespace before Linux 5.11.
  mkdir /run/hoplab/etc
  cp -a /etc/. /run/hoplab/etc/ 2>/dev/null || :
  mount --bind /run/hoplab/etc /etc
}
# A host's own /etc/netns is not writable for an unprivileged lab.
mkdir -p /etc/netns
mount --bind /run/hoplab/netns /etc/netns
# Replaced, never appended to: the originals belong to a user who is not mapped, or are links into the host's /run.
rm -f /etc/resolv.conf /etc/nsswitch.conf /etc/hosts
echo '# no resolver outside of the lab' >/etc/resolv.conf
echo 'hosts: files dns' >/etc/nsswitch.conf
echo '127.0.0.1 localhost' >/etc/hosts
# For the prompt. Not by /proc/sys/kernel/hostname, which only the machine's own root may write. Some programs look up the
# machine's own name first (curl, by its LDAP library), and would wait for a DNS server that a lab has cut off.
hostname "${state##*/}" 2>/dev/null || :
echo "127.0.1.1 $(hostname)" >>/etc/hosts
echo "$token" >/run/hoplab/token
ip link set lo up

echo "$pid $start $token" >/run/hoplab/state/pid.new
mv /run/hoplab/state/pid.new /run/hoplab/state/pid
# Ignoring SIGCHLD lets the kernel reap every orphan; sleep alone would keep them as zombies.
if env --ignore-signal=CHLD true 2>/dev/null; then exec env --ignore-signal=CHLD sleep infinity; fi
while :; do
  sleep 2147483647 &
  wait $!
done
