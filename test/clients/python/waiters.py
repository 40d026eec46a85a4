"""Makes one of each thing that a waiter of botocore waits for, and lets every waiter whose action is answered wait for it.

Arguments: the API's address, the image of a virtual machine, and the actions that it answers. Prints what each waiter said (None: it came back), and the waiters
whose action is not answered.
"""
import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

endpoint, image = sys.argv[1:3]
answered = set(sys.argv[3:])
rows = []
client = boto3.client('ec2', endpoint_url=endpoint)


def wait(name, of=client, **arguments):
    try:
        of.get_waiter(name).wait(WaiterConfig={'Delay': 1, 'MaxAttempts': 120}, **arguments)
        rows.append([name, None])
    except (ClientError, BotoCoreError) as error:
        rows.append([name, str(error)])


def instances():
    wait('image_exists', ImageIds=[image])
    wait('image_available', ImageIds=[image])
    client.create_key_pair(KeyName='waited')
    wait('key_pair_exists', KeyNames=['waited'])
    launched = client.run_instances(
        ImageId=image, InstanceType='t3.micro', MinCount=1, MaxCount=1, KeyName='waited',
        BlockDeviceMappings=[{'DeviceName': root(), 'Ebs': {'DeleteOnTermination': False}}],
    )['Instances'][0]['InstanceId']
    one = {'InstanceIds': [launched]}
    wait('instance_exists', **one)
    wait('instance_running', **one)
    wait('instance_status_ok', **one)
    wait('system_status_ok', **one)
    volume = {'VolumeIds': [volumes(launched)[0]['VolumeId']]}
    wait('volume_in_use', **volume)
    client.stop_instances(**one)
    wait('instance_stopped', **one)
    client.terminate_instances(**one)
    wait('instance_terminated', **one)
    wait('volume_available', **volume)
    client.delete_volume(VolumeId=volume['VolumeIds'][0])
    wait('volume_deleted', **volume)


def root():
    return client.describe_images(ImageIds=[image])['Images'][0]['RootDeviceName']


def volumes(instance):
    filters = [{'Name': 'attachment.instance-id', 'Values': [instance]}]
    return client.describe_volumes(Filters=filters)['Volumes']


def networks():
    vpc = client.create_vpc(CidrBlock='10.50.0.0/16')['Vpc']['VpcId']
    other = client.create_vpc(CidrBlock='10.51.0.0/16')['Vpc']['VpcId']
    wait('vpc_exists', VpcIds=[vpc])
    wait('vpc_available', VpcIds=[vpc])
    subnet = client.create_subnet(VpcId=vpc, CidrBlock='10.50.1.0/24')['Subnet']['SubnetId']
    wait('subnet_available', SubnetIds=[subnet])
    gateway = client.create_internet_gateway()['InternetGateway']['InternetGatewayId']
    wait('internet_gateway_exists', InternetGatewayIds=[gateway])
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    group = client.create_security_group(VpcId=vpc, GroupName='g', Description='d')['GroupId']
    wait('security_group_exists', GroupIds=[group])
    nic = client.create_network_interface(SubnetId=subnet)['NetworkInterface']['NetworkInterfaceId']
    wait('network_interface_available', NetworkInterfaceIds=[nic])
    nat = client.create_nat_gateway(SubnetId=subnet)['NatGateway']['NatGatewayId']
    wait('nat_gateway_available', NatGatewayIds=[nat])
    client.delete_nat_gateway(NatGatewayId=nat)
    wait('nat_gateway_deleted', NatGatewayIds=[nat])
    made = client.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    peering = made['VpcPeeringConnection']['VpcPeeringConnectionId']
    wait('vpc_peering_connection_exists', VpcPeeringConnectionIds=[peering])
    client.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    wait('vpc_peering_connection_deleted', VpcPeeringConnectionIds=[peering])


def users():
    iam = boto3.client('iam', endpoint_url=endpoint)
    iam.create_user(UserName='waited')
    wait('user_exists', iam, UserName='waited')


instances()
networks()
users()
tried = {name for name, _ in rows}
model = {
    name: client.get_waiter(name).config.operation
    for name in client.waiter_names
    if name not in tried
}
print(
    json.dumps(
        {
            'rows': rows,
            'unanswered': sorted([name, action] for name, action in model.items() if action not in answered),
            'untried': sorted(name for name, action in model.items() if action in answered),
        }
    )
)
