# Is the cluster's DNS server in any number of network namespaces from one process: CoreDNS with `kubernetes` and `forward`.
#
# It begins with netns-server.pl. CONFIG has a line for each thing that it knows, the words of it one space apart:
#
#   zone cluster.local                      what it answers for itself, whoever asks; one line
#   listen NETNS UPSTREAM [UPSTREAM…]       a replica: UDP and TCP port 53, and whom it asks from there what it does not know
#   a NAME ADDRESS                          one of a name's addresses
#   srv NAME PRIORITY WEIGHT PORT TARGET
#   ptr ADDRESS NAME                        the name of an address
#   cname NAME TARGET                       the target may be outside of the zone
#   txt NAME TEXT                           the text is the rest of the line
#   exists NAME                             the name is there, and has no record
#   pods NAMESPACE                          a-b-c-d.NAMESPACE.pod.ZONE is a.b.c.d (CoreDNS: `pods insecure`)
#
# What is in the zone is never asked upstream. A name above one that is there is there too, without a record. What is asked
# upstream is asked as it came, over UDP or TCP as it came; who does not answer in two seconds is followed by the next one,
# the last one by SERVFAIL.
# A namespace's server asks from one UDP port, and by a TCP connection for each question.
# @see RFC 1035 (messages), RFC 2308 (answers that say no), RFC 2782 (SRV), RFC 6891 (OPT), RFC 7766 (TCP)
# @see coredns/plugin/kubernetes, coredns/plugin/forward, coredns/plugin/loadbalance

my $PORT = 53;
# CoreDNS kubernetes: `ttl`, also of what is not there.
my $TTL = 5;
# In seconds. CoreDNS forward: `readTimeout`; core/dnsserver: `tcpIdleTimeout`.
my ($UPSTREAM_TIMEOUT, $IDLE_TIMEOUT) = (2, 10);
# RFC 1035, 4.2.1; more only for who says so (OPT), and no more than the second.
my ($UDP_BYTES, $EDNS_BYTES, $TCP_BYTES) = (512, 4096, 65535);
# Open at once, clients and upstreams each: a process may have 1024 files.
my $CONNECTIONS = 256;
# Questions upstream at once: an id has 16 bits, and a free one must be found soon.
my $OUTSTANDING = 20_000;
# Datagrams read from one socket before the others have their turn.
my $BURST = 64;

my ($A, $NS, $CNAME, $SOA, $PTR, $MX, $TXT, $SRV, $DNAME, $OPT) = (1, 2, 5, 6, 12, 15, 16, 33, 39, 41);
my $IN = 1;
my ($NOERROR, $FORMERR, $SERVFAIL, $NXDOMAIN, $NOTIMP, $REFUSED, $BADVERS) = (0, 1, 2, 3, 4, 5, 16);
my ($QR, $OPCODE, $AA, $TC, $RD, $RA, $CD) = (0x8000, 0x7800, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010);

# A name is text without the last dot; within a label, what would be taken for the end of it is \DDD (RFC 1035, 5.1).
# A record is [name, type, TTL, data…]; of the data, a reference is a name that may be compressed.
my ($zone, %known, %records, %ptr, %pods, @replicas);
# By the number of its file: what to do when something comes, or when there is room again.
my (%on_read, %on_write);
my ($reading, $writing) = ('', '');
# How many connections there are towards upstreams; those of clients.
my ($towards, %clients) = (0);
# What waits for an upstream, ordered by its time.
my @due;

read_config();
open_sockets($_) for @replicas;

go_to_background();

while (1) {
    my $wait = @due ? $due[0]{until} - now() : undef;
    # Who is idle is looked for once a second.
    $wait = 1 if %clients and (!defined $wait or $wait > 1);
    my $ready = select(my $read = $reading, my $write = $writing, undef, defined $wait && $wait < 0 ? 0 : $wait);
    if ($ready > 0) {
        # One of them may end another; and nothing that somebody says ends us.
        for my $fd (grep { vec($write, $_, 1) } keys %on_write) { eval { $on_write{$fd}->() if $on_write{$fd} } }
        for my $fd (grep { vec($read, $_, 1) } keys %on_read) { eval { $on_read{$fd}->() if $on_read{$fd} } }
    }
    # What has come is read before anything is called late.
    eval { expire() };
}

# --- What it knows

sub read_config {
    open(my $in, '<', $config) or die "cluster-dns: $config: $!\n";
    chomp(my @lines = <$in>);
    close $in;
    my @zones = map { /^zone (\S+)$/ ? lower(written($1)) : () } @lines;
    @zones == 1 or die "cluster-dns: $config: there must be one zone\n";
    $zone = $zones[0];
    $known{$zone} = 1;
    my %read = (
        zone => sub { },
        listen => sub {
            my ($netns, @upstreams) = @_;
            @upstreams or die "no upstream\n";
            push @replicas, { netns => $netns, upstreams => [map { pack_sockaddr_in($PORT, address($_)) } @upstreams] };
        },
        a => sub { add($_[0], $A, address($_[1])) },
        srv => sub { add($_[0], $SRV, pack('n3', @_[1 .. 3]) . wire(written($_[4])), $_[4]) },
        ptr => sub {
            my $name = join('.', reverse(unpack('C4', address($_[0])))) . '.in-addr.arpa';
            push @{ $ptr{$name} }, \written($_[1]);
        },
        cname => sub { add($_[0], $CNAME, \written($_[1])) },
        txt => sub { add($_[0], $TXT, join('', map { pack('C/a*', $_) } unpack('(a255)*', $_[1]))) },
        exists => sub { know(lower(written($_[0]))) },
        pods => sub {
            my $name = lower(written("$_[0].pod.$zone"));
            know($name);
            $pods{$name} = 1;
        },
    );
    my $number = 0;
    for my $line (@lines) {
        $number++;
        my ($word, @rest) = split / /, $line, $line =~ /^txt / ? 3 : 0;
        next if !defined $word;
        my $act = $read{$word} or die "cluster-dns: $config:$number: nothing is called \"$word\"\n";
        eval { local $SIG{__WARN__} = sub { die @_ }; $act->(@rest); 1 } or die "cluster-dns: $config:$number: $@";
    }
    @replicas or die "cluster-dns: $config: nobody listens\n";
}

sub address {
    # Not inet_aton, which would ask for what is no address.
    return Socket::inet_pton(AF_INET, $_[0]) // die "\"$_[0]\" is no address\n";
}

# A name of the configuration.
sub written {
    my ($name) = @_;
    $name =~ s/\.$//;
    $name =~ /^[^.\\]{1,63}(\.[^.\\]{1,63})*$/ && length $name <= 253 or die "\"$name\" is no name\n";
    return $name;
}

# Not lc: a name's letters are ASCII's.
sub lower { return $_[0] =~ tr/A-Z/a-z/r }

sub is_inside {
    my ($name) = @_;
    return $name eq $zone || substr($name, -length($zone) - 1) eq ".$zone";
}

sub know {
    my ($name) = @_;
    is_inside($name) or die "\"$name\" is outside of $zone\n";
    # What is above it, too.
    for (; $name ne $zone; $name =~ s/^[^.]*\.//) { $known{$name} = 1 }
}

# Of an SRV record the target is kept beside it: its addresses are told along.
sub add {
    my ($name, $type, $data, $target) = @_;
    my $key = lower(written($name));
    know($key);
    push @{ $records{$key}{$type} }, { data => $data, defined $target ? (target => written($target)) : () };
}

# CoreDNS says the same of every zone but for the number.
sub soa {
    return [$zone, $SOA, $TTL, \"ns.dns.$zone", \"hostmaster.$zone", pack('N5', 1, 7200, 1800, 86400, $TTL)];
}

# What the zone says: { rcode, answer, authority, additional }, and `outside` where a CNAME leads out of it.
sub look_up {
    my ($replica, $owner, $type) = @_;
    my (@answer, %seen);
    while (1) {
        my $name = lower($owner);
        my $found = $records{$name};
        if (my $records = $found && $found->{$type}) {
            my @records = @$records;
            if ($type == $A) {
                # CoreDNS loadbalance shuffles; one after the other is as even, and can be foretold.
                my $turn = $replica->{turn}{$name}++ % @records;
                @records = (@records[$turn .. $#records], @records[0 .. $turn - 1]);
            }
            push @answer, map { [$owner, $type, $TTL, $_->{data}] } @records;
            my %targets = map { $_->{target} ? (lower($_->{target}) => $_->{target}) : () } @records;
            my @additional = map {
                my $target = $_;
                map { [$targets{$target}, $A, $TTL, $_->{data}] } @{ ($records{$target} // {})->{$A} // [] };
            } sort keys %targets;
            return { rcode => $NOERROR, answer => \@answer, additional => \@additional };
        }
        if ($found and my $alias = $found->{$CNAME}) {
            # It has come round.
            return { rcode => $NOERROR, answer => \@answer } if $seen{$name}++;
            my $target = $alias->[0]{data};
            push @answer, [$owner, $CNAME, $TTL, $target];
            return { rcode => $NOERROR, answer => \@answer, outside => $$target } if !is_inside(lower($$target));
            $owner = $$target;
            next;
        }
        my $rcode = $known{$name} ? $NOERROR : $NXDOMAIN;
        if ($name =~ /^(\d+)-(\d+)-(\d+)-(\d+)\.(.*)/s and $pods{$5} and my $address = Socket::inet_pton(AF_INET, "$1.$2.$3.$4")) {
            $rcode = $NOERROR;
            return { rcode => $rcode, answer => [@answer, [$owner, $A, $TTL, $address]] } if $type == $A;
        }
        if ($name eq $zone and $type == $SOA || $type == $NS) {
            my $record = $type == $SOA ? soa() : [$owner, $NS, $TTL, \"ns.dns.$zone"];
            return { rcode => $rcode, answer => [@answer, $record] };
        }
        return { rcode => $rcode, answer => \@answer, authority => [soa()] };
    }
}

# --- Messages

# The name at a place of a message, and the place behind it. A pointer leads back, and there are no more of them than a
# name has labels: nobody keeps us busy with one.
sub read_name {
    my ($message, $at) = @_;
    my ($end, @labels);
    my ($limit, $bytes, $pointers) = ($at, 1, 0);
    while (1) {
        my $length = unpack('C', substr($message, $at, 1)) // die "ends in a name\n";
        if ($length >= 0xc0) {
            my $to = unpack('n', substr($message, $at, 2)) // die "ends in a name\n";
            $end //= $at + 2;
            $at = $to & 0x3fff;
            $at < $limit && $pointers++ < 127 or die "points forward, or too often\n";
            $limit = $at;
            next;
        }
        $length < 0x40 or die "no label\n";
        $at++;
        last if $length == 0;
        $bytes += $length + 1;
        $at + $length < length $message && $bytes <= 255 or die "ends in a name, or has none\n";
        my $label = substr($message, $at, $length);
        $label =~ s/([.\\])/sprintf '\\%03d', ord $1/ge;
        push @labels, $label;
        $at += $length;
    }
    return (join('.', @labels), $end // $at);
}

sub label {
    my ($label) = @_;
    $label =~ s/\\(\d{3})/chr $1/ge;
    return pack('C/a*', $label);
}

sub wire { return join('', map { label($_) } split /\./, $_[0]) . "\0" }

# A name behind the message, and as much of it as stands there already as a pointer.
sub append_name {
    my ($message, $places, $name) = @_;
    while ($name ne '') {
        if (my $place = $places->{$name}) {
            $$message .= pack('n', 0xc000 | $place);
            return;
        }
        $places->{$name} = length $$message if length $$message < 0x4000;
        (my $label, $name) = split /\./, $name, 2;
        $name //= '';
        $$message .= label($label);
    }
    $$message .= "\0";
}

# The head of a query, its question, and what its OPT record says; dies of what is none.
sub read_query {
    my ($message) = @_;
    my ($id, $flags, @counts) = unpack('n6', $message);
    my ($name, $at) = read_name($message, 12);
    my ($type, $class) = unpack('n2', substr($message, $at, 4));
    defined $class or die "ends in the question\n";
    my $query = { id => $id, flags => $flags, name => $name, type => $type, class => $class, message => $message };
    $query->{question} = substr($message, 12, ($at += 4) - 12);
    # More questions than one are not read: nobody answers them.
    return $query if $counts[0] != 1;
    for (1 .. $counts[1] + $counts[2] + $counts[3]) {
        my ($owner, $behind) = read_name($message, $at);
        my ($kind, $size, $extended, $length) = unpack('nnNn', substr($message, $behind, 10));
        defined $length && $behind + 10 + $length <= length $message or die "ends in a record\n";
        $at = $behind + 10 + $length;
        # RFC 6891, 6.1.3: extended rcode (8 bits), version (8), DO (1).
        $query->{opt} = { size => $size, version => $extended >> 16 & 0xff, do => $extended & 0x8000 } if $kind == $OPT;
    }
    return $query;
}

# The records of the answer of an upstream. Names are spelt out: they point to places in its message.
sub read_answer {
    my ($message) = @_;
    my (undef, undef, $questions, $answers) = unpack('n4', $message);
    my ($at, @records) = (12);
    for (1 .. $questions) { $at = (read_name($message, $at))[1] + 4 }
    for (1 .. $answers) {
        my ($owner, $behind) = read_name($message, $at);
        my ($type, $class, $ttl, $length) = unpack('nnNn', substr($message, $behind, 10));
        my $data = $behind + 10;
        defined $length && $data + $length <= length $message or die "ends in a record\n";
        $at = $data + $length;
        next if $class != $IN;
        my @data = substr($message, $data, $length);
        # Only these may be compressed (RFC 3597, 4); an SRV record's target comes compressed from some all the same.
        if ($type == $CNAME or $type == $NS or $type == $PTR or $type == $DNAME) {
            @data = \(read_name($message, $data))[0];
        } elsif ($type == $MX) {
            @data = (substr($data[0], 0, 2), \(read_name($message, $data + 2))[0]);
        } elsif ($type == $SRV) {
            @data = substr($data[0], 0, 6) . wire((read_name($message, $data + 6))[0]);
        } elsif ($type == $SOA) {
            my ($server, $next) = read_name($message, $data);
            my ($mailbox, $numbers) = read_name($message, $next);
            @data = (\$server, \$mailbox, substr($message, $numbers, 20));
        }
        push @records, [$owner, $type, $ttl, @data];
    }
    return @records;
}

# The message that answers a query. What does not fit is left out, from the end, and TC says so.
sub render {
    my ($query, $flags, $rcode, $said) = @_;
    my $opt = $query->{opt};
    # RFC 1035, 4.1.1: the opcode and RD come back. CD too, as CoreDNS has it.
    $flags |= $QR | $query->{flags} & ($OPCODE | $RD | $CD);
    # It asks others for whom wants it.
    $flags |= $RA if $query->{flags} & $RD;
    my ($message, %places) = ("\0" x 12);
    append_name(\$message, \%places, $query->{name});
    $message .= pack('n2', $query->{type}, $query->{class});
    my $room = $query->{room} - ($opt ? 11 : 0);
    my @counts = (1, 0, 0, 0);
    my @sections = ($said->{answer}, $said->{authority}, $said->{additional});
    SECTION: for my $section (1 .. 3) {
        for my $record (@{ $sections[$section - 1] // [] }) {
            my ($owner, $type, $ttl, @data) = @$record;
            my $before = length $message;
            append_name(\$message, \%places, $owner);
            $message .= pack('nnN', $type, $IN, $ttl) . "\0\0";
            my $start = length $message;
            for (@data) { if (ref $_) { append_name(\$message, \%places, $$_) } else { $message .= $_ } }
            substr($message, $start - 2, 2) = pack('n', length($message) - $start);
            if (length $message > $room) {
                substr($message, $before) = '';
                $flags |= $TC;
                last SECTION;
            }
            $counts[$section]++;
        }
    }
    if ($opt) {
        $message .= pack('CnnNn', 0, $OPT, udp_room($opt), ($rcode >> 4) << 24 | $opt->{do}, 0);
        $counts[3]++;
    }
    substr($message, 0, 12) = pack('n6', $query->{id}, $flags | $rcode & 15, @counts);
    return $message;
}

sub udp_room {
    my ($opt) = @_;
    my $size = $opt ? $opt->{size} : 0;
    return $size < $UDP_BYTES ? $UDP_BYTES : $size > $EDNS_BYTES ? $EDNS_BYTES : $size;
}

# --- Questions

# What a client says. `send` takes the answer, now or later; false where there will be none.
sub hear {
    my ($replica, $is_tcp, $message, $send) = @_;
    return 0 if length $message < 12;
    my ($flags, $questions) = unpack('x2n2', $message);
    return 0 if $flags & $QR or $questions == 0;
    my $query = eval { read_query($message) } or return 0;
    $query->{room} = $is_tcp ? $TCP_BYTES : udp_room($query->{opt});
    $query->{tcp} = $is_tcp;
    $query->{send} = $send;
    answer($replica, $query);
    return 1;
}

sub answer {
    my ($replica, $query) = @_;
    my ($name, $type) = (lower($query->{name}), $query->{type});
    return refuse($query, $NOTIMP) if $query->{flags} & $OPCODE;
    # As CoreDNS: core/dnsserver/server.go ServeDNS, and miekg/dns acceptfunc.go of more questions than one.
    return refuse($query, $FORMERR) if unpack('x4n', $query->{message}) != 1;
    return refuse($query, $REFUSED) if $query->{class} != $IN;
    return refuse($query, $BADVERS) if $query->{opt} and $query->{opt}{version} != 0;
    if (is_inside($name)) {
        my $said = look_up($replica, $query->{name}, $type);
        return chase($replica, $query, $said) if defined $said->{outside};
        return $query->{send}->(render($query, $AA, $said->{rcode}, $said));
    }
    if ($type == $PTR and my $names = $ptr{$name}) {
        my @answer = map { [$query->{name}, $PTR, $TTL, $_] } @$names;
        return $query->{send}->(render($query, $AA, $NOERROR, { answer => \@answer }));
    }
    forward($replica, $query, substr($query->{message}, 2), $query->{question}, sub {
        my ($message) = @_;
        return refuse($query, $SERVFAIL) if !defined $message;
        # Who was told how much we take may say more all the same.
        return $query->{send}->(render($query, $TC | unpack('x2n', $message) & $AA, unpack('x3C', $message) & 15, {}))
            if length $message > $query->{room};
        substr($message, 0, 2) = pack('n', $query->{id});
        $query->{send}->($message);
    });
}

sub refuse {
    my ($query, $rcode) = @_;
    $query->{send}->(render($query, 0, $rcode, {}));
}

# A CNAME leads out of the zone: the same is asked of its target, as the client asked (CoreDNS: request.NewWithQuestion).
sub chase {
    my ($replica, $query, $said) = @_;
    my $question = wire($said->{outside}) . pack('n2', $query->{type}, $IN);
    my $opt = $query->{opt};
    my $tail = pack('n5', $query->{flags} & ($RD | $CD), 1, 0, 0, $opt ? 1 : 0) . $question;
    $tail .= pack('CnnNn', 0, $OPT, udp_room($opt), $opt->{do}, 0) if $opt;
    forward($replica, $query, $tail, $question, sub {
        my ($message) = @_;
        my ($flags, $rcode, @more) = ($AA, $SERVFAIL);
        if (defined $message) {
            my $theirs = unpack('x2n', $message);
            # Of a message that nobody can read, nothing is told.
            if (eval { @more = read_answer($message); 1 }) { ($flags, $rcode) = ($AA | $theirs & $TC, $theirs & 15) }
        }
        $query->{send}->(render($query, $flags, $rcode, { answer => [@{ $said->{answer} }, @more] }));
    });
}

# --- Upstreams

# Asks upstream: a message without its id. `done` gets the answer, or undef when there is none.
sub forward {
    my ($replica, $query, $tail, $question, $done) = @_;
    $replica->{outstanding}++;
    my $asked = {
        replica => $replica, tail => $tail, question => lower($question), tcp => $query->{tcp}, done => $done,
        next => 0,
    };
    ask_next($asked);
}

sub ask_next {
    my ($asked) = @_;
    my $replica = $asked->{replica};
    abandon($asked);
    while ($replica->{outstanding} <= $OUTSTANDING and my $upstream = $replica->{upstreams}[$asked->{next}++]) {
        $asked->{upstream} = $upstream;
        $asked->{id} = int rand 65536;
        $asked->{id} = int rand 65536 while !$asked->{tcp} and $replica->{waiting}{ $asked->{id} };
        my $sent = $asked->{tcp} ? call($asked) : say_it($asked);
        next if !$sent;
        push @due, { until => now() + $UPSTREAM_TIMEOUT, asked => $asked, try => $asked->{next} };
        return;
    }
    finish($asked, undef);
}

sub say_it {
    my ($asked) = @_;
    my $replica = $asked->{replica};
    # A full queue loses it like any other on the way.
    defined send($replica->{upstream}, pack('n', $asked->{id}) . $asked->{tail}, 0, $asked->{upstream})
        or $! == POSIX::EAGAIN() or return 0;
    $replica->{waiting}{ $asked->{id} } = $asked;
    return 1;
}

# Whether the message is what was asked for. Who fails may leave the question out.
sub is_answer {
    my ($asked, $message) = @_;
    return 0 if length $message < 12;
    my ($id, $flags, $questions) = unpack('n3', $message);
    return 0 if $id != $asked->{id} or !($flags & $QR);
    return $questions == 0 || lower(substr($message, 12, length $asked->{question})) eq $asked->{question};
}

sub hear_upstream {
    my ($replica) = @_;
    for (1 .. $BURST) {
        my $peer = recv($replica->{upstream}, my $message, $TCP_BYTES, 0);
        return if !defined $peer;
        next if length $message < 12;
        my $asked = $replica->{waiting}{ unpack('n', $message) } or next;
        next if $peer ne $asked->{upstream} or !is_answer($asked, $message);
        finish($asked, $message);
    }
}

# A connection from within the replica's namespace, for one question.
sub call {
    my ($asked) = @_;
    return 0 if $towards >= $CONNECTIONS;
    eval { enter_netns(@{ $asked->{replica} }{qw(ns netns)}); 1 } and socket(my $socket, PF_INET, SOCK_STREAM, 0) or return 0;
    $towards++;
    $asked->{socket} = $socket;
    fcntl($socket, F_SETFL, O_NONBLOCK);
    my $fd = fileno $socket;
    if (!connect($socket, $asked->{upstream}) and $! != POSIX::EINPROGRESS()) {
        abandon($asked);
        return 0;
    }
    my $out = pack('n', length($asked->{tail}) + 2) . pack('n', $asked->{id}) . $asked->{tail};
    my $in = '';
    watch_write($fd, sub {
        my $wrote = syswrite($socket, $out);
        if (!defined $wrote) { return $! == POSIX::EAGAIN() ? undef : ask_next($asked) }
        substr($out, 0, $wrote) = '';
        watch_write($fd, undef) if $out eq '';
    });
    watch_read($fd, sub {
        my $got = sysread($socket, $in, 65536, length $in);
        if (!$got) { return !defined $got && $! == POSIX::EAGAIN() ? undef : ask_next($asked) }
        my $message = next_message(\$in) // return;
        is_answer($asked, $message) ? finish($asked, $message) : ask_next($asked);
    });
    return 1;
}

sub abandon {
    my ($asked) = @_;
    my $waiting = $asked->{replica}{waiting};
    my $id = $asked->{id};
    delete $waiting->{$id} if defined $id and $waiting->{$id} and $waiting->{$id} == $asked;
    my $socket = delete $asked->{socket} or return;
    watch_read(fileno $socket, undef);
    watch_write(fileno $socket, undef);
    close $socket;
    $towards--;
}

sub finish {
    my ($asked, $message) = @_;
    abandon($asked);
    $asked->{replica}{outstanding}--;
    # Nothing comes twice.
    my $done = delete $asked->{done} or return;
    $done->($message);
}

sub expire {
    my $now = now();
    while (@due and $due[0]{until} <= $now) {
        my ($asked, $try) = @{ shift @due }{qw(asked try)};
        ask_next($asked) if $asked->{done} and $asked->{next} == $try;
    }
    # A copy: who is idle goes out of it meanwhile.
    for my $client (my @all = values %clients) {
        hang_up($client) if $client->{used} + $IDLE_TIMEOUT <= $now;
    }
}

# --- Sockets

sub open_sockets {
    my ($replica) = @_;
    my $netns = $replica->{netns};
    # Kept open: a connection to an upstream is opened there later.
    $replica->{ns} = open_netns($netns);
    enter_netns($replica->{ns}, $netns);
    for my $kind ('udp', 'upstream', 'tcp') {
        my $is_tcp = $kind eq 'tcp';
        socket(my $socket, PF_INET, $is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0) or die "cluster-dns: socket: $!\n";
        setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) if $is_tcp;
        # A burst waits for us; as much as the machine grants.
        setsockopt($socket, SOL_SOCKET, SO_RCVBUF, 1 << 20) if !$is_tcp;
        # Towards upstreams from a port that the kernel picks. Like any of a pod's, it needs no address of its own.
        $kind eq 'upstream' or bind($socket, sockaddr_in($PORT, INADDR_ANY))
            or die "cluster-dns: $netns $kind $PORT: $!\n";
        $is_tcp and (listen($socket, 512) or die "cluster-dns: listen: $!\n");
        fcntl($socket, F_SETFL, O_NONBLOCK);
        $replica->{$kind} = $socket;
    }
    $replica->{waiting} = {};
    watch_read(fileno $replica->{udp}, sub { hear_datagrams($replica) });
    watch_read(fileno $replica->{upstream}, sub { hear_upstream($replica) });
    watch_read(fileno $replica->{tcp}, sub { accept_client($replica) });
}

sub watch_read {
    my ($fd, $act) = @_;
    vec($reading, $fd, 1) = $act ? 1 : 0;
    if ($act) { $on_read{$fd} = $act } else { delete $on_read{$fd} }
}

sub watch_write {
    my ($fd, $act) = @_;
    vec($writing, $fd, 1) = $act ? 1 : 0;
    if ($act) { $on_write{$fd} = $act } else { delete $on_write{$fd} }
}

sub hear_datagrams {
    my ($replica) = @_;
    my $socket = $replica->{udp};
    for (1 .. $BURST) {
        my $peer = recv($socket, my $message, $TCP_BYTES, 0);
        return if !defined $peer;
        eval { hear($replica, 0, $message, sub { send($socket, $_[0], 0, $peer) }) };
    }
}

sub accept_client {
    my ($replica) = @_;
    accept(my $socket, $replica->{tcp}) or return;
    if (keys %clients >= $CONNECTIONS) {
        my ($idle) = sort { $a->{used} <=> $b->{used} } values %clients;
        hang_up($idle);
    }
    fcntl($socket, F_SETFL, O_NONBLOCK);
    my $fd = fileno $socket;
    my $client = $clients{$fd} = {
        fd => $fd, socket => $socket, replica => $replica, used => now(), in => '', out => '', owed => 0,
    };
    watch_read($fd, sub { hear_client($client) });
}

# The message at the head of a stream, once it is there as a whole (RFC 1035, 4.2.2).
sub next_message {
    my ($stream) = @_;
    return undef if length $$stream < 2;
    my $length = unpack('n', $$stream);
    return undef if length $$stream < 2 + $length;
    my $message = substr($$stream, 2, $length);
    substr($$stream, 0, 2 + $length) = '';
    return $message;
}

sub hear_client {
    my ($client) = @_;
    my $got = sysread($client->{socket}, $client->{in}, 65536, length $client->{in});
    if (!$got) {
        return if !defined $got and $! == POSIX::EAGAIN();
        return hang_up($client) if !defined $got;
        # It has said all, and may still want to hear.
        $client->{ended} = 1;
        watch_read($client->{fd}, undef);
        return settle($client);
    }
    $client->{used} = now();
    while (defined(my $message = next_message(\$client->{in}))) {
        my $send = sub {
            $client->{owed}--;
            return if !$client->{socket};
            $client->{used} = now();
            $client->{out} .= pack('n', length $_[0]) . $_[0];
            settle($client);
        };
        $client->{owed}++;
        my $will_send = eval { hear($client->{replica}, 1, $message, $send) };
        $client->{owed}-- if !$will_send;
        return if !$client->{socket};
    }
}

# Sends what waits for it, and hangs up on who has heard all that it asked for.
sub settle {
    my ($client) = @_;
    while ($client->{out} ne '') {
        my $wrote = syswrite($client->{socket}, $client->{out});
        if (!defined $wrote) {
            # Who asks and asks and never reads is not waited for.
            return hang_up($client) if $! != POSIX::EAGAIN() or length $client->{out} > 1 << 20;
            return watch_write($client->{fd}, sub { settle($client) });
        }
        substr($client->{out}, 0, $wrote) = '';
    }
    watch_write($client->{fd}, undef);
    hang_up($client) if $client->{ended} and $client->{owed} <= 0;
}

sub hang_up {
    my ($client) = @_;
    my $socket = delete $client->{socket} or return;
    watch_read($client->{fd}, undef);
    watch_write($client->{fd}, undef);
    delete $clients{ $client->{fd} };
    close $socket;
}
