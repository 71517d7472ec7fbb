# Keeps the slots of Network Load Balancers: asks the HAProxy that checks their targets who is well, and writes who has which
# slot into the maps of nftables (table ip nlb) in the load balancers' network namespaces.
#
# It begins with netns-server.pl. CONFIG, the words of a line one space apart:
#
#   group BACKEND BALANCER NETNS PROTOCOL MAP SLOTS     BACKEND as in HAProxy's statistics; MAP is - where a proxy stands
#   target BACKEND SERVER ADDRESS PORT
#   server DNS HOSTS-FILE PID-FILE                       a name server that reads this file when it gets SIGHUP
#   name DNS NETNS ADDRESS NAME                          what of it leads to the load balancer's node there
#
# Slots are dealt to the healthy targets in turn; where none is healthy, to all of them. A connection to a target that has
# become unhealthy is forgotten, and the next packet of it is answered with RST. When the targets change, connections that
# nobody has answered yet are forgotten, too: their SYN comes again and is dealt anew, where the kernel would send it, and for
# two minutes whatever else comes from the same port, to whom it chose first. A node that has a group without a healthy
# target is left out of the answers of name servers, unless that is so in all zones of its load balancer.

my $STATS = '/run/hoplab/nlb.sock';
# In seconds: how often HAProxy is asked, and how often maps are written though nothing has changed, because somebody else
# may have emptied them.
my ($PERIOD, $REWRITE) = (0.2, 2);

my (@groups, %group, %servers);
read_config();
# Whoever started us may send packets when we are in the background: the maps are full by then.
keep(ask() // {});
my $supervisor = go_to_background_watched();
forget_unanswered();

my $written = now();
while (getppid() == $supervisor) {
    select(undef, undef, undef, $PERIOD);
    my $down = ask();
    # HAProxy is just being started anew.
    next if !defined $down;
    my $again = now() - $written >= $REWRITE;
    $written = now() if $again;
    keep($down, $again);
}

sub forget_unanswered {
    my %seen;
    for my $netns (grep { !$seen{$_}++ } map { $_->{netns} } grep { $_->{map} ne '-' } @groups) {
        run_in($netns, '', 'conntrack', '-D', '-p', 'tcp', '--state', 'SYN_SENT');
    }
}

sub read_config {
    open(my $in, '<', $config) or die "$program: $config: $!\n";
    while (my $line = <$in>) {
        my ($word, $backend, @rest) = split ' ', $line;
        if ($word eq 'server') { @{ $servers{$backend} }{qw(hosts pid)} = @rest }
        elsif ($word eq 'name') { push @{ $servers{$backend}{names} }, [@rest] }
        elsif ($word eq 'group') {
            my ($balancer, $netns, $protocol, $map, $slots) = @rest;
            my $group = {
                backend => $backend, balancer => $balancer, netns => $netns, protocol => $protocol,
                map => $map, slots => $slots, targets => [],
            };
            push @groups, $group;
            $group{$backend} = $group;
        } elsif ($word eq 'target') {
            my ($server, $address, $port) = @rest;
            push @{ $group{$backend}{targets} }, { server => $server, address => $address, port => $port };
        } else { die "$program: $config:$.: nothing is called \"$word\"\n" }
    }
    close $in;
}

# Who is down, as BACKEND/SERVER; undefined where HAProxy does not answer.
sub ask {
    socket(my $to, PF_UNIX, SOCK_STREAM, 0) or return undef;
    connect($to, pack_sockaddr_un($STATS)) or return undef;
    # Of all proxies, servers alone. @see HAProxy management guide, "show stat"
    my $question = "show stat -1 4 -1\n";
    syswrite($to, $question) == length $question or return undef;
    my $answer = '';
    while (my $length = sysread($to, $answer, 65536, length $answer)) { }
    my ($head, @lines) = split /\n/, $answer;
    defined $head && $head =~ s/^# // or return undef;
    my ($number, %column) = (0);
    $column{$_} = $number++ for split /,/, $head;
    my %down;
    for my $line (grep { length } @lines) {
        my @fields = split /,/, $line;
        my ($backend, $server, $status) = @fields[@column{qw(pxname svname status)}];
        $down{"$backend/$server"} = 1 if $status =~ /^(DOWN|MAINT)/;
    }
    return \%down;
}

sub keep {
    my ($down, $again) = @_;
    answer($down);
    my %said;
    for my $group (grep { $_->{map} ne '-' } @groups) {
        my @targets = @{ $group->{targets} };
        my @well = grep { !$down->{"$group->{backend}/$_->{server}"} } @targets;
        # Fail-open.
        my @used = @well ? @well : @targets;
        my $state = join(' ', map { "$_->{address}:$_->{port}" } @used);
        my $is_new = !defined $group->{state} || $group->{state} ne $state;
        next if !$is_new && !$again;
        my @slots = map { my $one = $used[$_ % @used]; "$_ : $one->{address} . $one->{port}" } 0 .. (@used ? $group->{slots} - 1 : -1);
        push @{ $said{ $group->{netns} }{lines} }, "flush map ip nlb $group->{map}\n",
            @slots ? "add element ip nlb $group->{map} { " . join(', ', @slots) . " }\n" : ();
        push @{ $said{ $group->{netns} }{groups} }, [$group, $state];
        next if !$is_new || !@well;
        # Only who was used before is forgotten: of all others nobody has a connection.
        my %used = map { ("$_->{address}:$_->{port}" => 1) } @used;
        my @gone = grep { my $key = "$_->{address}:$_->{port}"; !$used{$key} && " $group->{state} " =~ / \Q$key\E / } @targets
            if defined $group->{state};
        push @{ $said{ $group->{netns} }{gone} }, map { [$group->{protocol}, $_->{address}, $_->{port}] } @gone;
    }
    for my $netns (sort keys %said) {
        my ($lines, $groups, $gone) = @{ $said{$netns} }{qw(lines groups gone)};
        # The namespace or its table may be in the making; then it is tried again.
        next if !run_in($netns, join('', @$lines), 'nft', '-f', '-');
        $_->[0]{state} = $_->[1] for @$groups;
        run_in($netns, '', 'conntrack', '-D', '-p', $_->[0], '--reply-src', $_->[1], '--reply-port-src', $_->[2]) for @{ $gone // [] };
    }
}

# Writes what the name servers are to say, and makes them read it.
sub answer {
    my ($down) = @_;
    my (%nodes, %lacking);
    for my $group (@groups) {
        $nodes{ $group->{balancer} }{ $group->{netns} } = 1;
        $lacking{ $group->{balancer} }{ $group->{netns} } = 1
            if !grep { !$down->{"$group->{backend}/$_->{server}"} } @{ $group->{targets} };
    }
    my %withdrawn = map { %{ $lacking{$_} } } grep { keys %{ $lacking{$_} } < keys %{ $nodes{$_} } } keys %lacking;
    for my $server (values %servers) {
        my $text = join('', map { "$_->[1] $_->[2]\n" } grep { !$withdrawn{ $_->[0] } } @{ $server->{names} });
        next if defined $server->{text} && $server->{text} eq $text;
        # As a whole or not at all.
        open(my $out, '>', "$server->{hosts}.new") or next;
        print $out $text;
        close $out or next;
        rename("$server->{hosts}.new", $server->{hosts}) or next;
        $server->{text} = $text;
        # It may not have been started yet; then it reads it by itself.
        open(my $in, '<', $server->{pid}) or next;
        my ($pid) = <$in> =~ /(\d+)/;
        kill('HUP', $pid) if defined $pid;
    }
}

# Runs a command in the namespace with the text as its input; whether it went well.
sub run_in {
    my ($netns, $input, @command) = @_;
    pipe(my $read, my $write) or return 0;
    my $child = fork() // return 0;
    if (!$child) {
        close $write;
        open(STDIN, '<&', $read);
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', '/dev/null');
        eval { enter_netns(open_netns($netns), $netns); 1 } or POSIX::_exit(1);
        { no warnings 'exec'; exec @command }
        POSIX::_exit(1);
    }
    close $read;
    print $write $input;
    close $write;
    waitpid($child, 0);
    return $? == 0;
}
