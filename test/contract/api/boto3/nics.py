"""Plays what Terraform's aws_network_interface, its attachment and its groups do, with boto3.

The calls of the provider are from its source (internal/service/ec2/vpc_network_interface*.go). Arguments: the API's address, an
instance with one network interface.
"""
import json
import sys

from story import client, code_of, only

INSTANCE = sys.argv[2]


def read(nic):
    """As each plan reads it."""
    return only(client.describe_network_interfaces(NetworkInterfaceIds=[nic])['NetworkInterfaces'])


def addresses_of(nic):
    return [one['PrivateIpAddress'] for one in read(nic)['PrivateIpAddresses']]


def create(subnet, group):
    """resource "aws_network_interface" with private_ips_count, security_groups and tags."""
    made = client.create_network_interface(
        SubnetId=subnet,
        Description='made by a story',
        Groups=[group],
        SecondaryPrivateIpAddressCount=1,
        ClientToken='story-1',
        TagSpecifications=[{'ResourceType': 'network-interface', 'Tags': [{'Key': 'Name', 'Value': 'eni'}]}],
    )['NetworkInterface']
    nic = made['NetworkInterfaceId']
    again = client.create_network_interface(
        SubnetId=subnet,
        Description='made by a story',
        Groups=[group],
        SecondaryPrivateIpAddressCount=1,
        ClientToken='story-1',
        TagSpecifications=[{'ResourceType': 'network-interface', 'Tags': [{'Key': 'Name', 'Value': 'eni'}]}],
    )['NetworkInterface']
    assert again['NetworkInterfaceId'] == nic
    client.get_waiter('network_interface_available').wait(NetworkInterfaceIds=[nic])
    assert read(nic) == made, (read(nic), made)
    assert read(nic) == read(nic)
    return made


def update(made, group):
    """Each argument that changes in place."""
    nic = made['NetworkInterfaceId']
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Description={'Value': 'changed'})
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, SourceDestCheck={'Value': False})
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=[group])
    more = client.assign_private_ip_addresses(NetworkInterfaceId=nic, SecondaryPrivateIpAddressCount=1)
    new = only(more['AssignedPrivateIpAddresses'])['PrivateIpAddress']
    assert new in addresses_of(nic)
    client.unassign_private_ip_addresses(NetworkInterfaceId=nic, PrivateIpAddresses=[new])
    assert new not in addresses_of(nic)
    shown = read(nic)
    attribute = client.describe_network_interface_attribute(NetworkInterfaceId=nic, Attribute='sourceDestCheck')
    assert attribute['SourceDestCheck']['Value'] is False
    return {
        'description': shown['Description'],
        'check': shown['SourceDestCheck'],
        'groups': [one['GroupId'] for one in shown['Groups']] == [group],
        'tags': shown['TagSet'],
        'same': shown['PrivateIpAddress'] == made['PrivateIpAddress'] and shown['MacAddress'] == made['MacAddress'],
    }


def attach(made, others):
    """resource "aws_network_interface_attachment": create, read, what it refuses, destroy."""
    nic = made['NetworkInterfaceId']
    attachment = client.attach_network_interface(NetworkInterfaceId=nic, InstanceId=INSTANCE, DeviceIndex=1)
    name = attachment['AttachmentId']
    found = only(
        client.describe_network_interfaces(Filters=[{'Name': 'attachment.attachment-id', 'Values': [name]}])[
            'NetworkInterfaces'
        ]
    )
    instance = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]
    client.modify_network_interface_attribute(
        NetworkInterfaceId=nic, Attachment={'AttachmentId': name, 'DeleteOnTermination': True}
    )
    refused = {
        'twice': code_of(client.attach_network_interface, NetworkInterfaceId=nic, InstanceId=INSTANCE, DeviceIndex=1),
        'index': code_of(
            client.attach_network_interface, NetworkInterfaceId=others, InstanceId=INSTANCE, DeviceIndex=1
        ),
        'many': code_of(
            client.attach_network_interface, NetworkInterfaceId=others, InstanceId=INSTANCE, DeviceIndex=2
        ),
        'inUse': code_of(client.delete_network_interface, NetworkInterfaceId=nic),
        'first': code_of(
            client.detach_network_interface,
            AttachmentId=instance['NetworkInterfaces'][0]['Attachment']['AttachmentId'],
        ),
        'addresses': code_of(
            client.assign_private_ip_addresses, NetworkInterfaceId=nic, SecondaryPrivateIpAddressCount=1
        ),
    }
    shown = read(nic)['Attachment']
    client.detach_network_interface(AttachmentId=name, Force=True)
    client.get_waiter('network_interface_available').wait(NetworkInterfaceIds=[nic])
    return {
        'status': [found['Status'], shown['Status'], shown['DeviceIndex'], shown['DeleteOnTermination']],
        'interfaces': [one['Attachment']['DeviceIndex'] for one in instance['NetworkInterfaces']],
        'refused': refused,
        'gone': code_of(client.detach_network_interface, AttachmentId=name),
        'after': 'Attachment' in read(nic),
    }


def groups_of_first(group):
    """resource "aws_network_interface_sg_attachment" at the instance's own interface."""
    instance = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]
    nic = instance['NetworkInterfaces'][0]['NetworkInterfaceId']
    before = [one['GroupId'] for one in read(nic)['Groups']]
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=[*before, group])
    between = [one['GroupId'] for one in read(nic)['Groups']]
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=before)
    return [sorted(between) == sorted([*before, group]), [one['GroupId'] for one in read(nic)['Groups']] == before]


def destroy(*nics):
    for nic in nics:
        client.delete_network_interface(NetworkInterfaceId=nic)
    return [
        code_of(client.describe_network_interfaces, NetworkInterfaceIds=[nics[0]]),
        code_of(client.delete_network_interface, NetworkInterfaceId=nics[0]),
    ]


def launch(subnet):
    """`network_interface` blocks of aws_instance: one that there is, and a new one."""
    image = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]['ImageId']
    nic = client.create_network_interface(SubnetId=subnet)['NetworkInterface']['NetworkInterfaceId']
    made = only(
        client.run_instances(
            ImageId=image,
            InstanceType='t3.micro',
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[
                {'DeviceIndex': 0, 'NetworkInterfaceId': nic, 'DeleteOnTermination': False},
                {'DeviceIndex': 1, 'SubnetId': subnet, 'Description': 'second'},
            ],
        )['Instances']
    )
    shown = client.describe_instances(InstanceIds=[made['InstanceId']])['Reservations'][0]['Instances'][0]
    assert [one['NetworkInterfaceId'] for one in shown['NetworkInterfaces']][0] == nic
    return {
        'instance': made['InstanceId'],
        'kept': nic,
        'second': shown['NetworkInterfaces'][1]['NetworkInterfaceId'],
        'fates': [one['Attachment']['DeleteOnTermination'] for one in shown['NetworkInterfaces']],
        'taken': code_of(
            client.run_instances,
            ImageId=image,
            InstanceType='t3.micro',
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[{'DeviceIndex': 0, 'NetworkInterfaceId': nic}],
        ),
    }


if len(sys.argv) > 3:
    # What has become of the interfaces of a terminated instance.
    kept, second = sys.argv[3:]
    print(json.dumps([read(kept)['Status'], code_of(client.describe_network_interfaces, NetworkInterfaceIds=[second])]))
    client.delete_network_interface(NetworkInterfaceId=kept)
else:
    mine = client.describe_instances(InstanceIds=[INSTANCE])['Reservations'][0]['Instances'][0]
    place, vpc = mine['SubnetId'], mine['VpcId']
    group = client.create_security_group(GroupName='eni', Description='eni', VpcId=vpc)['GroupId']
    eni = create(place, mine['SecurityGroups'][0]['GroupId'])
    other = client.create_network_interface(SubnetId=place)['NetworkInterface']['NetworkInterfaceId']
    answer = {
        'made': [
            eni['Status'],
            eni['Description'],
            len(eni['PrivateIpAddresses']),
            eni['SourceDestCheck'],
            eni['InterfaceType'],
            'Attachment' in eni,
        ],
        'updated': update(eni, group),
        'attached': attach(eni, other),
        'groups': groups_of_first(group),
        'destroyed': destroy(eni['NetworkInterfaceId'], other),
        'launched': launch(place),
    }
    client.delete_security_group(GroupId=group)
    print(json.dumps(answer))
