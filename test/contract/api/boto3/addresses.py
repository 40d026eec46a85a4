"""Plays what people and Terraform's aws_eip do with addresses, with boto3.

The calls of the provider are from its source (internal/service/ec2/ec2_eip.go). Arguments: the API's address, an instance.
"""
import json
import sys

from story import client, code_of

INSTANCE = sys.argv[2]


def read(allocation):
    """As each plan reads it."""
    addresses = client.describe_addresses(AllocationIds=[allocation])['Addresses']
    assert len(addresses) == 1, addresses
    attributes = client.describe_addresses_attribute(Attribute='domain-name', AllocationIds=[allocation])
    return addresses[0], [one.get('PtrRecord') for one in attributes['Addresses']]


def terraform():
    """resource "aws_eip" with an instance: create, read, plan, destroy."""
    tags = [{'ResourceType': 'elastic-ip', 'Tags': [{'Key': 'Name', 'Value': 'web'}]}]
    made = client.allocate_address(Domain='vpc', TagSpecifications=tags)
    allocation = made['AllocationId']
    read(allocation)
    put = client.associate_address(AllocationId=allocation, InstanceId=INSTANCE, AllowReassociation=False)
    association = put['AssociationId']
    by_association = client.describe_addresses(Filters=[{'Name': 'association-id', 'Values': [association]}])
    address, attributes = read(allocation)
    assert by_association['Addresses'] == [address]
    assert read(allocation) == (address, attributes)
    assert address['PublicIp'] == made['PublicIp']
    assert address['InstanceId'] == INSTANCE
    assert address['Tags'] == [{'Key': 'Name', 'Value': 'web'}]
    instance = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]
    used = code_of(client.release_address, AllocationId=allocation)
    other = client.allocate_address()
    moved = code_of(
        client.associate_address, AllocationId=other['AllocationId'], InstanceId=INSTANCE, AllowReassociation=False
    )
    client.release_address(AllocationId=other['AllocationId'])
    client.disassociate_address(AssociationId=association)
    again = code_of(client.disassociate_address, AssociationId=association)
    client.release_address(AllocationId=allocation, NetworkBorderGroup=address['NetworkBorderGroup'])
    gone = code_of(client.describe_addresses, AllocationIds=[allocation])
    return {
        'domain': address['Domain'],
        'attributes': attributes,
        'used': used,
        'moved': moved,
        'gone': [again, gone],
        'inUse': instance['PublicIpAddress'] == made['PublicIp'],
    }


def launched():
    """`--associate-public-ip-address`: shown at the instance, and nobody's allocation."""
    image = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]['ImageId']
    nic = {'DeviceIndex': 0, 'AssociatePublicIpAddress': True}
    made = client.run_instances(
        ImageId=image, InstanceType='t3.micro', MinCount=1, MaxCount=1, NetworkInterfaces=[nic]
    )['Instances'][0]
    association = made['NetworkInterfaces'][0]['Association']
    assert association['PublicIp'] == made['PublicIpAddress']
    assert association['PublicDnsName'] == made['PublicDnsName']
    return [association['IpOwnerId'], code_of(client.release_address, PublicIp=made['PublicIpAddress'])]


def pools():
    shown = client.describe_public_ipv4_pools()['PublicIpv4Pools']
    return [[pool['PoolId'], pool['TotalAddressCount'], pool['TotalAvailableAddressCount']] for pool in shown]


print(json.dumps({'terraform': terraform(), 'pools': pools(), 'launched': launched()}))
