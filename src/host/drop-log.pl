# Writes down what security groups, network ACLs and network policies deny: a line for each packet, from any number of
# network namespaces.
#
#   perl drop-log.pl PIDFILE LOG FLUSH NETNS…
#
# A rule that denies says `log prefix "REASON" group 1`, or the same in the words of iptables; the kernel then hands the
# packet's head and the reason to whoever has bound that group in the namespace (NFLOG). A line of LOG, which is moved to
# LOG.old when it is large:
#
#   1764000000.123456 vpc-main tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)
#   1764000000.123456 vpc-main tcp[SA] 10.0.5.20:5432 -> 10.0.3.50:33366 60 NACL db egress (rule *)
#   1764000000.123456 vpc-main icmp echo-request id 17 10.0.3.50 -> 10.0.5.20 84 ENI source/destination check
#   1764000000.123456 vpc-main icmp destination-unreachable code 4 10.0.5.1 -> 10.0.3.50 576 NACL db egress (rule 90)
#   1764000000.123456 node-1 tcp 10.0.3.50:33366 -> 10.0.4.60:8080 60 NETPOL shop/api-allow ingress
#   1764000000.123456 vpc-main lost 12
#
# A TCP segment without brackets is a SYN, which opens a connection; in brackets stand the flags of every other one (S F R P
# A U). Whoever writes a path into the named pipe FLUSH has that file made once all is written that was denied before.
# Perl, as in responder.pl, and without modules: POSIX and Socket would take longer to load than all the rest takes. The
# numbers in their stead are those of the machines below.
# @see linux/include/uapi/linux/netfilter/nfnetlink_log.h, linux/net/netfilter/nfnetlink_log.c
use strict;

my ($pid_file, $log_file, $flush_file, @names) = @ARGV;
my $GROUP = 1;
# Also what `snaplen` of the rules says: the longest IPv4 header (60 bytes) and the longest TCP header (60).
my $HEAD_BYTES = 128;
# Some forty thousand lines; the file lies in memory, and one more of its size beside it.
my $LOG_BYTES = 4 * 1024 * 1024;
# The kernel keeps about a kilobyte for each packet that waits. An unprivileged lab gets what net.core.rmem_max grants.
my $BUFFER_BYTES = 8 * 1024 * 1024;

# By ELF's number of the machine: setns(2), clock_gettime(2), setsid(2).
# @see elf.h EM_*; asm-generic/unistd.h (arm64, riscv64), arch/*/entry/syscalls/*.tbl
my %CALLS = (
    62 => [308, 228, 112],  # x86_64
    183 => [268, 113, 157], # arm64
    243 => [268, 113, 157], # riscv64
    3 => [346, 265, 66],    # i386
    21 => [350, 246, 66],   # ppc64
    22 => [339, 260, 66],   # s390x
);
open(my $self, '<:raw', '/proc/self/exe') or die "drop-log: /proc/self/exe: $!\n";
read $self, my $elf, 20;
close $self;
my $machine = unpack 'x18S', $elf;
my ($setns, $clock_gettime, $setsid) = @{ $CALLS{$machine} // die "drop-log: no system calls are known for machine $machine\n" };
my $CLONE_NEWNET = 0x40000000;

# asm-generic/errno-base.h, errno.h, socket.h; linux/net.h
my ($EINTR, $EBUSY, $ENOBUFS) = (4, 16, 105);
my ($SOCK_RAW, $SOL_SOCKET, $SO_RCVBUF, $SO_RCVBUFFORCE, $MSG_DONTWAIT) = (3, 1, 8, 33, 0x40);
# linux/netlink.h, linux/netfilter/nfnetlink.h
my ($AF_NETLINK, $NETLINK_NETFILTER) = (16, 12);
my ($NLM_F_REQUEST, $NLM_F_ACK, $NLMSG_ERROR) = (1, 4, 2);
my $SUBSYSTEM = 4 << 8; # NFNL_SUBSYS_ULOG
my ($MSG_PACKET, $MSG_CONFIG) = ($SUBSYSTEM | 0, $SUBSYSTEM | 1);
my ($CFG_CMD, $CFG_MODE, $CFG_QTHRESH, $CFG_FLAGS) = (1, 2, 5, 6);
my ($CMD_BIND, $COPY_PACKET, $FLAG_SEQ) = (1, 2, 1);
my ($TIMESTAMP, $PAYLOAD, $PREFIX, $SEQ) = (3, 9, 10, 12);

sub enter {
    my ($path) = @_;
    open(my $ns, '<', $path) or die "drop-log: $path: $!\n";
    syscall($setns, fileno($ns), $CLONE_NEWNET) == 0 or die "drop-log: enter $path: $!\n";
    close $ns;
}

sub attribute {
    my ($type, $value) = @_;
    return pack('SS', 4 + length $value, $type) . $value . "\0" x (-length($value) % 4);
}

# Sends one request about our group and returns what the kernel says of it: 0, or an error number.
sub configure {
    my ($socket, @attributes) = @_;
    my $body = pack('CCn', 0, 0, $GROUP) . join '', @attributes;
    my $request = pack('LSSLL', 16 + length $body, $MSG_CONFIG, $NLM_F_REQUEST | $NLM_F_ACK, 1, 0) . $body;
    send($socket, $request, 0, pack('SSLL', $AF_NETLINK, 0, 0, 0)) or die "drop-log: send: $!\n";
    # A packet may come before the answer; nobody has asked for it yet.
    while (defined recv($socket, my $answer, 65536, 0)) {
        my (undef, $type, undef, undef, undef, $error) = unpack 'LSSLLl', $answer;
        return -$error if $type == $NLMSG_ERROR;
    }
    die "drop-log: recv: $!\n";
}

sub listen_in {
    my ($netns) = @_;
    enter("/run/netns/$netns");
    socket(my $socket, $AF_NETLINK, $SOCK_RAW, $NETLINK_NETFILTER) or die "drop-log: socket: $!\n";
    bind($socket, pack('SSLL', $AF_NETLINK, 0, 0, 0)) or die "drop-log: bind: $!\n";
    setsockopt($socket, $SOL_SOCKET, $SO_RCVBUFFORCE, pack('i', $BUFFER_BYTES))
        or setsockopt($socket, $SOL_SOCKET, $SO_RCVBUF, pack('i', $BUFFER_BYTES));
    my $error;
    # One process at a time has the group; the one before us may still be ending.
    for (1 .. 500) {
        $error = configure($socket, attribute($CFG_CMD, pack('C', $CMD_BIND)));
        last if $error != $EBUSY;
        select(undef, undef, undef, 0.005);
    }
    $error ||= configure(
        $socket,
        attribute($CFG_MODE, pack('NCC', $HEAD_BYTES, $COPY_PACKET, 0)),
        attribute($CFG_QTHRESH, pack('N', 1)),
        attribute($CFG_FLAGS, pack('n', $FLAG_SEQ)),
    );
    $! = $error;
    die "drop-log: NFLOG group $GROUP of $netns: $!\n" if $error;
    return $socket;
}

my $log;

sub open_log {
    open($log, '>>', $log_file) or die "drop-log: $log_file: $!\n";
}

open(my $home, '<', '/proc/self/ns/net') or die "drop-log: $!\n";
my %by_fd;
for my $name (@names) {
    my $socket = listen_in($name);
    $by_fd{fileno $socket} = { netns => $name, socket => $socket, next => 0, excess => 0, overrun => 0 };
}
# A namespace is let go of by closing the sockets; nothing else of us is in one.
syscall($setns, fileno($home), $CLONE_NEWNET);
close $home;
open_log();
-p $flush_file or system('mkfifo', '-m', '600', $flush_file) == 0 or die "drop-log: $flush_file: no pipe\n";
# For both, so that it never ends when a writer does.
open(my $flush, '+<', $flush_file) or die "drop-log: $flush_file: $!\n";

# In the background once all is bound, so that whoever started us knows that nothing is missed from here on.
my $child = fork();
defined $child or die "drop-log: fork: $!\n";
if ($child) {
    open(my $out, '>', $pid_file) or die "drop-log: $pid_file: $!\n";
    print $out "$child\n";
    close $out;
    exit 0;
}
syscall($setsid);
open(STDIN, '<', '/dev/null');
open(STDOUT, '>', '/dev/null');
open(STDERR, '>', '/dev/null');

# Time::HiRes is not in perl-base.
sub now {
    my $buffer = "\0" x 16;
    return sprintf '%d.000000', time if syscall($clock_gettime, 0, $buffer) != 0;
    my ($seconds, $nanoseconds) = unpack 'l!l!', $buffer;
    return sprintf '%d.%06d', $seconds, $nanoseconds / 1000;
}

my %ICMP = (
    0 => 'echo-reply', 3 => 'destination-unreachable', 4 => 'source-quench', 5 => 'redirect', 8 => 'echo-request',
    11 => 'time-exceeded', 12 => 'parameter-problem', 13 => 'timestamp-request', 14 => 'timestamp-reply',
);
my %PROTOCOL = (1 => 'icmp', 6 => 'tcp', 17 => 'udp');
my @FLAGS = ([0x02, 'S'], [0x01, 'F'], [0x04, 'R'], [0x08, 'P'], [0x10, 'A'], [0x20, 'U']);

# What a packet is, from its first bytes: `tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60`; nothing for other than IPv4.
sub describe {
    my ($packet) = @_;
    return if length $packet < 20;
    my ($version, $length, $fragment, $number, @address) = unpack 'Cxnx2nxCx2C8', $packet;
    return if $version >> 4 != 4;
    my ($source, $destination) = (join('.', @address[0 .. 3]), join('.', @address[4 .. 7]));
    my $what = $PROTOCOL{$number} // $number;
    # Only the first of a packet's fragments says more.
    my $inner = $fragment & 0x1fff ? '' : substr $packet, ($version & 15) * 4 < length $packet ? ($version & 15) * 4 : length $packet;
    if ($what eq 'icmp' and length $inner >= 6) {
        my ($type, $code, $id) = unpack 'CCx2n', $inner;
        $what .= ' ' . ($ICMP{$type} // "type-$type");
        $what .= " id $id" if $type == 0 or $type == 8;
        $what .= " code $code" if $type == 3 or $type == 5 or $type == 11 or $type == 12;
    } elsif (($what eq 'tcp' or $what eq 'udp') and length $inner >= 4) {
        my ($from, $to) = unpack 'nn', $inner;
        if ($what eq 'tcp' and length $inner >= 14) {
            my $bits = ord substr $inner, 13, 1;
            my $flags = join '', map { $bits & $_->[0] ? $_->[1] : '' } @FLAGS;
            $what .= "[$flags]" if $flags ne 'S';
        }
        $source .= ":$from";
        $destination .= ":$to";
    }
    return "$what $source -> $destination $length";
}

sub read_packet {
    my ($from, $message) = @_;
    my %found;
    # Behind the headers of netlink and of nfnetlink.
    for (my $at = 20; $at + 4 <= length $message;) {
        my ($length, $type) = unpack 'SS', substr $message, $at, 4;
        last if $length < 4;
        $found{$type & 0x7fff} = substr $message, $at + 4, $length - 4;
        $at += $length + -$length % 4;
    }
    my $lines = '';
    my $time;
    if (defined $found{$TIMESTAMP}) {
        my (undef, $seconds, undef, $microseconds) = unpack 'N4', $found{$TIMESTAMP};
        $time = sprintf '%d.%06d', $seconds, $microseconds;
    } else {
        $time = now();
    }
    if (defined $found{$SEQ}) {
        my $number = unpack 'N', $found{$SEQ};
        $lines .= lost($from, $time, ($number - $from->{next}) & 0xffffffff);
        $from->{next} = ($number + 1) & 0xffffffff;
    }
    my $what = describe($found{$PAYLOAD} // '');
    return $lines if !defined $what;
    my $reason = unpack 'Z*', $found{$PREFIX} // '';
    $reason =~ s/[^\x20-\x7e]/?/g;
    return "$lines$time $from->{netns} $what $reason\n";
}

# The kernel numbers the packets. That one was lost is known at once, how many only when the next one comes.
sub lost {
    my ($from, $time, $count) = @_;
    $from->{overrun} = 0 if $count > 0;
    my $new = $count - $from->{excess};
    $from->{excess} = 0;
    return $new > 0 ? "$time $from->{netns} lost $new\n" : '';
}

# All that waits in one socket.
sub drain {
    my ($from) = @_;
    my $lines = '';
    while (1) {
        if (!defined recv($from->{socket}, my $data, 65536, $MSG_DONTWAIT)) {
            next if $! == $EINTR;
            if ($! == $ENOBUFS) { $from->{overrun} = 1; next }
            last;
        } else {
            for (my $at = 0; $at + 16 <= length $data;) {
                my ($length, $type) = unpack 'LS', substr $data, $at, 6;
                last if $length < 16;
                $lines .= read_packet($from, substr $data, $at, $length) if $type == $MSG_PACKET;
                $at += $length + -$length % 4;
            }
        }
        if (length $lines > 65536) { write_log($lines); $lines = '' }
    }
    if ($from->{overrun} and !$from->{excess}) {
        $lines .= now() . " $from->{netns} lost 1\n";
        $from->{excess} = 1;
    }
    $from->{overrun} = 0;
    write_log($lines) if $lines ne '';
}

sub write_log {
    my ($lines) = @_;
    if ((-s $log // 0) + length $lines > $LOG_BYTES) {
        rename $log_file, "$log_file.old";
        open_log();
    }
    syswrite $log, $lines;
}

my $asked = '';
while (1) {
    my $read = '';
    vec($read, $_, 1) = 1 for fileno($flush), keys %by_fd;
    next if select($read, undef, undef, undef) <= 0;
    my $is_asked = vec($read, fileno($flush), 1) && sysread($flush, $asked, 4096, length $asked);
    # Whoever asks for a flush asks for all of it.
    drain($by_fd{$_}) for grep { $is_asked || vec($read, $_, 1) } keys %by_fd;
    while ($asked =~ s/^([^\n]*)\n//) {
        open(my $done, '>', $1);
    }
}
