# What the servers in Perl begin with (responder.pl, cluster-dns.pl, nlb-targets.pl): one process that has sockets in many network
# namespaces, and goes to the background. Perl, because entering a namespace takes setns(2), which Node has not, and
# perl-base is on every Debian and Ubuntu.
#
#   perl PROGRAM CONFIG PIDFILE
use strict;
use warnings;
use Socket;
use Fcntl;
use POSIX ();

my ($config, $pid_file) = @ARGV;
my ($program) = $0 =~ m{([^/]+)\.pl$};
# setns(2): asm-generic/unistd.h 268 (arm64, riscv64), arch/x86/entry/syscalls/syscall_64.tbl 308.
my %SETNS = (x86_64 => 308, aarch64 => 268, riscv64 => 268, i686 => 346, ppc64le => 350, s390x => 339);
my $CLONE_NEWNET = 0x40000000;
my $machine = (POSIX::uname())[4];
my $setns = $SETNS{$machine} or die "$program: setns is not known for $machine\n";

# An open file of the namespace.
sub open_netns {
    my ($netns) = @_;
    open(my $ns, '<', "/run/netns/$netns") or die "$program: netns $netns: $!\n";
    return $ns;
}

# Sockets that are opened from now on are there.
sub enter_netns {
    my ($ns, $netns) = @_;
    syscall($setns, fileno($ns), $CLONE_NEWNET) == 0 or die "$program: enter netns $netns: $!\n";
}

# Once every socket is open, so that whoever started us knows that it may ask.
sub go_to_background {
    my $child = fork();
    defined $child or die "$program: fork: $!\n";
    if ($child) {
        open(my $out, '>', $pid_file) or die "$program: $pid_file: $!\n";
        print $out "$child\n";
        close $out;
        exit 0;
    }
    POSIX::setsid();
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', '/dev/null');
    open(STDERR, '>', '/dev/null');
    $SIG{PIPE} = 'IGNORE';
}

# The same, and somebody watches: when the worker dies another one goes on from here. The process id that is written down is
# the watcher's, and is returned: a worker whose parent is somebody else has lost him, and ends.
sub go_to_background_watched {
    go_to_background();
    my $watcher = $$;
    while (1) {
        my $worker = fork();
        # There is no room at the moment.
        if (!defined $worker) { select(undef, undef, undef, 1); next }
        return $watcher if !$worker;
        local $SIG{TERM} = sub { kill('TERM', $worker); POSIX::_exit(0) };
        waitpid($worker, 0);
        # One that dies at once must not keep the machine busy.
        select(undef, undef, undef, 0.2);
    }
}

# Seconds since some moment, to a hundredth: Time::HiRes is not in perl-base.
sub now { return (POSIX::times())[0] / 100 }
