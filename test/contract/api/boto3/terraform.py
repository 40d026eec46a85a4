"""Plays the calls of Terraform's AWS provider for what people write first: an instance, and the data sources around it.

The calls and what the provider reads of the answers are from its source (internal/service/ec2: ec2_instance.go, vpc_.go,
vpc_default_vpc.go, vpc_data_source.go, ec2_ami_data_source.go, vpc_route_table_data_source.go and their like). A KeyError here is what
there is a nil pointer. Arguments: the API's address, the id of a running instance. Prints what was read.
"""
import base64
import json
import sys

from story import client, code_of, only, where

INSTANCE = sys.argv[2]


def attribute(name, member):
    answer = client.describe_instance_attribute(InstanceId=INSTANCE, Attribute=name)
    assert answer['InstanceId'] == INSTANCE
    return answer[member].get('Value')


def read_instance():
    """resource "aws_instance", at every plan."""
    reservation = only(client.describe_instances(InstanceIds=[INSTANCE])['Reservations'])
    instance = only(reservation['Instances'])
    only(client.describe_instance_types(InstanceTypes=[instance['InstanceType']])['InstanceTypes'])
    template = [
        {'Name': 'resource-id', 'Values': [INSTANCE]},
        {'Name': 'key', 'Values': ['aws:ec2launchtemplate:id']},
    ]
    assert client.describe_tags(Filters=template)['Tags'] == []
    assert only(client.describe_vpcs(VpcIds=[instance['VpcId']])['Vpcs'])['IsDefault']
    nic = only([nic for nic in instance['NetworkInterfaces'] if nic['Attachment']['DeviceIndex'] == 0])
    alone = only(
        client.describe_network_interfaces(NetworkInterfaceIds=[nic['NetworkInterfaceId']])[
            'NetworkInterfaces'
        ]
    )
    for member in ('MacAddress', 'PrivateIpAddress', 'SubnetId', 'VpcId', 'SourceDestCheck', 'Groups'):
        assert alone[member] == nic[member], member
    assert alone['Attachment']['InstanceId'] == INSTANCE
    attached = client.describe_network_interfaces(Filters=where(attachment__instance_id=INSTANCE))
    assert only(attached['NetworkInterfaces'])['NetworkInterfaceId'] == nic['NetworkInterfaceId']
    root = only(
        [one for one in instance['BlockDeviceMappings'] if one['DeviceName'] == instance['RootDeviceName']]
    )
    volume = only(client.describe_volumes(VolumeIds=[root['Ebs']['VolumeId']])['Volumes'])
    return {
        'vpc': instance['VpcId'],
        'subnet': instance['SubnetId'],
        'monitoring': instance['Monitoring']['State'],
        'metadata': instance['MetadataOptions']['HttpTokens'],
        'volumeSize': volume['Size'],
        'disableApiTermination': attribute('disableApiTermination', 'DisableApiTermination'),
        'disableApiStop': attribute('disableApiStop', 'DisableApiStop'),
        'shutdown': attribute('instanceInitiatedShutdownBehavior', 'InstanceInitiatedShutdownBehavior'),
        'userData': base64.b64decode(attribute('userData', 'UserData')).decode(),
        'credit': code_of(client.describe_instance_credit_specifications, InstanceIds=[INSTANCE]),
        'password': client.get_password_data(InstanceId=INSTANCE)['PasswordData'],
    }


def read_vpc(subnet):
    """data "aws_vpc" { default = true }, resource "aws_default_vpc", and what hangs on it."""
    vpc = only(client.describe_vpcs(Filters=where(isDefault='true'))['Vpcs'])
    here = {'vpc_id': vpc['VpcId']}
    attributes = {}
    for name, member in (
        ('enableDnsHostnames', 'EnableDnsHostnames'),
        ('enableDnsSupport', 'EnableDnsSupport'),
        ('enableNetworkAddressUsageMetrics', 'EnableNetworkAddressUsageMetrics'),
    ):
        # Debian's botocore does not know the youngest by its name, and sends it all the same.
        answer = client.describe_vpc_attribute(VpcId=vpc['VpcId'], Attribute=name)
        attributes[name] = answer[member]['Value']
    table = only(
        client.describe_route_tables(Filters=where(association__main='true', **here))['RouteTables']
    )
    assert only(table['Associations'])['Main'] is True
    gateway = only(
        client.describe_internet_gateways(Filters=where(attachment__vpc_id=vpc['VpcId']))[
            'InternetGateways'
        ]
    )
    acl = only(client.describe_network_acls(Filters=where(default='true', **here))['NetworkAcls'])
    assert [one['SubnetId'] for one in acl['Associations']] == [subnet]
    options = only(
        client.describe_dhcp_options(DhcpOptionsIds=[vpc['DhcpOptionsId']])['DhcpOptions']
    )
    group = only(
        client.describe_security_groups(Filters=where(group_name='default', **here))['SecurityGroups']
    )
    rules = client.describe_security_group_rules(Filters=where(group_id=group['GroupId']))
    subnets = client.describe_subnets(Filters=where(**here))['Subnets']
    return {
        'attributes': attributes,
        'routes': [
            [one['DestinationCidrBlock'], one['GatewayId'].replace(gateway['InternetGatewayId'], 'igw'), one['State']]
            for one in table['Routes']
        ],
        'acl': sorted([one['Egress'], one['RuleNumber'], one['RuleAction']] for one in acl['Entries']),
        'options': {one['Key']: one['Values'][0]['Value'] for one in options['DhcpConfigurations']},
        'rules': sorted(
            [one['IsEgress'], one['IpProtocol'], one.get('CidrIpv4') or one['ReferencedGroupInfo']['GroupId']]
            for one in rules['SecurityGroupRules']
        ),
        'subnets': [one['SubnetId'] for one in subnets],
    }


def read_image():
    """data "aws_ami" { most_recent = true }."""
    wanted = {'name': 'mach*', 'virtualization_type': 'hvm', 'root_device_type': 'ebs'}
    wanted |= {'architecture': 'x86_64', 'state': 'available', 'is_public': 'false'}
    image = only(client.describe_images(Owners=['self'], Filters=where(**wanted))['Images'])
    permissions = client.describe_image_attribute(
        ImageId=image['ImageId'], Attribute='launchPermission'
    )
    return [image['ImageId'], image['CreationDate'], permissions['LaunchPermissions']]


def read_rest(vpc):
    """Data sources that list, of what there is and of what there is not."""
    zones = where(opt_in_status='opt-in-not-required', zone_type='availability-zone')
    offered = client.describe_instance_type_offerings(
        LocationType='availability-zone', Filters=where(instance_type='t3.micro')
    )
    return {
        'zones': len(client.describe_availability_zones(Filters=zones)['AvailabilityZones']),
        'offered': [one['Location'] for one in offered['InstanceTypeOfferings']],
        'encrypted': client.get_ebs_encryption_by_default()['EbsEncryptionByDefault'],
        'addresses': client.describe_addresses(Filters=where(instance_id=INSTANCE))['Addresses'],
        'nats': client.describe_nat_gateways(Filter=where(vpc_id=vpc))['NatGateways'],
        'peerings': client.describe_vpc_peering_connections()['VpcPeeringConnections'],
        'endpoints': client.describe_vpc_endpoints(Filters=where(vpc_id=vpc))['VpcEndpoints'],
        'snapshots': client.describe_snapshots(OwnerIds=['self'])['Snapshots'],
        'templates': client.describe_launch_templates()['LaunchTemplates'],
        'groups': client.describe_placement_groups()['PlacementGroups'],
        'address': code_of(client.describe_addresses, AllocationIds=['eipalloc-1']),
        'template': code_of(client.describe_launch_templates, LaunchTemplateNames=['none']),
        'group': code_of(client.describe_placement_groups, GroupNames=['none']),
    }


instance = read_instance()
print(
    json.dumps(
        {
            'instance': instance,
            'vpc': read_vpc(instance['subnet']),
            'image': read_image(),
            'rest': read_rest(instance['vpc']),
        }
    )
)
