"""Plays Terraform's aws_vpc_peering_connection, its accepter and its options, with boto3.

The calls of the provider are from its source (internal/service/ec2: vpc_peering_connection.go, vpc_peering_connection_accepter.go,
vpc_peering_connection_options.go): create, wait, accept, modify options, read, read again for a plan, delete, wait. Arguments: the
API's address.
"""
import json

from story import client, code_of, only


def read(peering):
    return only(client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])['VpcPeeringConnections'])


vpcs = [client.create_vpc(CidrBlock=block)['Vpc']['VpcId'] for block in ('10.20.0.0/16', '10.21.0.0/16')]
tags = [{'ResourceType': 'vpc-peering-connection', 'Tags': [{'Key': 'Name', 'Value': 'both'}]}]
made = client.create_vpc_peering_connection(VpcId=vpcs[0], PeerVpcId=vpcs[1], TagSpecifications=tags)['VpcPeeringConnection']
peering = made['VpcPeeringConnectionId']
client.get_waiter('vpc_peering_connection_exists').wait(VpcPeeringConnectionIds=[peering])
expires = made['ExpirationTime']
client.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
options = {'AllowDnsResolutionFromRemoteVpc': False}
client.modify_vpc_peering_connection_options(
    VpcPeeringConnectionId=peering, AccepterPeeringConnectionOptions=options, RequesterPeeringConnectionOptions=options
)
first = read(peering)
assert first == read(peering)
where = [{'Name': 'status-code', 'Values': ['active']}, {'Name': 'requester-vpc-info.vpc-id', 'Values': [vpcs[0]]}]
found = only(client.describe_vpc_peering_connections(Filters=where)['VpcPeeringConnections'])
again = code_of(client.create_vpc_peering_connection, VpcId=vpcs[1], PeerVpcId=vpcs[0])
client.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
after = read(peering)['Status']['Code']
for vpc in vpcs:
    client.delete_vpc(VpcId=vpc)
print(
    json.dumps(
        {
            'first': made['Status']['Code'],
            'days': round((expires - expires.now(expires.tzinfo)).total_seconds() / 86400),
            'status': first['Status'],
            'blocks': [first['RequesterVpcInfo']['CidrBlock'], first['AccepterVpcInfo']['CidrBlock']],
            'options': first['AccepterVpcInfo']['PeeringOptions']['AllowDnsResolutionFromRemoteVpc'],
            'tags': first['Tags'],
            'found': found['VpcPeeringConnectionId'] == peering,
            'again': again,
            'after': after,
            'missing': code_of(client.describe_vpc_peering_connections, VpcPeeringConnectionIds=['pcx-00000000000000000']),
        }
    )
)
