"""Makes, uses and removes what Libcloud's driver for EC2 knows. Prints what each step said (null: it did what it should).

Arguments: the API's address, and an image.
"""
import json
import os
import sys
from urllib.parse import urlsplit

import libcloud.security
from libcloud.compute.drivers.ec2 import EC2NodeDriver

from steps import rows, step, within

address, image_id = sys.argv[1:]
libcloud.security.CA_CERTS_PATH = os.environ['AWS_CA_BUNDLE']
place = urlsplit(address)
ec2 = EC2NodeDriver(
    os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY'], secure=True,
    host=place.hostname, port=place.port, region='us-east-1', signature_version='4',
)
made = {}


def node():
    return ec2.list_nodes(ex_node_ids=[made['node'].id])[0]


def own_tags():
    tags = ec2.ex_describe_tags(node())
    return {key: value for key, value in tags.items() if not key.startswith('aws:')}


@step('limits, sizes, images')
def _():
    made['image'] = ec2.get_image(image_id)
    made['size'] = [size for size in ec2.list_sizes() if size.id == 't3.micro'][0]
    listed = [image.id for image in ec2.list_images(ex_owner='self')]
    return ec2.ex_get_limits() and image_id in listed


@step('key pairs')
def _():
    pair = ec2.create_key_pair('lc')
    public = open(os.environ['ATOLL_PUBLIC_KEY_FILE']).read()
    ec2.import_key_pair_from_string('lc-imported', public)
    found = ec2.ex_find_or_import_keypair_by_key_material(public)
    return pair.private_key and found['keyName'] == 'lc-imported' and len(ec2.list_key_pairs()) >= 2


@step('networks')
def _():
    made['vpc'] = vpc = ec2.ex_create_network('10.41.0.0/16', name='lc')
    return [one.id for one in ec2.ex_list_networks(filters={'tag:Name': 'lc'})] == [vpc.id]


@step('subnets')
def _():
    made['subnet'] = subnet = ec2.ex_create_subnet(made['vpc'].id, '10.41.1.0/24', os.environ['AWS_REGION'] + 'a', name='lc')
    ec2.ex_modify_subnet_attribute(subnet, 'auto_public_ip', True)
    ec2.ex_modify_subnet_attribute(subnet, 'auto_public_ip', False)
    return ec2.ex_list_subnets(subnet_ids=[subnet.id])[0].state == 'available'


@step('internet gateways')
def _():
    made['gateway'] = gateway = ec2.ex_create_internet_gateway(name='lc')
    ec2.ex_attach_internet_gateway(gateway, made['vpc'])
    return ec2.ex_list_internet_gateways(gateway_ids=[gateway.id])[0].vpc_id == made['vpc'].id


@step('route tables')
def _():
    made['table'] = table = ec2.ex_create_route_table(made['vpc'], name='lc')
    ec2.ex_create_route(table, '0.0.0.0/0', internet_gateway=made['gateway'])
    ec2.ex_replace_route(table, '0.0.0.0/0', internet_gateway=made['gateway'])
    ec2.ex_associate_route_table(table, made['subnet'])
    made['table'] = again = ec2.ex_list_route_tables(route_table_ids=[table.id])[0]
    return len(again.routes) == 2 and again.subnet_associations[0].subnet_id == made['subnet'].id


@step('security groups')
def _():
    made['group'] = group = ec2.ex_create_security_group('lc', 'lc', vpc_id=made['vpc'].id)['group_id']
    ec2.ex_authorize_security_group_ingress(group, 22, 22, cidr_ips=['0.0.0.0/0'], description='ssh')
    ec2.ex_authorize_security_group_ingress(group, 1, 65535, group_pairs=[{'group_id': group}])
    ec2.ex_authorize_security_group_egress(group, 53, 53, cidr_ips=['0.0.0.0/0'], protocol='udp')
    ec2.ex_revoke_security_group_egress(group, 53, 53, cidr_ips=['0.0.0.0/0'], protocol='udp')
    return len(ec2.ex_get_security_groups(group_ids=[group])[0].ingress_rules) == 2


@step('network interfaces')
def _():
    made['nic'] = ec2.ex_create_network_interface(made['subnet'], name='lc', description='lc')
    return made['nic'].id in [one.id for one in ec2.ex_list_network_interfaces()]


@step('nodes: create and wait')
def _():
    made['node'] = ec2.create_node(
        name='lc', size=made['size'], image=made['image'], ex_keyname='lc', ex_subnet=made['subnet'],
        ex_security_group_ids=[made['group']], ex_metadata={'a': 'b'}, ex_userdata='#!/bin/sh\n',
    )
    [[one, addresses]] = ec2.wait_until_running([made['node']], wait_period=0.2, timeout=120, ssh_interface='private_ips')
    return one.id == made['node'].id and addresses[0].startswith('10.41.1.')


@step('nodes: filters, tags, console, volumes')
def _():
    found = ec2.list_nodes(ex_filters={'tag:a': 'b', 'instance-state-name': 'running'})
    ec2.ex_create_tags(node(), {'c': 'd'})
    ec2.ex_delete_tags(node(), {'c': 'd'})
    output = ec2.ex_get_console_output(node())
    return len(found) == 1 and own_tags() == {'Name': 'lc', 'a': 'b'} and output and ec2.list_volumes(node()) == []


@step('addresses')
def _():
    address = ec2.ex_allocate_address(domain='vpc')
    ec2.ex_associate_address_with_node(node(), address, domain='vpc')
    shown = ec2.ex_describe_addresses_for_node(node()) == [address.ip]
    again = [one for one in ec2.ex_describe_all_addresses() if one.ip == address.ip][0]
    ec2.ex_disassociate_address(again, domain='vpc')
    return shown and ec2.ex_release_address(again, domain='vpc')


@step('network interfaces: attach and detach')
def _():
    attachment = ec2.ex_attach_network_interface_to_node(made['nic'], node(), 1)
    def status():
        return [one for one in ec2.ex_list_network_interfaces() if one.id == made['nic'].id][0].state
    within(lambda: status() == 'in-use')
    ec2.ex_detach_network_interface(attachment, force=True)
    return within(lambda: status() == 'available')


@step('nodes: attributes')
def _():
    ec2.ex_modify_instance_attribute(node(), {'DisableApiTermination.Value': 'true'})
    return ec2.ex_modify_instance_attribute(node(), {'DisableApiTermination.Value': 'false'})


@step('images: create, share, copy, delete')
def _():
    image = ec2.create_image(node(), 'lc-image', description='lc')
    within(lambda: ec2.get_image(image.id).extra['state'] == 'available')
    ec2.ex_modify_image_attribute(image, {'LaunchPermission.Add.1.UserId': '111122223333'})
    copied = ec2.copy_image(made['image'], os.environ['AWS_REGION'], name='copied', description='copied')
    within(lambda: ec2.get_image(copied.id).extra['state'] == 'available')
    return ec2.delete_image(image) and ec2.delete_image(copied)


@step('placement groups')
def _():
    ec2.ex_create_placement_group('lc')
    listed = [group.name for group in ec2.ex_list_placement_groups()]
    return listed == ['lc'] and ec2.ex_delete_placement_group('lc')


@step('volumes and snapshots as lists')
def _():
    return ec2.list_volumes() == [] and ec2.list_snapshots() == []


@step('nodes: reboot, stop, start')
def _():
    ec2.reboot_node(node())
    ec2.stop_node(node())
    within(lambda: node().state == 'stopped')
    ec2.start_node(node())
    return within(lambda: node().state == 'running')


@step('nodes: destroy')
def _():
    ec2.destroy_node(node())
    return within(lambda: node().state == 'terminated')


@step('everything is removed')
def _():
    ec2.ex_delete_network_interface(made['nic'])
    ec2.ex_dissociate_route_table(made['table'].subnet_associations[0])
    ec2.ex_delete_route(made['table'], '0.0.0.0/0')
    ec2.ex_delete_route_table(made['table'])
    ec2.ex_delete_security_group_by_id(made['group'])
    ec2.ex_delete_subnet(made['subnet'])
    ec2.ex_detach_internet_gateway(made['gateway'], made['vpc'])
    ec2.ex_delete_internet_gateway(made['gateway'])
    ec2.ex_delete_network(made['vpc'])
    for pair in ec2.list_key_pairs():
        ec2.delete_key_pair(pair)
    return ec2.ex_list_networks(filters={'tag:Name': 'lc'}) == []


print(json.dumps(rows))
