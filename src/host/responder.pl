# Answers on UDP ports, and on TCP ports that do not speak HTTP, of any number of network namespaces from one process.
#
# It begins with netns-server.pl. CONFIG has a line a socket: NETNS udp|tcp PORT DELAY_MS|fail JSON-MEMBERS. A datagram is
# answered with one line of JSON (who answered, whom it saw, what was said); a TCP connection gets that line first and is
# then echoed.

my (%server, %client);
open(my $lines, '<', $config) or die "responder: $config: $!\n";
while (my $line = <$lines>) {
    chomp $line;
    my ($netns, $protocol, $port, $mode, $identity) = split / /, $line, 5;
    enter_netns(open_netns($netns), $netns);
    my $udp = $protocol eq 'udp';
    socket(my $socket, PF_INET, $udp ? SOCK_DGRAM : SOCK_STREAM, 0) or die "responder: socket: $!\n";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    # Answer from the address that was asked, also where a thing has several: IP_PKTINFO is not in Perl's core, and
    # a thing with one address needs none.
    bind($socket, sockaddr_in($port, INADDR_ANY)) or die "responder: $netns $protocol $port: $!\n";
    $udp or listen($socket, 512) or die "responder: listen: $!\n";
    fcntl($socket, F_SETFL, O_NONBLOCK);
    $server{fileno $socket} = { socket => $socket, udp => $udp, port => $port, mode => $mode, identity => $identity };
}

go_to_background();

sub quote {
    my ($text) = @_;
    $text =~ s/([\\"])/\\$1/g;
    $text =~ s/([^\x20-\x7e])/sprintf '\\u%04x', ord $1/ge;
    return qq("$text");
}

sub answer {
    my ($s, $peer, $said) = @_;
    my ($port, $address) = sockaddr_in($peer);
    my $seen = sprintf '"protocol":"%s","port":%d,"client":"%s","clientPort":%d', $s->{udp} ? 'udp' : 'tcp', $s->{port},
        inet_ntoa($address), $port;
    $seen .= ',"said":' . quote($said) if defined $said;
    return "{$s->{identity},$seen}\n";
}

# A slow server must not hold up the others: what is due later waits here, ordered by its time.
my @pending;

sub later {
    my ($s, $act) = @_;
    return $act->() if $s->{mode} == 0;
    @pending = sort { $a->[0] <=> $b->[0] } @pending, [now() + $s->{mode} / 1000, $act];
}

while (1) {
    while (@pending and $pending[0][0] <= now()) { (shift @pending)->[1]->() }
    my $read = '';
    vec($read, $_, 1) = 1 for keys %server, keys %client;
    my $wait = @pending ? $pending[0][0] - now() : undef;
    my $ready = select($read, undef, undef, defined $wait && $wait < 0 ? 0 : $wait);
    next if $ready <= 0;
    for my $fd (grep { vec($read, $_, 1) } keys %client) {
        my $got = sysread($client{$fd}, my $data, 65536);
        if (!$got) { close delete $client{$fd}; next }
        syswrite($client{$fd}, $data);
    }
    for my $fd (grep { vec($read, $_, 1) } keys %server) {
        my $s = $server{$fd};
        if ($s->{udp}) {
            my $peer = recv($s->{socket}, my $said, 65536, 0);
            next unless defined $peer and length $peer and $s->{mode} ne 'fail';
            chomp $said;
            later($s, sub { send($s->{socket}, answer($s, $peer, $said), 0, $peer) });
            next;
        }
        my $peer = accept(my $connection, $s->{socket}) or next;
        if ($s->{mode} eq 'fail') {
            setsockopt($connection, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
            close $connection;
            next;
        }
        later($s, sub {
            syswrite($connection, answer($s, $peer));
            $client{fileno $connection} = $connection;
        });
    }
}
