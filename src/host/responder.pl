# Answers on UDP ports, and on TCP ports that do not speak HTTP, of any number of network namespaces from one process.
#
#   perl responder.pl CONFIG PIDFILE
#
# CONFIG has a line a socket: NETNS udp|tcp PORT DELAY_MS|fail JSON-MEMBERS. A datagram is answered with one line of
# JSON (who answered, whom it saw, what was said); a TCP connection gets that line first and is then echoed.
# Perl, because entering a namespace takes setns(2), which Node has not, and perl-base is on every Debian and Ubuntu.
use strict;
use warnings;
use Socket;
use Fcntl;
use POSIX ();

my ($config, $pid_file) = @ARGV;
# setns(2): asm-generic/unistd.h 268 (arm64, riscv64), arch/x86/entry/syscalls/syscall_64.tbl 308.
my %SETNS = (x86_64 => 308, aarch64 => 268, riscv64 => 268, i686 => 346, ppc64le => 350, s390x => 339);
my $CLONE_NEWNET = 0x40000000;
my $machine = (POSIX::uname())[4];
my $setns = $SETNS{$machine} or die "responder: setns is not known for $machine\n";

my (%server, %client);
open(my $lines, '<', $config) or die "responder: $config: $!\n";
while (my $line = <$lines>) {
    chomp $line;
    my ($netns, $protocol, $port, $mode, $identity) = split / /, $line, 5;
    open(my $ns, '<', "/run/netns/$netns") or die "responder: netns $netns: $!\n";
    syscall($setns, fileno($ns), $CLONE_NEWNET) == 0 or die "responder: enter netns $netns: $!\n";
    close $ns;
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

# In the background once every socket is open, so that whoever started us knows that it may ask.
my $child = fork();
defined $child or die "responder: fork: $!\n";
if ($child) {
    open(my $out, '>', $pid_file) or die "responder: $pid_file: $!\n";
    print $out "$child\n";
    close $out;
    exit 0;
}
POSIX::setsid();
open(STDIN, '<', '/dev/null');
open(STDOUT, '>', '/dev/null');
open(STDERR, '>', '/dev/null');
$SIG{PIPE} = 'IGNORE';

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

# Seconds since some moment, to a hundredth: Time::HiRes is not in perl-base.
sub now { return (POSIX::times())[0] / 100 }

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
