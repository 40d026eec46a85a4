"""Plays what people and Terraform's aws_vpc and aws_subnet do with VPCs, with boto3.

The calls of the provider are from its source (internal/service/ec2: vpc_.go, vpc_subnet.go): create, set attributes, read, read again
for a plan, delete, and wait until it is not found. Arguments: the API's address, the id of an image, and either nothing or the ids of
an instance that is gone, its subnet and its VPC, to be removed.
"""
import json
import sys

from story import client, code_of, only

IMAGE, *MADE = sys.argv[2:]


def of_vpc(vpc, more={}):
    return [{'Name': name, 'Values': [value]} for name, value in {'vpc-id': vpc, **more}.items()]


def named(kind, name):
    return [{'ResourceType': kind, 'Tags': [{'Key': 'Name', 'Value': name}]}]


def read_vpc(vpc):
    """What aws_vpc reads at every plan."""
    read = only(client.describe_vpcs(VpcIds=[vpc])['Vpcs'])
    attributes = {}
    for name in ('enableDnsHostnames', 'enableDnsSupport', 'enableNetworkAddressUsageMetrics'):
        answer = client.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        attributes[name] = answer[name[0].upper() + name[1:]]['Value']
    group = only(client.describe_security_groups(Filters=of_vpc(vpc, {'group-name': 'default'}))['SecurityGroups'])
    only(client.describe_network_acls(Filters=of_vpc(vpc, {'default': 'true'}))['NetworkAcls'])
    only(client.describe_route_tables(Filters=of_vpc(vpc, {'association.main': 'true'}))['RouteTables'])
    return {'block': read['CidrBlock'], 'tenancy': read['InstanceTenancy'], 'tags': read['Tags'], **attributes}, group['GroupId']


def flow_logs(vpc):
    """resource "aws_flow_log": create, read, tag, delete, and wait until it is not found."""
    made = client.create_flow_logs(
        ResourceIds=[vpc], ResourceType='VPC', TrafficType='ALL', LogDestinationType='s3',
        LogDestination='arn:aws:s3:::logs/net', MaxAggregationInterval=60,
        TagSpecifications=named('vpc-flow-log', 'all'))
    assert made['Unsuccessful'] == [], made
    log = only(made['FlowLogIds'])
    read = only(client.describe_flow_logs(FlowLogIds=[log])['FlowLogs'])
    assert client.delete_flow_logs(FlowLogIds=[log])['Unsuccessful'] == []
    gone = code_of(client.describe_flow_logs, FlowLogIds=[log])
    return {name: read[name] for name in ('ResourceId', 'TrafficType', 'LogDestination', 'LogFormat', 'Tags')}, gone


def dhcp(vpc):
    """resource "aws_vpc_dhcp_options" and its association: create, read, back to the default, delete."""
    said = [
        {'Key': 'domain-name', 'Values': ['corp.example']},
        {'Key': 'domain-name-servers', 'Values': ['10.8.1.53', 'AmazonProvidedDNS']},
    ]
    options = client.create_dhcp_options(DhcpConfigurations=said)['DhcpOptions']['DhcpOptionsId']
    client.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    read = only(client.describe_dhcp_options(DhcpOptionsIds=[options])['DhcpOptions'])
    associated = only(client.describe_vpcs(Filters=of_vpc(vpc, {'dhcp-options-id': options}))['Vpcs'])['DhcpOptionsId']
    assert associated == options
    used = code_of(client.delete_dhcp_options, DhcpOptionsId=options)
    client.associate_dhcp_options(DhcpOptionsId='default', VpcId=vpc)
    client.delete_dhcp_options(DhcpOptionsId=options)
    return {
        'said': {one['Key']: [value['Value'] for value in one['Values']] for one in read['DhcpConfigurations']},
        'used': used,
        'gone': code_of(client.describe_dhcp_options, DhcpOptionsIds=[options]),
    }


def make():
    vpc = client.create_vpc(CidrBlock='10.8.0.0/16', InstanceTenancy='default', TagSpecifications=named('vpc', 'blue'))['Vpc']['VpcId']
    client.get_waiter('vpc_available').wait(VpcIds=[vpc])
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={'Value': True})
    first, group = read_vpc(vpc)
    again, _ = read_vpc(vpc)
    assert first == again
    zone = client.describe_availability_zones()['AvailabilityZones'][0]['ZoneName']
    subnet = client.create_subnet(
        VpcId=vpc, CidrBlock='10.8.1.0/24', AvailabilityZone=zone, TagSpecifications=named('subnet', 'front')
    )['Subnet']['SubnetId']
    client.get_waiter('subnet_available').wait(SubnetIds=[subnet])
    # Terraform makes each subnet what its configuration says, by its own defaults.
    shown = only(client.describe_subnets(SubnetIds=[subnet])['Subnets'])['PrivateDnsNameOptionsOnLaunch']
    assert shown['EnableResourceNameDnsARecord'] is False
    client.modify_subnet_attribute(SubnetId=subnet, EnableResourceNameDnsARecordOnLaunch={'Value': False})
    client.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={'Value': True})
    client.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={'Value': False})
    read = only(client.describe_subnets(Filters=of_vpc(vpc, {'tag:Name': 'front'}))['Subnets'])
    overlap = code_of(client.create_subnet, VpcId=vpc, CidrBlock='10.8.0.0/20')
    web = client.create_security_group(GroupName='web', Description='web', VpcId=vpc)['GroupId']
    launched = client.run_instances(
        ImageId=IMAGE, InstanceType='t3.micro', MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web]
    )['Instances'][0]
    in_use = {
        'vpc': code_of(client.delete_vpc, VpcId=vpc),
        'subnet': code_of(client.delete_subnet, SubnetId=subnet),
        'group': code_of(client.delete_security_group, GroupId=web),
        'defaultGroup': code_of(client.delete_security_group, GroupId=group),
    }
    client.terminate_instances(InstanceIds=[launched['InstanceId']])
    return {
        'vpc': first,
        'subnet': [read['CidrBlock'], read['AvailableIpAddressCount'], read['MapPublicIpOnLaunch'], read['DefaultForAz']],
        'launched': [launched['VpcId'] == vpc, launched['SubnetId'] == subnet, launched['SecurityGroups'][0]['GroupName']],
        'overlap': overlap,
        'dhcp': dhcp(vpc),
        'flowLogs': flow_logs(vpc),
        'inUse': in_use,
        'made': [launched['InstanceId'], subnet, vpc],
    }


def remove(instance, subnet, vpc):
    assert client.describe_network_interfaces(Filters=of_vpc(vpc))['NetworkInterfaces'] == []
    web = only(client.describe_security_groups(Filters=of_vpc(vpc, {'group-name': 'web'}))['SecurityGroups'])['GroupId']
    held = [code_of(client.delete_vpc, VpcId=vpc)]
    client.delete_subnet(SubnetId=subnet)
    held.append(code_of(client.delete_vpc, VpcId=vpc))
    client.delete_security_group(GroupId=web)
    client.delete_vpc(VpcId=vpc)
    return {
        'held': held,
        'gone': [
            code_of(client.describe_vpcs, VpcIds=[vpc]),
            code_of(client.describe_subnets, SubnetIds=[subnet]),
            code_of(client.delete_vpc, VpcId=vpc),
        ],
        'groups': client.describe_security_groups(Filters=of_vpc(vpc))['SecurityGroups'],
        'tags': client.describe_tags(Filters=[{'Name': 'value', 'Values': ['blue', 'front']}])['Tags'],
    }


print(json.dumps(remove(*MADE) if MADE else make()))
