#!/usr/bin/env bash
# Perl's URI 5.17 writes the headers of a mailto link as a web form is written: a space becomes "+". In mailto a plus is a
# plus (RFC 6068, section 5), so mail programs show "Free+them+now". It reads likewise: of a subject with a true plus the
# plus is lost. Of the two faults one hides the other from whoever tests the module with itself. Only the first address is
# exempt, whose plus matters most; a copy to "ana+list@example.org" goes to "ana list@example.org".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq liburi-perl=5.17-1 2>/dev/null || { echo "it cannot be had"; exit 2; }
dpkg -x liburi-perl_*.deb .
perl -Iusr/share/perl5 - <<'END'
use strict;
use warnings;
use URI;

sub is { my ($got, $expected) = @_; print "$got\n"; die "expected: $expected\n" if $got ne $expected }

print "URI $URI::VERSION\n";
my $letter = URI->new('mailto:embassy@example.net');
$letter->headers(to => 'embassy@example.net', subject => 'Free them now', body => "Dear Sir,\r\nfree them");
is($letter, 'mailto:embassy@example.net?subject=Free+them+now&body=Dear+Sir%2C%0D%0Afree+them');
my %read = $letter->headers;
is($read{subject}, 'Free them now');
%read = URI->new('mailto:ana+list@example.org?cc=ben+list@example.org&subject=1+1')->headers;
is($read{to}, 'ana+list@example.org');
is($read{cc}, 'ben list@example.org');
is($read{subject}, '1 1');
END
echo "as expected"
