# Sends any number of requests from any number of network namespaces at once, and says what became of each.
#
#   perl prober.pl [TIMEOUT_MS] <REQUESTS
#
# A request is a line: ID NETNS tcp|udp|icmp SOURCE-PORT DESTINATION PORT [TIMEOUT_MS]. Of ICMP the source port is the
# identifier, and PORT means nothing. A line comes back as soon as it is known what became of a request:
# ID allowed|refused|timeout|reset|unreachable MS CLIENT|- [the kernel's words]. CLIENT is the sender's address as the
# receiver says that it saw it (kernel/server.ts). "allowed" is TCP's connection that stands, whatever is said on it then.
#
# One process a namespace: it is entered once (setns(2); Node has none, and perl-base is on every Debian and Ubuntu), and
# its requests wait side by side.
use strict;
use warnings;
use Socket;
use Fcntl;
use POSIX ();

my $timeout = shift // 300;
# Open at once in one namespace: a process may have 1024 files, and select(2) knows no more.
my $WINDOW = 400;
# What is sent between two looks at what has come: a burst of hundreds would overflow a queue on the way.
my $BURST = 16;
# A datagram that nobody answers is sent again like TCP's first packet (RFC 6298, 2.1), where there is time for it.
my $AGAIN = 1000;

# setns(2) and clock_gettime(2): asm-generic/unistd.h 268 and 113 (arm64, riscv64), else arch/*/entry/syscalls/*.tbl.
my %CALLS = (
    x86_64 => [308, 228], aarch64 => [268, 113], riscv64 => [268, 113],
    i686 => [346, 265], ppc64le => [350, 246], s390x => [339, 260],
);
my ($CLONE_NEWNET, $CLOCK_MONOTONIC, $IP_RECVERR, $SOL_RAW, $ICMP_FILTER) = (0x40000000, 1, 11, 255, 1);
my $machine = (POSIX::uname())[4];
my ($setns, $clock_gettime) = @{ $CALLS{$machine} or die "prober: system calls are not known for $machine\n" };

# Milliseconds since some moment. Time::HiRes is not in perl-base.
sub now {
    my $time = pack('l!2', 0, 0);
    syscall($clock_gettime, $CLOCK_MONOTONIC, $time);
    my ($seconds, $nanoseconds) = unpack('l!2', $time);
    return $seconds * 1000 + $nanoseconds / 1e6;
}

my (%requests, %open, %echo, $raw);

while (my $line = <STDIN>) {
    chomp $line;
    my ($id, $netns, $protocol, $from, $to, $port, $wait) = split ' ', $line;
    push @{ $requests{$netns} },
        { id => $id, protocol => $protocol, from => $from, to => inet_aton($to), port => $port, wait => $wait // $timeout };
}
my @children;
for my $netns (sort keys %requests) {
    my $child = fork();
    defined $child or die "prober: fork: $!\n";
    if ($child) { push @children, $child; next }
    work($netns, @{ $requests{$netns} });
    # Not by exit: that is for the one who has them all.
    POSIX::_exit(0);
}
my $failed = 0;
for my $child (@children) {
    waitpid($child, 0);
    $failed = 1 if $?;
}
exit $failed;

sub work {
    my ($netns, @queue) = @_;
    my $ns;
    if (!open($ns, '<', "/run/netns/$netns") or syscall($setns, fileno($ns), $CLONE_NEWNET) != 0) {
        # Gone, as somebody who breaks a lab may have it: nothing is sent from there.
        my $words = "netns $netns: $!";
        for my $r (@queue) {
            $r->{sent} = now();
            finish($r, 'unreachable', '-', $words);
        }
        return;
    }
    if (grep { $_->{protocol} eq 'icmp' } @queue) {
        socket($raw, PF_INET, SOCK_RAW, Socket::IPPROTO_ICMP()) or die "prober: $netns: raw socket: $!\n";
        fcntl($raw, F_SETFL, O_NONBLOCK);
        # What others ask here is no concern of ours: answers and errors alone (raw(7), ICMP_FILTER: a bit is a type not heard).
        setsockopt($raw, $SOL_RAW, $ICMP_FILTER, pack('L', ~(1 << 0 | 1 << 3 | 1 << 11) & 0xffffffff));
    }
    while (@queue or %open or %echo) {
        for (1 .. $BURST) {
            last if !@queue or keys(%open) + keys(%echo) >= $WINDOW;
            begin(shift @queue);
        }
        my ($read, $write) = ('', '');
        vec($read, fileno($raw), 1) = 1 if %echo;
        while (my ($fd, $r) = each %open) {
            if ($r->{connecting}) { vec($write, $fd, 1) = 1 } else { vec($read, $fd, 1) = 1 }
        }
        my $due;
        for my $r (values %open, values %echo) {
            my $next = defined $r->{again} && $r->{again} < $r->{until} ? $r->{again} : $r->{until};
            $due = $next if !defined $due or $next < $due;
        }
        my $has_room = @queue && keys(%open) + keys(%echo) < $WINDOW;
        my $patience = $has_room || !defined $due ? 0 : $due - now();
        my $ready = select($read, $write, undef, $patience < 0 ? 0 : $patience / 1000);
        # What has come is read before anything is called late: the machine may have let us wait for long.
        if ($ready > 0) {
            hear() if %echo and vec($read, fileno($raw), 1);
            for my $fd (grep { exists $open{$_} && (vec($read, $_, 1) || vec($write, $_, 1)) } keys %open) {
                advance($open{$fd});
            }
        }
        my $now = now();
        # A copy: what is done with goes out of the two meanwhile.
        for my $r (my @waiting = (values %open, values %echo)) {
            if ($r->{until} <= $now) { expire($r) }
            elsif (defined $r->{again} and $r->{again} <= $now) { delete $r->{again}; say_again($r) }
        }
    }
}

sub begin {
    my ($r) = @_;
    $r->{sent} = now();
    $r->{until} = $r->{sent} + $r->{wait};
    $r->{again} = $r->{sent} + $AGAIN if $r->{protocol} ne 'tcp' and $r->{wait} > $AGAIN;
    if ($r->{protocol} eq 'icmp') {
        $echo{ $r->{from} } = $r;
        return say_again($r);
    }
    my $tcp = $r->{protocol} eq 'tcp';
    socket(my $socket, PF_INET, $tcp ? SOCK_STREAM : SOCK_DGRAM, 0) or die "prober: socket: $!\n";
    $r->{socket} = $socket;
    fcntl($socket, F_SETFL, O_NONBLOCK);
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    # The end is a reset: nothing lingers, neither here nor at the server.
    setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $tcp;
    # A datagram's sender hears of an error on the way only if it asks to.
    setsockopt($socket, Socket::IPPROTO_IP(), $IP_RECVERR, 1) if !$tcp;
    $open{ fileno $socket } = $r;
    bind($socket, sockaddr_in($r->{from}, INADDR_ANY)) or return fail($r, "bind: $!");
    if (!connect($socket, sockaddr_in($r->{port}, $r->{to}))) {
        return refuse($r, $! + 0) if $! != POSIX::EINPROGRESS();
        $r->{connecting} = 1;
        return;
    }
    $tcp ? greet($r) : say_again($r);
}

sub say_again {
    my ($r) = @_;
    if ($r->{protocol} eq 'udp') {
        defined send($r->{socket}, "matrix $r->{id}\n", 0) or refuse($r, $! + 0);
        return;
    }
    my $payload = "matrix $r->{id}";
    my $sum = checksum(pack('C2n3a*', 8, 0, 0, $r->{from}, 1, $payload));
    my $packet = pack('C2n3a*', 8, 0, $sum, $r->{from}, 1, $payload);
    defined send($raw, $packet, 0, sockaddr_in(0, $r->{to})) or refuse($r, $! + 0);
}

# RFC 1071.
sub checksum {
    my ($packet) = @_;
    $packet .= "\0" if length($packet) % 2;
    my $sum = unpack('%32n*', $packet);
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

sub greet {
    my ($r) = @_;
    delete $r->{connecting};
    $r->{ms} = now() - $r->{sent};
    # A server that says nothing has accepted all the same.
    $r->{until} = now() + $timeout;
    syswrite($r->{socket}, "GET / HTTP/1.0\r\n\r\n");
}

sub advance {
    my ($r) = @_;
    if ($r->{connecting}) {
        my $error = unpack('i', getsockopt($r->{socket}, SOL_SOCKET, SO_ERROR));
        return $error == 0 ? greet($r) : refuse($r, $error);
    }
    my $got = sysread($r->{socket}, my $said, 65536);
    if ($r->{protocol} eq 'udp') {
        return refuse($r, $! + 0) if !defined $got;
        return finish($r, 'allowed', client($said));
    }
    $r->{said} .= $said if $got;
    my $client = client($r->{said} // '');
    finish($r, 'allowed', $client) if !$got or $client ne '-';
}

sub client { return $_[0] =~ /"client":"([\d.]+)"/ ? $1 : '-' }

# Of everything that ICMP says in this namespace, what is about our own requests.
sub hear {
    while (defined recv($raw, my $packet, 65536, 0)) {
        my $icmp = substr($packet, 4 * (ord($packet) & 15));
        my ($type, undef, undef, $from) = unpack('C2n2', $icmp);
        if ($type == 0) {
            my $r = $echo{ $from // '' } or next;
            finish($r, 'allowed', '-') if substr($icmp, 8) eq "matrix $r->{id}";
        } elsif ($type == 3 or $type == 11) {
            my $inner = substr($icmp, 8);
            next if length($inner) < 28 or unpack('x9C', $inner) != Socket::IPPROTO_ICMP();
            my ($asked, undef, undef, $identifier) = unpack('C2n2', substr($inner, 4 * (ord($inner) & 15)));
            my $r = $asked == 8 ? $echo{$identifier} : undef;
            finish($r, 'unreachable', '-', $type == 3 ? 'destination unreachable' : 'time to live exceeded') if $r;
        }
    }
}

# Before the connection stands, and of a datagram, an error is the answer.
sub refuse {
    my ($r, $error) = @_;
    return finish($r, 'refused', '-') if $error == POSIX::ECONNREFUSED();
    # It stood, and was reset before we looked: that is what "allowed" asks for.
    return finish($r, 'allowed', '-') if $error == POSIX::ECONNRESET();
    return finish($r, 'timeout', '-') if $error == POSIX::ETIMEDOUT();
    $! = $error;
    fail($r, "$!");
}

sub fail {
    my ($r, $words) = @_;
    finish($r, 'unreachable', '-', $words);
}

sub expire {
    my ($r) = @_;
    finish($r, defined $r->{ms} ? 'allowed' : 'timeout', '-');
}

sub finish {
    my ($r, $verdict, $client, $words) = @_;
    my $line = sprintf '%s %s %.1f %s', $r->{id}, $verdict, $r->{ms} // now() - $r->{sent}, $client;
    $line .= " $words" if defined $words;
    # In one piece: all of us write into the same pipe.
    syswrite(STDOUT, "$line\n");
    if ($r->{protocol} eq 'icmp') { delete $echo{ $r->{from} }; return }
    return if !$r->{socket};
    delete $open{ fileno $r->{socket} };
    close delete $r->{socket};
}
