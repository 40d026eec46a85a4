# Makes, uses and removes what the AWS SDK for Ruby, version 1, has classes for. Prints what each
# step said (null: it did what it should). Arguments: the API's address, and an image.
require 'aws-sdk-v1'
require 'json'
require 'uri'
require_relative 'steps'

ENDPOINT, IMAGE = ARGV
PLACE = URI(ENDPOINT)
SERVICES = %i[ec2 iam sts].to_h { |name| [:"#{name}_endpoint", PLACE.host] }
PORTS = %i[ec2 iam sts].to_h { |name| [:"#{name}_port", PLACE.port] }
AWS.config(
  access_key_id: ENV['AWS_ACCESS_KEY_ID'], secret_access_key: ENV['AWS_SECRET_ACCESS_KEY'],
  region: 'us-east-1', ssl_ca_file: ENV['AWS_CA_BUNDLE'], **SERVICES, **PORTS
)
EC2 = AWS::EC2.new
MADE = {}

step('zones and images') do
  EC2.availability_zones.map(&:state).uniq == [:available] && EC2.images[IMAGE].exists? &&
    EC2.images.with_owner('self').map(&:id).include?(IMAGE)
end
step('key pairs') do
  pair = EC2.key_pairs.create('rb')
  pair.private_key.include?('PRIVATE KEY') && EC2.key_pairs['rb'].exists?
end
step('VPCs, subnets, gateways, routes') do
  MADE[:vpc] = vpc = EC2.vpcs.create('10.43.0.0/16')
  within { vpc.state == :available }
  MADE[:subnet] = subnet = vpc.subnets.create('10.43.1.0/24')
  MADE[:gateway] = gateway = EC2.internet_gateways.create
  gateway.attach(vpc)
  MADE[:table] = table = vpc.route_tables.create
  table.create_route('0.0.0.0/0', internet_gateway: gateway)
  subnet.set_route_table(table)
  subnet.route_table == table && table.routes.map(&:target).include?(gateway)
end
step('network ACLs and DHCP options') do
  acl = MADE[:vpc].network_acls.create
  acl.create_entry(rule_number: 100, action: :allow, protocol: 6, cidr_block: '0.0.0.0/0', egress: false, port_range: 22..22)
  count = acl.entries.count
  acl.delete
  options = EC2.dhcp_options.create(domain_name: 'rb.test')
  options.associate(MADE[:vpc].id)
  MADE[:vpc].dhcp_options = 'default'
  options.delete
  count == 3
end
step('security groups') do
  MADE[:group] = group = EC2.security_groups.create('rb', vpc: MADE[:vpc], description: 'rb')
  group.authorize_ingress(:tcp, 22, '192.0.2.0/24')
  group.authorize_ingress(:tcp, 80..81, group)
  group.revoke_ingress(:tcp, 80..81, group)
  group.ingress_ip_permissions.count == 1 && group.egress_ip_permissions.count == 1
end
step('instances: launch and wait') do
  MADE[:instance] = EC2.instances.create(
    image_id: IMAGE, instance_type: 't3.micro', key_name: 'rb', subnet: MADE[:subnet],
    security_groups: [MADE[:group]], user_data: "#!/bin/sh\n", client_token: 'rb'
  )
  within { MADE[:instance].status == :running }
  MADE[:instance].private_ip_address.start_with?('10.43.1.') && MADE[:instance].security_groups == [MADE[:group]]
end
step('instances: tags, filters, attributes, console') do
  instance = MADE[:instance]
  instance.tags['a'] = 'b'
  found = EC2.instances.tagged('a').tagged_values('b').filter('instance-state-name', 'running').map(&:id)
  instance.api_termination_disabled = true
  kept = instance.api_termination_disabled?
  instance.api_termination_disabled = false
  instance.console_output
  found == [instance.id] && kept && instance.user_data == "#!/bin/sh\n" && instance.instance_type == 't3.micro'
end
step('addresses') do
  address = EC2.elastic_ips.create(vpc: true)
  MADE[:instance].associate_elastic_ip(address)
  found = MADE[:instance].elastic_ip
  MADE[:instance].disassociate_elastic_ip
  address.release
  found == address
end
step('network interfaces') do
  nic = MADE[:subnet].network_interfaces.create(description: 'rb')
  nic.attach(MADE[:instance], device_index: 1)
  within { nic.status == :in_use }
  nic.detach(force: true)
  within { nic.status == :available }
  nic.delete
  true
end
step('images') do
  image = MADE[:instance].create_image('rb-image', no_reboot: true)
  within { image.state == :available }
  image.permissions.add('111122223333')
  shared = image.permissions.to_a
  image.deregister
  shared == ['111122223333']
end
step('errors') do
  EC2.instances['i-0123456789abcdef0'].exists? == false && begin
    EC2.client.run_instances(image_id: 'ami-0123456789abcdef0', min_count: 1, max_count: 1)
  rescue AWS::EC2::Errors::InvalidAMIID::NotFound
    true
  end
end
step('instances: reboot, stop, start, terminate') do
  instance = MADE[:instance]
  instance.reboot
  instance.stop
  within { instance.status == :stopped }
  instance.start
  within { instance.status == :running }
  instance.terminate
  within { instance.status == :terminated }
end
step('everything is removed') do
  MADE[:subnet].route_table_association.delete
  MADE[:table].delete
  MADE[:gateway].detach(MADE[:vpc])
  MADE[:gateway].delete
  MADE[:group].delete
  MADE[:subnet].delete
  MADE[:vpc].delete
  EC2.key_pairs['rb'].delete
  EC2.vpcs.map(&:id).none?(MADE[:vpc].id)
end
step('IAM: users, keys, policies') do
  user = AWS::IAM.new.users.create('rb')
  policy = AWS::IAM::Policy.new
  policy.allow(actions: ['ec2:Describe*'], resources: :any)
  user.policies['reads'] = policy
  key = user.access_keys.create
  found = user.policies.has_key?('reads')
  key.delete
  user.policies.delete('reads')
  user.delete
  found
end
step('STS: a session') do
  session = AWS::STS.new.new_session(duration: 900)
  AWS::EC2.new(session.credentials).availability_zones.count.positive?
end
puts ROWS.to_json
