"""Plays what Terraform's resources for gateways, routes and network ACLs do, with boto3.

The calls of the provider are from its source (internal/service/ec2: vpc_internet_gateway.go, vpc_route_table.go, vpc_route.go,
vpc_route_table_association.go, vpc_main_route_table_association.go, vpc_nat_gateway.go, vpc_network_acl.go, vpc_network_acl_rule.go):
create, read, read again for a plan, update, delete, and wait until it is not found. Arguments: the API's address.
"""
import json

from story import client, code_of, only, where

ALL = '0.0.0.0/0'


def named(kind, name):
    return [{'ResourceType': kind, 'Tags': [{'Key': 'Name', 'Value': name}]}]


def same(read, *arguments):
    """A plan without a difference."""
    first = read(*arguments)
    assert first == read(*arguments)
    return first


def table_of(table):
    return only(client.describe_route_tables(RouteTableIds=[table])['RouteTables'])


def routes_of(table):
    return [
        [route['DestinationCidrBlock'], (route.get('GatewayId') or route['NatGatewayId'])[:5], route['State']]
        for route in table_of(table)['Routes']
    ]


def internet_gateway(vpc):
    """resource "aws_internet_gateway"."""
    made = client.create_internet_gateway(TagSpecifications=named('internet-gateway', 'way-out'))['InternetGateway']
    gateway = made['InternetGatewayId']
    assert made['Attachments'] == []
    client.get_waiter('internet_gateway_exists').wait(InternetGatewayIds=[gateway])
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    read = same(lambda: only(client.describe_internet_gateways(InternetGatewayIds=[gateway])['InternetGateways']))
    assert only(read['Attachments']) == {'State': 'available', 'VpcId': vpc}
    assert read['Tags'] == [{'Key': 'Name', 'Value': 'way-out'}]
    return gateway


def route_table(vpc, gateway):
    """resource "aws_route_table" with a route, and "aws_route"."""
    table = client.create_route_table(VpcId=vpc, TagSpecifications=named('route-table', 'public'))['RouteTable']['RouteTableId']
    assert client.create_route(RouteTableId=table, DestinationCidrBlock=ALL, GatewayId=gateway)['Return'] is True
    again = code_of(client.create_route, RouteTableId=table, DestinationCidrBlock=ALL, GatewayId=gateway)
    read = same(routes_of, table)
    client.create_route(RouteTableId=table, DestinationCidrBlock='198.51.100.0/24', GatewayId=gateway)
    client.delete_route(RouteTableId=table, DestinationCidrBlock='198.51.100.0/24')
    missing = code_of(client.delete_route, RouteTableId=table, DestinationCidrBlock='198.51.100.0/24')
    return table, {'read': read, 'again': again, 'missing': missing}


def associations(vpc, subnet, table):
    """resource "aws_route_table_association" and "aws_main_route_table_association"."""
    put = client.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert put['AssociationState']['State'] == 'associated'
    read = only(client.describe_route_tables(Filters=where(association__subnet_id=subnet))['RouteTables'])
    assert read['RouteTableId'] == table
    main = only(client.describe_route_tables(Filters=where(association__main='true', vpc_id=vpc))['RouteTables'])
    was = only([one for one in main['Associations'] if one['Main']])['RouteTableAssociationId']
    new = client.replace_route_table_association(AssociationId=was, RouteTableId=table)['NewAssociationId']
    now = only(client.describe_route_tables(Filters=where(association__route_table_association_id=new))['RouteTables'])
    assert now['RouteTableId'] == table
    held = code_of(client.delete_route_table, RouteTableId=table)
    client.replace_route_table_association(AssociationId=new, RouteTableId=main['RouteTableId'])
    client.disassociate_route_table(AssociationId=put['AssociationId'])
    return {'held': held, 'gone': code_of(client.disassociate_route_table, AssociationId=put['AssociationId'])}


def nat_gateway(subnet, table):
    """resources "aws_eip" and "aws_nat_gateway", and the route of a private subnet to it."""
    missing = code_of(client.create_nat_gateway, SubnetId=subnet, AllocationId='eipalloc-00000000')
    elastic = client.allocate_address(Domain='vpc')
    allocation, public_ip = elastic['AllocationId'], elastic['PublicIp']
    asked = {'SubnetId': subnet, 'AllocationId': allocation, 'ConnectivityType': 'public', 'ClientToken': 'terraform-1'}
    nat = client.create_nat_gateway(**asked, TagSpecifications=named('natgateway', 'nat'))['NatGateway']['NatGatewayId']
    client.get_waiter('nat_gateway_available').wait(NatGatewayIds=[nat])
    read = same(lambda: only(client.describe_nat_gateways(NatGatewayIds=[nat])['NatGateways']))
    assert read['Tags'] == [{'Key': 'Name', 'Value': 'nat'}]
    assert only(client.describe_nat_gateways(Filter=where(subnet_id=subnet))['NatGateways']) == read
    own = only(read['NatGatewayAddresses'])
    assert [own['AllocationId'], own['PublicIp']] == [allocation, public_ip], own
    address = only(client.describe_addresses(AllocationIds=[allocation])['Addresses'])
    association = address['AssociationId']
    interface = only(client.describe_network_interfaces(Filters=where(interface_type='nat_gateway'))['NetworkInterfaces'])
    assert [interface['NetworkInterfaceId'], interface['PrivateIpAddress']] == [own['NetworkInterfaceId'], own['PrivateIp']]
    again = code_of(client.create_nat_gateway, SubnetId=subnet, AllocationId=allocation)
    client.replace_route(RouteTableId=table, DestinationCidrBlock=ALL, NatGatewayId=nat)
    routed = routes_of(table)
    held = [
        code_of(client.release_address, AllocationId=allocation),
        code_of(client.delete_subnet, SubnetId=subnet),
        code_of(client.disassociate_address, AssociationId=association),
    ]
    client.delete_nat_gateway(NatGatewayId=nat)
    try:
        client.get_waiter('nat_gateway_deleted').wait(NatGatewayIds=[nat])
    except Exception as error:  # A waiter of Debian's botocore, which may not know this one.
        assert isinstance(error, ValueError), error
    gone = code_of(client.describe_nat_gateways, NatGatewayIds=[nat])
    # As the provider does with the association that its state still has.
    over = code_of(client.disassociate_address, AssociationId=association)
    client.release_address(AllocationId=allocation)
    return {
        'missing': missing,
        'again': again,
        'held': held,
        'over': over,
        'read': [read['State'], read['ConnectivityType']],
        'routed': routed[-1],
        'lost': routes_of(table)[-1],
        'gone': gone,
    }


def acl_of(acl):
    read = only(client.describe_network_acls(NetworkAclIds=[acl])['NetworkAcls'])
    entries = [
        [one['Egress'], one['RuleNumber'], one['Protocol'], one['RuleAction'], one.get('PortRange')]
        for one in read['Entries']
        if one['RuleNumber'] != 32767
    ]
    return {'entries': entries, 'subnets': [one['SubnetId'] for one in read['Associations']]}


def network_acl(vpc, subnet):
    """resource "aws_network_acl" with entries and a subnet, and "aws_network_acl_rule"."""
    acl = client.create_network_acl(VpcId=vpc, TagSpecifications=named('network-acl', 'front'))['NetworkAcl']['NetworkAclId']
    web = {'NetworkAclId': acl, 'Egress': False, 'RuleNumber': 100, 'Protocol': '6', 'RuleAction': 'allow'}
    client.create_network_acl_entry(**web, CidrBlock=ALL, PortRange={'From': 80, 'To': 80})
    everything = {'NetworkAclId': acl, 'Egress': True, 'RuleNumber': 100, 'Protocol': '-1', 'RuleAction': 'allow'}
    client.create_network_acl_entry(**everything, CidrBlock=ALL, PortRange={'From': 0, 'To': 0})
    again = code_of(client.create_network_acl_entry, **everything, CidrBlock=ALL)
    before = only(client.describe_network_acls(Filters=where(association__subnet_id=subnet))['NetworkAcls'])
    was = only([one for one in before['Associations'] if one['SubnetId'] == subnet])['NetworkAclAssociationId']
    new = client.replace_network_acl_association(AssociationId=was, NetworkAclId=acl)['NewAssociationId']
    read = same(acl_of, acl)
    assert read['subnets'] == [subnet]
    client.replace_network_acl_entry(**{**web, 'RuleAction': 'deny'}, CidrBlock=ALL, PortRange={'From': 80, 'To': 81})
    replaced = acl_of(acl)['entries']
    client.delete_network_acl_entry(NetworkAclId=acl, Egress=False, RuleNumber=100)
    held = code_of(client.delete_network_acl, NetworkAclId=acl)
    # As the provider does before it deletes one.
    default = only(client.describe_network_acls(Filters=where(default='true', vpc_id=vpc))['NetworkAcls'])
    client.replace_network_acl_association(AssociationId=new, NetworkAclId=default['NetworkAclId'])
    client.delete_network_acl(NetworkAclId=acl)
    gone = code_of(client.describe_network_acls, NetworkAclIds=[acl])
    return {'entries': read['entries'], 'replaced': replaced, 'again': again, 'held': held, 'gone': gone}


def main():
    vpc = client.create_vpc(CidrBlock='10.9.0.0/16')['Vpc']['VpcId']
    subnet = client.create_subnet(VpcId=vpc, CidrBlock='10.9.1.0/24')['Subnet']['SubnetId']
    gateway = internet_gateway(vpc)
    table, routes = route_table(vpc, gateway)
    result = {
        'routes': routes,
        'associations': associations(vpc, subnet, table),
        'acl': network_acl(vpc, subnet),
        'nat': nat_gateway(subnet, table),
        'held': code_of(client.delete_internet_gateway, InternetGatewayId=gateway),
        'vpc': code_of(client.delete_vpc, VpcId=vpc),
    }
    client.delete_route_table(RouteTableId=table)
    client.delete_subnet(SubnetId=subnet)
    client.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    client.delete_internet_gateway(InternetGatewayId=gateway)
    client.delete_vpc(VpcId=vpc)
    result['gone'] = [
        code_of(client.describe_internet_gateways, InternetGatewayIds=[gateway]),
        code_of(client.describe_route_tables, RouteTableIds=[table]),
        code_of(client.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc),
    ]
    print(json.dumps(result))


main()
