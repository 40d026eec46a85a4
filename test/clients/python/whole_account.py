"""Makes at least one of each thing that an account may have: argv is the endpoint and an image."""
import json
import sys

import boto3

endpoint, image = sys.argv[1:]
ec2 = boto3.client('ec2', endpoint_url=endpoint)
iam = boto3.client('iam', endpoint_url=endpoint)
TRUST = json.dumps({'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': 'ec2.amazonaws.com'}}})
READ = json.dumps({'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': 'ec2:Describe*', 'Resource': '*'}})


def network():
    """A VPC with all that belongs to one, peered with another. Returns a subnet and a group."""
    vpc, peer = (ec2.create_vpc(CidrBlock=cidr)['Vpc']['VpcId'] for cidr in ('10.5.0.0/16', '10.6.0.0/16'))
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)
    options = [{'Key': 'domain-name', 'Values': ['x.test']}]
    options = ec2.create_dhcp_options(DhcpConfigurations=options)['DhcpOptions']['DhcpOptionsId']
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    subnet, second = (ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)['Subnet']['SubnetId'] for cidr in ('10.5.1.0/24', '10.5.2.0/24'))
    gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)['RouteTable']['RouteTableId']
    ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    acl = ec2.create_network_acl(VpcId=vpc)['NetworkAcl']['NetworkAclId']
    acls = ec2.describe_network_acls(Filters=[{'Name': 'association.subnet-id', 'Values': [second]}])['NetworkAcls']
    of_second = [one for one in acls[0]['Associations'] if one['SubnetId'] == second][0]
    ec2.replace_network_acl_association(NetworkAclId=acl, AssociationId=of_second['NetworkAclAssociationId'])
    address = ec2.allocate_address(Domain='vpc')['AllocationId']
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
    groups = [ec2.create_security_group(GroupName=name, Description='d', VpcId=vpc)['GroupId'] for name in ('one', 'two')]
    # They name each other, so neither can be removed first.
    for group, other in (groups, groups[::-1]):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{'IpProtocol': 'tcp', 'FromPort': 1, 'ToPort': 2, 'UserIdGroupPairs': [{'GroupId': other}]}])
    return subnet, groups[0]


def people():
    """A user and a role, each with policies of each kind. Returns the role's instance profile."""
    policy = iam.create_policy(PolicyName='own', PolicyDocument=READ)['Policy']['Arn']
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=READ, SetAsDefault=True)
    iam.create_user(UserName='dev')
    iam.create_access_key(UserName='dev')
    iam.put_user_policy(UserName='dev', PolicyName='inline', PolicyDocument=READ)
    iam.attach_user_policy(UserName='dev', PolicyArn=policy)
    iam.create_role(RoleName='server', AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName='server', PolicyName='inline', PolicyDocument=READ)
    iam.attach_role_policy(RoleName='server', PolicyArn='arn:aws:iam::aws:policy/ReadOnlyAccess')
    iam.create_instance_profile(InstanceProfileName='server')
    iam.add_role_to_instance_profile(InstanceProfileName='server', RoleName='server')
    return 'server'


def servers(subnet, group, profile):
    """An instance with all that may be attached, which must not be terminated, and another."""
    one = {'ImageId': image, 'InstanceType': 't3.micro', 'MinCount': 1, 'MaxCount': 1}
    place = {'SubnetId': subnet, 'SecurityGroupIds': [group], 'IamInstanceProfile': {'Name': profile}}
    first, second = (
        ec2.run_instances(**one, **more)['Instances'][0]['InstanceId']
        for more in ({**place, 'DisableApiTermination': True}, {})
    )
    ec2.get_waiter('instance_running').wait(InstanceIds=[first, second], WaiterConfig={'Delay': 1})
    address = ec2.allocate_address(Domain='vpc')['AllocationId']
    ec2.associate_address(AllocationId=address, InstanceId=first)
    nic = ec2.create_network_interface(SubnetId=subnet, Groups=[group])['NetworkInterface']['NetworkInterfaceId']
    ec2.attach_network_interface(NetworkInterfaceId=nic, InstanceId=first, DeviceIndex=1)


ec2.create_key_pair(KeyName='key')
ec2.create_placement_group(GroupName='spread', Strategy='spread')
ec2.create_launch_template(LaunchTemplateName='template', LaunchTemplateData={'ImageId': image})
ec2.create_internet_gateway()
ec2.allocate_address(Domain='vpc')
servers(*network(), people())
