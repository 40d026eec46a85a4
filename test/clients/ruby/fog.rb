# Makes, uses and removes what fog-aws has models for. Prints what each step said (null: it did what
# it should). Arguments: the API's address, and an image.
require 'fog/aws'
require 'json'
require_relative 'steps'

ENDPOINT, IMAGE = ARGV
KEYS = { aws_access_key_id: ENV['AWS_ACCESS_KEY_ID'], aws_secret_access_key: ENV['AWS_SECRET_ACCESS_KEY'] }
PLACE = { region: 'us-east-1', endpoint: ENDPOINT, connection_options: { ssl_ca_file: ENV['AWS_CA_BUNDLE'] } }
EC2 = Fog::AWS::Compute.new(**KEYS, **PLACE)
MADE = {}

step('regions, zones, account') do
  EC2.describe_regions.body['regionInfo'].any? &&
    EC2.describe_availability_zones.body['availabilityZoneInfo'].any? &&
    EC2.describe_account_attributes.body['accountAttributeSet'].any?
end
step('key_pairs') do
  pair = EC2.key_pairs.create(name: 'fog')
  EC2.key_pairs.get('fog').fingerprint == pair.fingerprint && pair.private_key.include?('PRIVATE KEY')
end
step('vpcs') do
  MADE[:vpc] = vpc = EC2.vpcs.create(cidr_block: '10.40.0.0/16', tags: { 'Name' => 'fog' })
  vpc.wait_for(60) { ready? }
  again = EC2.vpcs.get(vpc.id)
  again.tags == { 'Name' => 'fog' } && !again.is_default? && EC2.vpcs.all('tag:Name' => 'fog').size == 1
end
step('VPC attributes') do
  id = MADE[:vpc].id
  EC2.modify_vpc_attribute(id, 'EnableDnsHostnames.Value' => true)
  EC2.describe_vpc_attribute(id, 'enableDnsHostnames').body['enableDnsHostnames'] == true
end
step('subnets') do
  zone = EC2.describe_availability_zones.body['availabilityZoneInfo'].first['zoneName']
  MADE[:subnet] = one = EC2.subnets.create(vpc_id: MADE[:vpc].id, cidr_block: '10.40.1.0/24', availability_zone: zone, tag_set: { 'Name' => 'fog' })
  EC2.modify_subnet_attribute(one.subnet_id, 'MapPublicIpOnLaunch' => true)
  EC2.subnets.get(one.subnet_id).available_ip_address_count.to_i == 251
end
step('internet_gateways') do
  MADE[:gateway] = one = EC2.internet_gateways.create
  one.attach(MADE[:vpc].id)
  EC2.internet_gateways.get(one.id).attachment_set['vpcId'] == MADE[:vpc].id
end
step('route_tables and routes') do
  MADE[:table] = one = EC2.route_tables.create(vpc_id: MADE[:vpc].id)
  EC2.create_route(one.id, '0.0.0.0/0', MADE[:gateway].id)
  EC2.replace_route(one.id, '0.0.0.0/0', 'gatewayId' => MADE[:gateway].id) rescue EC2.replace_route(one.id, '0.0.0.0/0', 'GatewayId' => MADE[:gateway].id)
  MADE[:association] = EC2.associate_route_table(one.id, MADE[:subnet].subnet_id).body['associationId']
  EC2.route_tables.get(one.id).routes.size == 2
end
step('dhcp_options') do
  MADE[:dhcp] = one = EC2.dhcp_options.create(dhcp_configuration_set: { 'domain-name' => 'fog.test', 'domain-name-servers' => ['AmazonProvidedDNS'] })
  one.associate(MADE[:vpc].id)
  EC2.vpcs.get(MADE[:vpc].id).dhcp_options_id == one.id
end
step('network_acls and their rules') do
  MADE[:acl] = one = EC2.network_acls.create(vpc_id: MADE[:vpc].id, tags: { 'Name' => 'fog' })
  one.add_inbound_rule(100, Fog::AWS::Compute::NetworkAcl::TCP, 'allow', '0.0.0.0/0', 'PortRange.From' => 22, 'PortRange.To' => 22)
  one.update_inbound_rule(100, Fog::AWS::Compute::NetworkAcl::TCP, 'deny', '0.0.0.0/0', 'PortRange.From' => 22, 'PortRange.To' => 22)
  one.add_inbound_rule(200, Fog::AWS::Compute::NetworkAcl::ICMP, 'allow', '0.0.0.0/0', 'Icmp.Code' => -1, 'Icmp.Type' => -1)
  one.remove_inbound_rule(200)
  one.reload.entries.any? { |entry| entry['ruleNumber'] == 100 && entry['ruleAction'] == 'deny' }
end
step('security_groups and their rules') do
  MADE[:group] = one = EC2.security_groups.create(name: 'fog', description: 'fog', vpc_id: MADE[:vpc].id, tags: { 'Name' => 'fog' })
  one.authorize_port_range(80..81)
  one.authorize_port_range(22..22, cidr_ip: '192.0.2.0/24', ip_protocol: 'tcp')
  one.authorize_port_range(53..53, ip_protocol: 'udp', direction: 'egress')
  one.authorize_port_range(1..65_535, group: one.group_id)
  one.reload
  before = one.ip_permissions.size
  one.revoke_port_range(80..81)
  one.reload
  before == 3 && one.ip_permissions.size == 2
end
step('network_interfaces') do
  MADE[:nic] = one = EC2.network_interfaces.create(subnet_id: MADE[:subnet].subnet_id, description: 'fog', group_set: [MADE[:group].group_id])
  EC2.modify_network_interface_attribute(one.network_interface_id, 'description', 'changed')
  EC2.modify_network_interface_attribute(one.network_interface_id, 'sourceDestCheck', false)
  EC2.assign_private_ip_addresses(one.network_interface_id, 'SecondaryPrivateIpAddressCount' => 1)
  EC2.network_interfaces.get(one.network_interface_id).description == 'changed'
end
step('servers: create and wait') do
  MADE[:server] = server = EC2.servers.create(image_id: IMAGE, flavor_id: 't3.micro', key_name: 'fog', subnet_id: MADE[:subnet].subnet_id, security_group_ids: [MADE[:group].group_id], user_data: "#!/bin/sh\n", tags: { 'Name' => 'fog' })
  server.wait_for(120) { ready? }
  again = EC2.servers.get(server.id)
  again.tags['Name'] == 'fog' && again.private_ip_address.start_with?('10.40.1.') && again.state == 'running'
end
step('servers: filters') do
  EC2.servers.all('tag:Name' => 'fog', 'instance-state-name' => 'running').map(&:id) == [MADE[:server].id]
end
step('servers: volumes (containers have none), status, console') do
  server = MADE[:server]
  EC2.describe_instance_status('InstanceId' => server.id).body['instanceStatusSet'].size == 1 &&
    server.volumes.size.zero? && server.console_output.body.key?('output')
end
step('servers: attributes') do
  id = MADE[:server].id
  EC2.modify_instance_attribute(id, 'DisableApiTermination.Value' => true)
  kept = EC2.describe_instance_attribute(id, 'disableApiTermination').body['disableApiTermination']
  EC2.modify_instance_attribute(id, 'DisableApiTermination.Value' => false)
  kept.to_s.include?('true')
end
step('servers: monitor, reboot') do
  EC2.monitor_instances([MADE[:server].id]) && EC2.unmonitor_instances([MADE[:server].id]) && MADE[:server].reboot
end
step('addresses') do
  MADE[:address] = one = EC2.addresses.create(domain: 'vpc')
  one.server = MADE[:server].reload
  shown = EC2.addresses.get(one.public_ip).server_id == MADE[:server].id
  one.reload
  one.server = nil
  shown && one.destroy
end
step('network_interfaces: attach and detach') do
  id = MADE[:nic].network_interface_id
  attachment = EC2.attach_network_interface(id, MADE[:server].id, 1).body['attachmentId']
  within { EC2.network_interfaces.get(id).attachment['status'] == 'attached' }
  EC2.detach_network_interface(attachment, true)
  within { EC2.network_interfaces.get(id).status == 'available' }
end
step('images: create, share, deregister') do
  id = EC2.create_image(MADE[:server].id, 'fog', 'fog', true).body['imageId']
  within { EC2.images.get(id).ready? }
  EC2.modify_image_attribute(id, 'Add.UserId' => ['111122223333'])
  EC2.describe_image_attribute(id, 'launchPermission').body['launchPermission'].any? && EC2.images.get(id).deregister
end
step('images: copy') do
  id = EC2.copy_image(IMAGE, ENV['AWS_REGION'], 'copied').body['imageId']
  within { EC2.images.get(id).ready? } && EC2.images.get(id).deregister
end
step('placement groups') do
  EC2.create_placement_group('fog', 'cluster')
  EC2.describe_placement_groups.body['placementGroupSet'].any? && EC2.delete_placement_group('fog')
end
step('tags') do
  EC2.tags.create(resource_id: MADE[:server].id, key: 'a', value: 'b')
  found = EC2.tags.all('resource-id' => MADE[:server].id, 'key' => 'a').first
  found.value == 'b' && found.destroy
end
step('flavors, volumes, snapshots, spot requests as lists') do
  EC2.volumes.all.empty? && EC2.snapshots.all.empty? && EC2.spot_requests.all.empty? && EC2.flavors.size > 3
end
step('servers: stop and start') do
  MADE[:server].stop
  MADE[:server].wait_for(120) { state == 'stopped' }
  MADE[:server].start
  MADE[:server].wait_for(120) { ready? }
end
step('servers: destroy') do
  MADE[:server].destroy
  MADE[:server].wait_for(120) { state == 'terminated' }
end
step('everything is removed') do
  MADE[:nic].destroy
  EC2.disassociate_route_table(MADE[:association])
  EC2.delete_route(MADE[:table].id, '0.0.0.0/0')
  MADE[:table].destroy
  MADE[:acl].destroy
  MADE[:group].destroy
  MADE[:subnet].destroy
  MADE[:gateway].detach(MADE[:vpc].id)
  MADE[:gateway].destroy
  MADE[:vpc].destroy
  MADE[:dhcp].destroy
  EC2.key_pairs.get('fog').destroy
  EC2.vpcs.all('tag:Name' => 'fog').empty?
end
puts ROWS.to_json
