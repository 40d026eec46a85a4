# Makes, uses and removes what Net::Amazon::EC2 knows. Prints what each step said (null: it did what
# it should). Arguments: the API's address, and an image.
use strict;
use warnings;
use JSON::PP;
use Net::Amazon::EC2;

my ($address, $image) = @ARGV;
# It signs the host as it stands in the address.
$address =~ s/:443$//;
$ENV{PERL_LWP_SSL_CA_FILE} = $ENV{AWS_CA_BUNDLE};
my $ec2 = Net::Amazon::EC2->new(
    AWSAccessKeyId  => $ENV{AWS_ACCESS_KEY_ID},
    SecretAccessKey => $ENV{AWS_SECRET_ACCESS_KEY},
    region          => 'us-east-1',
    base_url        => $address,
    return_errors   => 0,
);
my (@rows, %made);

sub step {
    my ($what, $work) = @_;
    my $found = eval { $work->() };
    my $error = $@;
    $error = join ', ', map { $_->code . ': ' . $_->message } @{ $error->errors } if ref $error && $error->can('errors');
    push @rows, [$what, $error ? "$error" : $found ? undef : 'it says no'];
}

sub code_of {
    my ($work) = @_;
    eval { $work->(); 1 } and return 'none';
    return ref $@ ? $@->errors->[0]->code : "$@";
}

sub within {
    my ($test) = @_;
    my $ending = time + 120;
    until ($test->()) {
        die "not in time\n" if time > $ending;
        select undef, undef, undef, 0.2;
    }
    return 1;
}

sub instance { $ec2->describe_instances(InstanceId => $made{instance})->[0]->instances_set->[0] }
sub state_is { my ($state) = @_; within(sub { instance()->instance_state->name eq $state }) }

step 'regions and zones' => sub {
    @{ $ec2->describe_regions } && @{ $ec2->describe_availability_zones };
};
step 'key pairs' => sub {
    my $pair = $ec2->create_key_pair(KeyName => 'perl');
    my ($found) = grep { $_->key_name eq 'perl' } @{ $ec2->describe_key_pairs };
    $pair->key_material =~ /PRIVATE KEY/ && $found->key_fingerprint eq $pair->key_fingerprint;
};
step 'security groups' => sub {
    $ec2->create_security_group(GroupName => 'perl', GroupDescription => 'perl');
    my %rule = (GroupName => 'perl', IpProtocol => 'tcp', FromPort => 22, ToPort => 22, CidrIp => '192.0.2.0/24');
    $ec2->authorize_security_group_ingress(%rule);
    my ($group) = @{ $ec2->describe_security_groups(GroupName => 'perl') };
    $made{group} = $group->group_id;
    my $rules = @{ $group->ip_permissions };
    $ec2->revoke_security_group_ingress(%rule);
    $rules == 1;
};
step 'images' => sub {
    my ($found) = @{ $ec2->describe_images(ImageId => $image) };
    $found->image_state eq 'available' && $found->architecture eq 'x86_64';
};
step 'instances: launch and wait' => sub {
    my $reservation = $ec2->run_instances(
        ImageId  => $image, MinCount => 1, MaxCount => 1, InstanceType => 't3.micro', KeyName => 'perl',
        UserData => 'IyEvYmluL3NoCg==', SecurityGroupId => $made{group},
    );
    $made{instance} = $reservation->instances_set->[0]->instance_id;
    state_is('running');
    instance()->key_name eq 'perl';
};
step 'instances: tags, filters, console, attributes' => sub {
    $ec2->create_tags(ResourceId => $made{instance}, Tags => { a => 'b' });
    my $found = $ec2->describe_instances(Filter => [['tag:a' => 'b'], ['instance-state-name' => 'running']]);
    my ($tag) = grep { $_->key eq 'a' } @{ $ec2->describe_tags('Filter.Name' => 'resource-id', 'Filter.Value' => $made{instance}) };
    # A guest that has said nothing has none.
    $ec2->get_console_output(InstanceId => $made{instance});
    my $kept = $ec2->describe_instance_attribute(InstanceId => $made{instance}, Attribute => 'instanceType');
    $ec2->delete_tags(ResourceId => $made{instance}, 'Tag.Key' => ['a']);
    @$found == 1 && $tag->value eq 'b' && $kept->instance_type eq 't3.micro';
};
step 'addresses' => sub {
    my $address = $ec2->allocate_vpc_address;
    $ec2->associate_address(InstanceId => $made{instance}, AllocationId => $address);
    my ($found) = grep { ($_->instance_id // '') eq $made{instance} } @{ $ec2->describe_addresses };
    $ec2->disassociate_address(PublicIp => $found->public_ip);
    $ec2->release_vpc_address(AllocationId => $address);
    $found->instance_id eq $made{instance};
};
step 'errors' => sub {
    my $missing = code_of(sub { $ec2->describe_instances(InstanceId => 'i-0123456789abcdef0') });
    my $image = code_of(sub { $ec2->run_instances(ImageId => 'ami-0123456789abcdef0', MinCount => 1, MaxCount => 1) });
    $missing eq 'InvalidInstanceID.NotFound' && $image eq 'InvalidAMIID.NotFound';
};
step 'images that are made' => sub {
    my $made = $ec2->create_image(InstanceId => $made{instance}, Name => 'perl', NoReboot => 'true');
    within(sub { $ec2->describe_images(ImageId => $made)->[0]->image_state eq 'available' });
    $ec2->modify_image_attribute(ImageId => $made, Attribute => 'launchPermission', OperationType => 'add', UserId => '111122223333');
    $ec2->deregister_image(ImageId => $made);
};
step 'instances: reboot, stop, start, terminate' => sub {
    $ec2->reboot_instances(InstanceId => $made{instance});
    $ec2->stop_instances(InstanceId => $made{instance});
    state_is('stopped');
    $ec2->start_instances(InstanceId => $made{instance});
    state_is('running');
    $ec2->terminate_instances(InstanceId => $made{instance});
    state_is('terminated');
};
step 'everything is removed' => sub {
    $ec2->delete_security_group(GroupName => 'perl');
    $ec2->delete_key_pair(KeyName => 'perl');
    !grep { $_->key_name eq 'perl' } @{ $ec2->describe_key_pairs || [] };
};
print encode_json(\@rows), "\n";
