#!/bin/sh
# What this machine can do, as `key<TAB>value` lines: DIRECTORY-OF-SCRIPTS. Things are tried for real, in namespaces like a
# lab's that end with this script. All that may stay is a kernel module that the kernel loaded by itself, as for a lab.
# shellcheck disable=SC2016 # what `try` gets is a script
PATH=$PATH:/usr/sbin:/sbin
export PATH LC_ALL=C

tell() { printf '%s\t%s\n' "$1" "$2"; }

# try KEY SCRIPT: nothing when it works, else the first line of what it said
try() {
  if said=$(sh -ec "$2" 2>&1 </dev/null); then tell "try.$1" ''; else
    [ -n "$said" ] || said='it does not work'
    tell "try.$1" "$(printf '%s' "$said" | tr '\t' ' ' | sed -n '/./{p;q;}')"
  fi
}

inside() {
  # Once alone, for what follows stays out of the machine's own /run and /etc by it.
  try mounts 'mount --make-rprivate /
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mkdir -p /dev/shm/run/netns /dev/shm/upper /dev/shm/work
    [ ! -d /run/current-system ] || { mkdir /dev/shm/run/current-system; mount --rbind /run/current-system /dev/shm/run/current-system; }
    mount --rbind /dev/shm/run /run'
  [ "$said" = '' ] || return 0
  try proc 'mount -t proc proc /proc; mount -t sysfs sysfs /sys'
  try overlay 'mount -t overlay overlay -o lowerdir=/etc,upperdir=/dev/shm/upper,workdir=/dev/shm/work /etc'
  try netns 'ip netns add a; ip netns exec a true'
  try veth 'ip link set dev lo up; ip link add name v0 type veth peer name v1'
  try bridge 'ip link add name br0 type bridge; ip link set dev v0 master br0'
  try port 'bridge link set dev v0 isolated on
    echo 1 >/sys/class/net/v0/brport/proxyarp
    read -r on </sys/class/net/v0/brport/isolated; [ "$on" = 1 ]'
  try rule 'ip rule add fwmark 0x80/0x80 lookup main; ip route add blackhole 198.51.100.1 table 7'
  try nft-inet 'nft "add table inet t; add chain inet t c { type filter hook forward priority 0; }; add rule inet t c ct state established counter accept"'
  try nft-bridge 'nft "add table bridge t; add set bridge t a { type ether_addr . ipv4_addr; }; add chain bridge t c { type filter hook prerouting priority -250; }; add rule bridge t c ether saddr . arp saddr ip @a accept; add rule bridge t c ether daddr set 02:00:00:00:00:01 meta pkttype set host counter drop"'
  try nft-log 'for family in inet bridge; do nft "add table $family l; add chain $family l c { type filter hook forward priority 0; }; add rule $family l c log prefix \"x\" group 1 snaplen 128 queue-threshold 1 counter drop"; done; ls /proc/self/net/netfilter/nfnetlink_log'
  try nft-set 'nft "add table inet s; add set inet s d { type ipv4_addr; flags dynamic,timeout; timeout 1m; }; add chain inet s c { type filter hook forward priority 0; }; add rule inet s c add @d { ip saddr }"'
  try nft-trace 'nft "add table inet r; add chain inet r c { type filter hook forward priority 0; }; add rule inet r c meta nftrace set 1"'
  try ipt-nat 'iptables -t nat -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1'
  try ipt-comment 'iptables -A FORWARD -m comment --comment x'
  try ipt-addrtype 'iptables -A FORWARD -m addrtype --dst-type LOCAL'
  try ipt-conntrack 'iptables -A FORWARD -m conntrack --ctstate NEW'
  try ipt-CONNMARK 'iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80'
  try ipt-TTL 'iptables -t mangle -A PREROUTING -j TTL --ttl-inc 1'
  try ipt-statistic 'iptables -A FORWARD -m statistic --mode random --probability 0.5'
  try sysctl 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  try ct-sysctl 'echo 300 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established'
  try capture 'tcpdump -i lo -L'
  try netem 'tc qdisc add dev v1 root netem delay 1ms'
  try ipset 'for type in hash:ip hash:net hash:ip,port hash:net,iface; do ipset create "$type" "$type" comment; done
    iptables -A FORWARD -m set --match-set hash:net,iface src,src'
  try nft-hash 'nft "add table ip h; add map ip h m { type mark : ipv4_addr . inet_service; }; add chain ip h c { type nat hook prerouting priority -100; }; add rule ip h c meta mark set jhash ip saddr . tcp sport mod 60; add rule ip h c ip protocol tcp dnat ip to meta mark map @m"'
  try ipvs 'iptables -A FORWARD -m ipvs --ipvs'
  try vlan 'ip link add link v1 name v1.7 type vlan id 7'
  try wireguard 'ip link add name wg0 type wireguard'
  # Without the object that it counts into it is refused in any case, but in other words.
  try nfacct 'said=$(iptables -A FORWARD -m nfacct --nfacct-name x 2>&1) || case $said in *"missing kernel module"*) echo "$said"; exit 1 ;; esac'
}

# The first thing in it that looks like one; iputils counts by the date.
version() { "$@" 2>&1 </dev/null | grep -Eo '[0-9]+(\.[0-9]+)+|[0-9]{8}' | sed -n 1p; }

version_of() {
  case $1 in
    ip | bridge | ping | socat) version "$1" -V ;;
    haproxy | perl) version "$1" -v ;;
    newuidmap) ;; # it has none to tell
    *) version "$1" --version ;;
  esac
}

outside() {
  uid=$(id -u)
  user=$(id -un 2>/dev/null) || user=$uid
  tell uid "$uid"
  tell user "$user"
  tell kernel "$(uname -r)"
  (
    # shellcheck source=/dev/null
    . /etc/os-release
    tell os "${PRETTY_NAME-}"
    tell like "${ID-} ${ID_LIKE-}"
  ) 2>/dev/null
  # Debian keeps PostgreSQL out of the PATH.
  for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
  # In pieces side by side: each is short, most is waiting for a program to start.
  sh "$1/bootstrap.sh" tools | while IFS='	' read -r command package; do
    path=$(command -v "$command") || path=''
    # A tab is white space to `read`, so an empty field between two would be lost; version goes last.
    tell "tool.$command" "$package ${path:+there }$([ -z "$path" ] || version_of "$command")"
  done
  ! command -v iptables >/dev/null || tell iptables "$(iptables --version 2>/dev/null | sed -n 's/.*(\(.*\)).*/\1/p')"
  for file in subuid subgid; do
    tell "$file" "$(sed -n "s/^\($user\|$uid\):\([0-9]*:[0-9]*\)$/\2/p;" "/etc/$file" 2>/dev/null | sed -n 1p)"
  done
  for key in kernel/unprivileged_userns_clone user/max_user_namespaces kernel/apparmor_restrict_unprivileged_userns net/ipv4/neigh/default/gc_thresh3; do
    # Not by `read`: it takes a byte at a time, and such a file gives but one.
    [ ! -r "/proc/sys/$key" ] || tell "sysctl.$(echo "$key" | tr / .)" "$(cat "/proc/sys/$key")"
  done
  if [ -e /.dockerenv ]; then tell container docker; elif [ -e /run/.containerenv ]; then tell container podman; fi

  as_lab='--net --mount --ipc --uts --pid --fork --kill-child'
  [ "$uid" = 0 ] || as_lab="--user --map-root-user --map-auto $as_lab"
  # shellcheck disable=SC2086 # a list of words
  said=$(unshare $as_lab sh "$0" inside 2>&1 </dev/null)
  case $said in
    try.*) printf '%s\n' "$said" ;;
    *)
      tell namespaces "$(printf '%s' "${said:-unshare said nothing}" | tr '\t' ' ' | sed -n '/./{p;q;}')"
      # Is it the user namespace itself, or what it maps?
      [ "$uid" = 0 ] || try userns 'unshare --user --map-root-user true'
      ;;
  esac
}

case $1 in
  inside) inside ;;
  *) outside "$1" ;;
esac
