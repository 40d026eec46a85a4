"""Makes several of each thing, and lets botocore page through every listing, a few items at a time: all pages together are the whole list.

Arguments: the API's address, an image, and the actions that it answers. Prints for each paginator how many items and pages there were, and
what went wrong (None: nothing).
"""
import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

endpoint, image = sys.argv[1:3]
answered = set(sys.argv[3:])
client = boto3.client('ec2', endpoint_url=endpoint)
SOME = 7
PAGE = 5

vpc = client.create_vpc(CidrBlock='10.60.0.0/16')['Vpc']['VpcId']
outside = client.create_internet_gateway()['InternetGateway']['InternetGatewayId']
client.attach_internet_gateway(InternetGatewayId=outside, VpcId=vpc)
subnets = [
    client.create_subnet(VpcId=vpc, CidrBlock=f'10.60.{number}.0/24')['Subnet']['SubnetId']
    for number in range(SOME)
]
data = {'ImageId': image, 'InstanceType': 't3.micro'}
template = client.create_launch_template(LaunchTemplateName='paged', LaunchTemplateData=data)
of_template = {'LaunchTemplateId': template['LaunchTemplate']['LaunchTemplateId']}
group = client.create_security_group(VpcId=vpc, GroupName='paged', Description='d')['GroupId']
for number in range(SOME):
    name = f'paged-{number}'
    client.create_security_group(VpcId=vpc, GroupName=name, Description='d')
    client.create_network_acl(VpcId=vpc)
    client.create_route_table(VpcId=vpc)
    client.create_network_interface(SubnetId=subnets[number])
    client.create_nat_gateway(SubnetId=subnets[number])
    client.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    client.create_launch_template_version(LaunchTemplateData=data, **of_template)
    client.create_dhcp_options(DhcpConfigurations=[{'Key': 'domain-name', 'Values': [f'{name}.test']}])
    client.create_tags(Resources=[vpc], Tags=[{'Key': name, 'Value': name}])
    client.allocate_address(Domain='vpc')
    permission = {'IpProtocol': 'tcp', 'FromPort': 80 + number, 'ToPort': 80 + number}
    ranges = [{'CidrIp': '192.0.2.0/24'}]
    client.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission | {'IpRanges': ranges}])
for number in range(4):
    other = client.create_vpc(CidrBlock=f'10.{61 + number}.0.0/16')['Vpc']['VpcId']
    gateway = client.create_internet_gateway()['InternetGateway']['InternetGatewayId']
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=other)
    client.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
for number in range(SOME):
    client.create_flow_logs(
        ResourceIds=[subnets[number]], ResourceType='Subnet', TrafficType='ALL',
        LogDestinationType='cloud-watch-logs', LogGroupName='paged',
    )
networks = [{'Cidr': f'10.{number}.0.0/16'} for number in range(SOME)]
size = {'AddressFamily': 'IPv4', 'MaxEntries': SOME}
listed = client.create_managed_prefix_list(PrefixListName='paged', Entries=networks, **size)
of_list = {'PrefixListId': listed['PrefixList']['PrefixListId']}
for number in range(SOME):
    client.create_managed_prefix_list(PrefixListName=f'paged-{number}', **size)
client.run_instances(ImageId=image, InstanceType='t3.nano', MinCount=SOME, MaxCount=SOME)

needed = {
    'DescribeLaunchTemplateVersions': of_template,
    'DescribeStaleSecurityGroups': {'VpcId': vpc},
    'GetManagedPrefixListAssociations': of_list,
    'GetManagedPrefixListEntries': of_list,
    'GetSecurityGroupsForVpc': {'VpcId': vpc},
}


def items(pages, keys):
    found = [item for page in pages for key in keys for item in page.get(key, [])]
    # A reservation may be on two pages, each with some of its instances.
    single = [one for item in found for one in (item.get('Instances', [item]) if isinstance(item, dict) else [item])]
    return [json.dumps(one, sort_keys=True, default=str) for one in single]


rows = []
for method, action in sorted(client.meta.method_to_api_mapping.items()):
    if action not in answered or not client.can_paginate(method):
        continue
    shape = client.meta.service_model.operation_model(action).input_shape
    paginator = client.get_paginator(method)
    keys = [expression.expression for expression in paginator.result_keys]
    asked = needed.get(action, {})
    if set(shape.required_members) - set(asked):
        continue
    try:
        whole = items([getattr(client, method)(**asked)], keys)
        least = shape.members['MaxResults'].metadata.get('min', 0) if 'MaxResults' in shape.members else None
        config = {} if least is None else {'PageSize': max(PAGE, least)}
        pages = list(paginator.paginate(PaginationConfig=config, **asked))
        said = None
        if sorted(items(pages, keys)) != sorted(whole):
            said = f'{len(whole)} items, and {len(items(pages, keys))} in pages'
        elif config and len(whole) > PAGE and len(pages) < 2:
            said = f'{len(whole)} items on one page of {PAGE}'
        rows.append([action, len(whole), len(pages), said])
    except (ClientError, BotoCoreError) as error:
        rows.append([action, 0, 0, str(error)])
print(json.dumps(rows))
