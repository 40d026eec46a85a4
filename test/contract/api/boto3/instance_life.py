"""Plays Terraform's provider from its start, aws_key_pair, and the whole life of an aws_instance with its changes in place, with boto3.

The calls are from the provider's source (internal/conns/config.go; internal/service/ec2: ec2_key_pair.go, ec2_instance.go,
ec2_instance_state.go, ec2_tag_gen.go, ec2_ami_from_instance.go, wait.go; internal/service/iam/role.go). Arguments: the API's address, an
image, and a public key. Prints what was read.
"""
import base64
import json
import sys
import time

import boto3

from story import client, code_of, only, where

endpoint, image, public_key = sys.argv[1:4]

def one(instance):
    return only(only(client.describe_instances(InstanceIds=[instance])['Reservations'])['Instances'])


def until(instance, state):
    deadline = time.time() + 60
    while one(instance)['State']['Name'] != state:
        assert time.time() < deadline, f'never {state}'
        time.sleep(0.05)


def attribute(instance, name, member):
    return client.describe_instance_attribute(InstanceId=instance, Attribute=name)[member].get('Value')


def start():
    """The provider, with and without skip_credentials_validation."""
    account = boto3.client('sts', endpoint_url=endpoint).get_caller_identity()
    iam = boto3.client('iam', endpoint_url=endpoint)
    user = iam.get_user()['User']
    return [account['Account'], user['Arn'] == account['Arn']]


def key_pair():
    """resource "aws_key_pair": create, read, change of tags, destroy twice."""
    made = client.import_key_pair(
        KeyName='terraform', PublicKeyMaterial=public_key.encode(),
        TagSpecifications=[{'ResourceType': 'key-pair', 'Tags': [{'Key': 'a', 'Value': 'b'}]}],
    )
    read = only(client.describe_key_pairs(KeyNames=['terraform'], IncludePublicKey=True)['KeyPairs'])
    assert read['KeyFingerprint'] == made['KeyFingerprint']
    client.create_tags(Resources=[made['KeyPairId']], Tags=[{'Key': 'a', 'Value': 'c'}])
    found = only(client.describe_key_pairs(Filters=where(key_name='terra*'))['KeyPairs'])
    return [read['PublicKey'].split()[:2] == public_key.split()[:2], read['KeyType'], found['Tags']]


def create(subnet, group):
    device = only(client.describe_images(ImageIds=[image])['Images'])['RootDeviceName']
    tags = [{'Key': 'Name', 'Value': 'terraform'}]
    # Terraform leads with the disk of the image.
    mapping = {'DeviceName': device, 'Ebs': {'DeleteOnTermination': True, 'VolumeSize': 9, 'VolumeType': 'gp3'}}
    return client.run_instances(
        ImageId=image, InstanceType='t3.micro', MinCount=1, MaxCount=1, KeyName='terraform',
        ClientToken='terraform-20261129', DisableApiStop=False, DisableApiTermination=True, EbsOptimized=False,
        InstanceInitiatedShutdownBehavior='stop', Monitoring={'Enabled': False}, SubnetId=subnet,
        SecurityGroupIds=[group], BlockDeviceMappings=[mapping], UserData='#!/bin/sh\n',
        MetadataOptions={'HttpEndpoint': 'enabled', 'HttpTokens': 'required', 'HttpPutResponseHopLimit': 2},
        MaintenanceOptions={'AutoRecovery': 'default'}, CapacityReservationSpecification={'CapacityReservationPreference': 'open'},
        TagSpecifications=[{'ResourceType': kind, 'Tags': tags} for kind in ('instance', 'volume')],
    )['Instances'][0]['InstanceId']


def read(instance):
    """What every plan reads, and what of it Terraform would show as a difference."""
    now = one(instance)
    only(client.describe_instance_types(InstanceTypes=[now['InstanceType']])['InstanceTypes'])
    only(client.describe_vpcs(VpcIds=[now['VpcId']])['Vpcs'])
    volumes = [mapping['Ebs']['VolumeId'] for mapping in now['BlockDeviceMappings']]
    volume = only(client.describe_volumes(VolumeIds=volumes)['Volumes'])
    named = [mapping for mapping in now['BlockDeviceMappings'] if mapping['DeviceName'] == now['RootDeviceName']]
    nic = only([one for one in now['NetworkInterfaces'] if one['Attachment']['DeviceIndex'] == 0])
    return {
        'type': now['InstanceType'],
        'root': [only(named)['Ebs']['DeleteOnTermination'], volume['Size'], volume['VolumeType'], volume['Encrypted']],
        'volumeTags': volume['Tags'],
        'check': [now['SourceDestCheck'], nic['SourceDestCheck']],
        'monitoring': now['Monitoring']['State'],
        'tenancy': now['Placement']['Tenancy'],
        'hop': now['MetadataOptions']['HttpPutResponseHopLimit'],
        'hibernation': now['HibernationOptions']['Configured'],
        'enclave': now['EnclaveOptions']['Enabled'],
        'recovery': now['MaintenanceOptions']['AutoRecovery'],
        'dns': now['PrivateDnsNameOptions']['HostnameType'],
        'stop': attribute(instance, 'disableApiStop', 'DisableApiStop'),
        'termination': attribute(instance, 'disableApiTermination', 'DisableApiTermination'),
        'shutdown': attribute(instance, 'instanceInitiatedShutdownBehavior', 'InstanceInitiatedShutdownBehavior'),
        'userData': base64.b64decode(attribute(instance, 'userData', 'UserData') or '').decode(),
        'groups': [group['GroupName'] for group in now['SecurityGroups']],
    }


def change(instance, group, other):
    """Changes in place: of what runs, and of what must be stopped for it."""
    nic = one(instance)['NetworkInterfaces'][0]['NetworkInterfaceId']
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, SourceDestCheck={'Value': False})
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=[other])
    client.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={'Value': 'terminate'})
    client.monitor_instances(InstanceIds=[instance])
    client.modify_instance_metadata_options(InstanceId=instance, HttpTokens='required', HttpPutResponseHopLimit=1, HttpEndpoint='enabled')
    assert code_of(client.stop_instances, InstanceIds=[instance]) is None
    until(instance, 'stopped')
    client.modify_instance_attribute(InstanceId=instance, InstanceType={'Value': 't3.small'})
    client.modify_instance_attribute(InstanceId=instance, UserData={'Value': b'#!/bin/true\n'})
    client.start_instances(InstanceIds=[instance])
    until(instance, 'running')
    client.create_tags(Resources=[instance], Tags=[{'Key': 'extra', 'Value': 'x'}])
    client.delete_tags(Resources=[instance], Tags=[{'Key': 'extra', 'Value': 'x'}])


def destroy(instance):
    refused = code_of(client.terminate_instances, InstanceIds=[instance])
    client.modify_instance_attribute(InstanceId=instance, DisableApiTermination={'Value': False})
    client.modify_instance_attribute(InstanceId=instance, DisableApiStop={'Value': False})
    client.terminate_instances(InstanceIds=[instance])
    until(instance, 'terminated')
    # Destroying again what somebody else has destroyed.
    again = code_of(client.terminate_instances, InstanceIds=[instance])
    missing = code_of(client.describe_instances, InstanceIds=['i-0123456789abcdef0'])
    key = [code_of(client.delete_key_pair, KeyName='terraform') for _ in range(2)]
    return [refused, again, missing, key, code_of(client.describe_key_pairs, KeyNames=['terraform'])]


def data_sources(instance, subnet, group):
    """data "aws_instances", "aws_instance", "aws_subnets", "aws_ec2_instance_type" and their like."""
    running = [
        {'Name': 'tag:Name', 'Values': ['terraform']},
        {'Name': 'instance-state-name', 'Values': ['pending', 'running']},
    ]
    found = only(only(client.describe_instances(Filters=running)['Reservations'])['Instances'])
    subnets = client.describe_subnets(Filters=where(subnet_id=subnet))['Subnets']
    groups = client.describe_security_groups(Filters=where(group_id=group))['SecurityGroups']
    nics = client.describe_network_interfaces(Filters=where(attachment__instance_id=instance))['NetworkInterfaces']
    volumes = client.describe_volumes(Filters=where(attachment__instance_id=instance))['Volumes']
    kind = only(client.describe_instance_types(InstanceTypes=['t3.micro'])['InstanceTypes'])
    memory = client.describe_instance_types(Filters=[{'Name': 'memory-info.size-in-mib', 'Values': ['1024']}])
    return [
        found['InstanceId'] == instance,
        [len(subnets), len(groups), len(nics), len(volumes)],
        [kind['VCpuInfo']['DefaultVCpus'], kind['MemoryInfo']['SizeInMiB'], kind['CurrentGeneration'], kind.get('Hypervisor')],
        'InstanceStorageInfo' in kind or kind['InstanceStorageSupported'] is False,
        {one['InstanceType'] for one in memory['InstanceTypes']} >= {'t3.micro'},
    ]


subnet = client.describe_subnets(Filters=where(default_for_az='true'))['Subnets'][0]
vpc = subnet['VpcId']
groups = [
    client.create_security_group(GroupName=name, Description='d', VpcId=vpc)['GroupId'] for name in ('first', 'second')
]
said = {'start': start(), 'key': key_pair()}
made = create(subnet['SubnetId'], groups[0])
until(made, 'running')
said['same'] = create(subnet['SubnetId'], groups[0]) == made
said['read'] = read(made)
said['data'] = data_sources(made, subnet['SubnetId'], groups[0])
change(made, *groups)
said['changed'] = read(made)
said['destroyed'] = destroy(made)
said['free'] = [code_of(client.delete_security_group, GroupId=group) for group in groups]
print(json.dumps(said))
