"""Plays what people and Terraform's aws_security_group do with security groups, with boto3.

The calls of the provider are from its source (internal/service/ec2/vpc_security_group.go): create, take away the rule that lets
everything out, and the one for IPv6 that is not there; write the rules, read, plan, destroy. Argument: the API's address.
"""
import json

from story import client, code_of

ALL = {'IpProtocol': '-1', 'FromPort': 0, 'ToPort': 0}


def read(group):
    groups = client.describe_security_groups(GroupIds=[group])['SecurityGroups']
    assert len(groups) == 1, groups
    return groups[0]


def terraform():
    """resource "aws_security_group": create, read, destroy."""
    vpc = client.describe_vpcs(Filters=[{'Name': 'is-default', 'Values': ['true']}])['Vpcs'][0]['VpcId']
    tags = [{'ResourceType': 'security-group', 'Tags': [{'Key': 'Name', 'Value': 'web'}]}]
    made = client.create_security_group(
        GroupName='web', Description='Managed by Terraform', VpcId=vpc, TagSpecifications=tags
    )
    group = made['GroupId']
    read(group)
    everywhere = {'IpRanges': [{'CidrIp': '0.0.0.0/0'}]}
    client.revoke_security_group_egress(GroupId=group, IpPermissions=[{**ALL, **everywhere}])
    six = {'Ipv6Ranges': [{'CidrIpv6': '::/0'}]}
    no_rule = code_of(client.revoke_security_group_egress, GroupId=group, IpPermissions=[{**ALL, **six}])
    http = {'IpProtocol': 'tcp', 'FromPort': 80, 'ToPort': 80}
    http['IpRanges'] = [{'CidrIp': '10.0.0.0/8', 'Description': 'inside'}]
    http['UserIdGroupPairs'] = [{'GroupId': group}]
    client.authorize_security_group_ingress(GroupId=group, IpPermissions=[http])
    client.authorize_security_group_egress(GroupId=group, IpPermissions=[{**ALL, **everywhere}])
    again = code_of(client.authorize_security_group_ingress, GroupId=group, IpPermissions=[http])
    state = read(group)
    assert state['Tags'] == [{'Key': 'Name', 'Value': 'web'}]
    assert [pair['UserId'] for pair in state['IpPermissions'][0]['UserIdGroupPairs']] == [state['OwnerId']]
    assert client.describe_network_interfaces(Filters=[{'Name': 'group-id', 'Values': [group]}])['NetworkInterfaces'] == []
    rules = client.describe_security_group_rules(Filters=[{'Name': 'group-id', 'Values': [group]}])
    assert len(rules['SecurityGroupRules']) == 3
    # As `boto3.resource` users do: what was told is taken back.
    client.revoke_security_group_ingress(GroupId=group, IpPermissions=state['IpPermissions'])
    left = read(group)
    client.delete_security_group(GroupId=group)
    return {
        'noRule': no_rule,
        'again': again,
        'in': [[one['IpProtocol'], one['FromPort'], one['ToPort'], one['IpRanges']] for one in state['IpPermissions']],
        'out': [[one['IpProtocol'], one.get('FromPort'), one['IpRanges']] for one in state['IpPermissionsEgress']],
        'left': left['IpPermissions'],
        'gone': code_of(client.describe_security_groups, GroupIds=[group]),
    }


def flat():
    """The older form, and names in the default VPC."""
    group = client.create_security_group(GroupName='flat', Description='flat')['GroupId']
    client.get_waiter('security_group_exists').wait(GroupIds=[group])
    client.authorize_security_group_ingress(
        GroupName='flat', IpProtocol='tcp', FromPort=22, ToPort=22, CidrIp='192.0.2.7/24'
    )
    client.authorize_security_group_ingress(GroupName='flat', SourceSecurityGroupName='default')
    shown = sorted(one['IpProtocol'] for one in read(group)['IpPermissions'])
    client.revoke_security_group_ingress(
        GroupName='flat', IpProtocol='tcp', FromPort=22, ToPort=22, CidrIp='192.0.2.0/24'
    )
    client.delete_security_group(GroupName='flat')
    return shown


def changed():
    """Rules that are changed in place, as Terraform's aws_vpc_security_group_ingress_rule does."""
    group = client.create_security_group(GroupName='changed', Description='changed')['GroupId']
    ssh = {'IpProtocol': 'tcp', 'FromPort': 22, 'ToPort': 22}
    permission = {**ssh, 'IpRanges': [{'CidrIp': '192.0.2.0/24', 'Description': 'old'}]}
    made = client.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])['SecurityGroupRules'][0]
    rule = made['SecurityGroupRuleId']
    whole = {**ssh, 'ToPort': 23, 'CidrIpv4': '198.51.100.0/24', 'Description': 'new'}
    client.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{'SecurityGroupRuleId': rule, 'SecurityGroupRule': whole}]
    )
    read_rule = lambda: client.describe_security_group_rules(SecurityGroupRuleIds=[rule])['SecurityGroupRules'][0]
    after = read_rule()
    text = {'SecurityGroupRuleId': rule, 'Description': 'office'}
    client.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=[text])
    by_id = read_rule()['Description']
    everywhere = {'IpProtocol': '-1', 'IpRanges': [{'CidrIp': '0.0.0.0/0', 'Description': 'all'}]}
    client.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[everywhere])
    out = read(group)['IpPermissionsEgress'][0]['IpRanges'][0]['Description']
    client.delete_security_group(GroupId=group)
    return [after['ToPort'], after['CidrIpv4'], after['Description'], by_id, out]


def of_nic():
    """The groups of an instance that is there, by the instance and by its NIC, as Terraform's aws_instance changes them."""
    instance = client.describe_instances()['Reservations'][0]['Instances'][0]
    before = [one['GroupId'] for one in instance['SecurityGroups']]
    nic = instance['NetworkInterfaces'][0]['NetworkInterfaceId']
    group = client.create_security_group(GroupName='nic', Description='nic')['GroupId']
    client.modify_instance_attribute(InstanceId=instance['InstanceId'], Groups=[group])
    by_instance = client.describe_instances()['Reservations'][0]['Instances'][0]['SecurityGroups']
    used = code_of(client.delete_security_group, GroupId=group)
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=[*before, group])
    by_nic = client.describe_network_interfaces(NetworkInterfaceIds=[nic])['NetworkInterfaces'][0]['Groups']
    client.modify_network_interface_attribute(NetworkInterfaceId=nic, Groups=before)
    client.delete_security_group(GroupId=group)
    return {
        'byInstance': [one['GroupName'] for one in by_instance],
        'used': used,
        'byNic': sorted(one['GroupName'] for one in by_nic),
    }


print(json.dumps({'terraform': terraform(), 'flat': flat(), 'changed': changed(), 'ofNic': of_nic()}))
