"""Makes, uses and removes what boto 2 knows of EC2, VPC, IAM and STS. Prints what each step said (null: it did what it should).

Arguments: the API's address, and an image.
"""
import json
import os
import sys
from urllib.parse import urlsplit

import boto
from boto.ec2.networkinterface import NetworkInterfaceCollection, NetworkInterfaceSpecification
from boto.exception import BotoServerError
from boto.iam import IAMConnection
from boto.regioninfo import RegionInfo
from boto.sts import STSConnection
from boto.vpc import VPCConnection

from steps import rows, step, within

address, image_id = sys.argv[1:]
place = urlsplit(address)
boto.config.add_section('Boto')
boto.config.set('Boto', 'ca_certificates_file', os.environ['AWS_CA_BUNDLE'])
os.environ['EC2_USE_SIGV4'] = '1'
region = RegionInfo(name='us-east-1', endpoint=place.hostname)


def connected(connection, service):
    # It takes both from the host's name if they are not set.
    connection.auth_service_name = service
    connection.auth_region_name = 'us-east-1'
    return connection


ec2 = connected(VPCConnection(region=region, port=place.port), 'ec2')
made = {}


def code_of(call, *args, **more):
    try:
        call(*args, **more)
    except BotoServerError as error:
        return error.error_code


def instance():
    return ec2.get_only_instances([made['instance']])[0]


@step('regions, zones, account, types')
def _():
    return ec2.get_all_regions() and ec2.get_all_zones() and ec2.describe_account_attributes()


@step('key pairs')
def _():
    pair = ec2.create_key_pair('b2')
    return pair.material and ec2.get_key_pair('b2').fingerprint == pair.fingerprint


@step('VPCs, subnets, gateways, routes')
def _():
    made['vpc'] = vpc = ec2.create_vpc('10.42.0.0/16')
    within(lambda: len(ec2.get_all_vpcs([vpc.id])) == 1)
    ec2.modify_vpc_attribute(vpc.id, enable_dns_hostnames=True)
    made['subnet'] = subnet = ec2.create_subnet(vpc.id, '10.42.1.0/24')
    made['gateway'] = gateway = ec2.create_internet_gateway()
    ec2.attach_internet_gateway(gateway.id, vpc.id)
    made['table'] = table = ec2.create_route_table(vpc.id)
    ec2.create_route(table.id, '0.0.0.0/0', gateway_id=gateway.id)
    made['association'] = ec2.associate_route_table(table.id, subnet.id)
    [found] = ec2.get_all_route_tables(filters={'association.subnet-id': subnet.id})
    return found.id == table.id and len(found.routes) == 2 and vpc.add_tag('Name', 'b2') is None


@step('network ACLs and DHCP options')
def _():
    acl = ec2.create_network_acl(made['vpc'].id)
    ec2.create_network_acl_entry(acl.id, 100, 6, 'allow', '0.0.0.0/0', egress=False, port_range_from=22, port_range_to=22)
    [found] = ec2.get_all_network_acls([acl.id])
    options = ec2.create_dhcp_options(domain_name='b2.test')
    ec2.associate_dhcp_options(options.id, made['vpc'].id)
    ec2.associate_dhcp_options('default', made['vpc'].id)
    ec2.delete_dhcp_options(options.id)
    return len(found.network_acl_entries) == 3 and ec2.delete_network_acl(acl.id)


@step('security groups')
def _():
    made['group'] = group = ec2.create_security_group('b2', 'b2', vpc_id=made['vpc'].id)
    group.authorize('tcp', 22, 22, '0.0.0.0/0')
    group.authorize('tcp', 80, 81, src_group=group)
    again = code_of(ec2.authorize_security_group, group_id=group.id, ip_protocol='tcp', from_port=22, to_port=22, cidr_ip='0.0.0.0/0')
    group.revoke('tcp', 80, 81, src_group=group)
    [found] = ec2.get_all_security_groups(group_ids=[group.id])
    return len(found.rules) == 1 and again == 'InvalidPermission.Duplicate'


@step('instances: launch and wait')
def _():
    nic = NetworkInterfaceSpecification(
        subnet_id=made['subnet'].id, groups=[made['group'].id], associate_public_ip_address=False, device_index=0,
    )
    reservation = ec2.run_instances(
        image_id, key_name='b2', instance_type='t3.micro', user_data='#!/bin/sh\n', client_token='b2',
        network_interfaces=NetworkInterfaceCollection(nic),
    )
    made['instance'] = reservation.instances[0].id
    within(lambda: instance().update() == 'running')
    one = instance()
    return one.private_ip_address.startswith('10.42.1.') and one.interfaces[0].groups[0].id == made['group'].id


@step('instances: dry run, filters, tags, status, attributes')
def _():
    dry = code_of(ec2.run_instances, image_id, instance_type='t3.micro', dry_run=True)
    ec2.create_tags([made['instance']], {'a': 'b'})
    [found] = ec2.get_only_instances(filters={'tag:a': 'b', 'instance-state-name': 'running'})
    [status] = ec2.get_all_instance_status([found.id])
    ec2.modify_instance_attribute(found.id, 'disableApiTermination', True)
    refused = code_of(ec2.terminate_instances, [found.id])
    ec2.modify_instance_attribute(found.id, 'disableApiTermination', False)
    kept = found.get_attribute('disableApiTermination')
    said = [dry, status.state_name, refused, kept['disableApiTermination']]
    return said == ['DryRunOperation', 'running', 'OperationNotPermitted', False]


@step('addresses')
def _():
    address = ec2.allocate_address(domain='vpc')
    ec2.associate_address(made['instance'], allocation_id=address.allocation_id)
    [found] = ec2.get_all_addresses(filters={'instance-id': made['instance']})
    ec2.disassociate_address(association_id=found.association_id)
    return found.public_ip == address.public_ip and ec2.release_address(allocation_id=address.allocation_id)


@step('network interfaces')
def _():
    nic = ec2.create_network_interface(made['subnet'].id, description='b2')
    ec2.attach_network_interface(nic.id, made['instance'], 1)
    within(lambda: ec2.get_all_network_interfaces([nic.id])[0].status == 'in-use')
    [found] = ec2.get_all_network_interfaces([nic.id])
    ec2.detach_network_interface(found.attachment.id, force=True)
    within(lambda: ec2.get_all_network_interfaces([nic.id])[0].status == 'available')
    return ec2.delete_network_interface(nic.id)


@step('images')
def _():
    image = ec2.create_image(made['instance'], 'b2-image', no_reboot=True)
    within(lambda: ec2.get_image(image).state == 'available')
    ec2.modify_image_attribute(image, user_ids=['111122223333'])
    shared = ec2.get_image_attribute(image).attrs['user_ids']
    copied = ec2.copy_image(os.environ['AWS_REGION'], image_id, name='b2-copy').image_id
    within(lambda: ec2.get_image(copied).state == 'available')
    return shared == ['111122223333'] and ec2.deregister_image(image) and ec2.deregister_image(copied)


@step('pages')
def _():
    page = ec2.get_all_instance_status(max_results=5, include_all_instances=True)
    tags = ec2.get_all_tags(filters={'resource-id': made['instance']}, max_results=5)
    return len(page) >= 1 and [tag.name for tag in tags if not tag.name.startswith('aws:')] == ['a']


@step('instances: reboot, stop, start, terminate')
def _():
    ec2.reboot_instances([made['instance']])
    ec2.stop_instances([made['instance']])
    within(lambda: instance().state == 'stopped')
    ec2.start_instances([made['instance']])
    within(lambda: instance().state == 'running')
    ec2.terminate_instances([made['instance']])
    return within(lambda: instance().state == 'terminated')


@step('everything is removed')
def _():
    ec2.disassociate_route_table(made['association'])
    ec2.delete_route(made['table'].id, '0.0.0.0/0')
    ec2.delete_route_table(made['table'].id)
    ec2.detach_internet_gateway(made['gateway'].id, made['vpc'].id)
    ec2.delete_internet_gateway(made['gateway'].id)
    made['group'].delete()
    ec2.delete_subnet(made['subnet'].id)
    ec2.delete_vpc(made['vpc'].id)
    ec2.delete_key_pair('b2')
    return code_of(ec2.get_all_vpcs, [made['vpc'].id]) == 'InvalidVpcID.NotFound'


@step('IAM: users, keys, policies')
def _():
    iam = connected(IAMConnection(host=place.hostname, port=place.port), 'iam')
    iam.create_user('b2')
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'ec2:Describe*', 'Resource': '*'}]}
    iam.put_user_policy('b2', 'reads', json.dumps(policy))
    key = iam.create_access_key('b2')['create_access_key_response']['create_access_key_result']['access_key']
    names = iam.get_all_user_policies('b2')['list_user_policies_response']['list_user_policies_result']['policy_names']
    iam.delete_access_key(key['access_key_id'], 'b2')
    iam.delete_user_policy('b2', 'reads')
    iam.delete_user('b2')
    return names == ['reads'] and code_of(iam.get_user, 'b2') == 'NoSuchEntity'


@step('STS: a session')
def _():
    # Its class knows regions by name only.
    sts = connected(STSConnection(region=region, port=place.port), 'sts')
    session = sts.get_session_token(duration=900, force_new=True)
    keys = {'aws_access_key_id': session.access_key, 'aws_secret_access_key': session.secret_key}
    as_session = VPCConnection(region=region, port=place.port, security_token=session.session_token, **keys)
    return len(connected(as_session, 'ec2').get_all_zones()) > 0


print(json.dumps(rows))
