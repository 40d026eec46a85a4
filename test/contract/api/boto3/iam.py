"""Makes a user with policies, calls as that user, and removes it, as Terraform's aws_iam_user,
aws_iam_access_key, aws_iam_user_policy and aws_iam_user_policy_attachment do. Argument: the API's address and the id
of an instance. Prints what was read.
"""
import json
import sys
from urllib.parse import unquote

from botocore.exceptions import ClientError
from story import client_of, message_of, result_of

INSTANCE = sys.argv[2]
READING = 'arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess'
POLICY = {
    'Version': '2012-10-17',
    'Statement': [
        {
            'Effect': 'Allow',
            'Action': ['ec2:CreateTags', 'ec2:RebootInstances'],
            'Resource': 'arn:aws:ec2:*:*:instance/*',
            'Condition': {'StringEquals': {'aws:ResourceTag/team': 'red'}},
        },
        {'Sid': 'Own', 'Effect': 'Allow', 'Action': ['iam:*AccessKey*', 'iam:ListMFADevices'], 'Resource': 'arn:aws:iam::*:user/${aws:username}'},
    ],
}

iam, ec2 = client_of('iam'), client_of('ec2')
made = iam.create_user(UserName='dev', Tags=[{'Key': 'a', 'Value': '1'}])['User']
iam.tag_user(UserName='dev', Tags=[{'Key': 'A', 'Value': '2'}, {'Key': 'team', 'Value': 'blue'}])
iam.untag_user(UserName='dev', TagKeys=['TEAM'])
user_tags = [made['Tags'], iam.get_user(UserName='dev')['User']['Tags'], iam.list_user_tags(UserName='dev')['Tags']]
twice = result_of(iam.create_user, UserName='DEV')
key = iam.create_access_key(UserName='dev')['AccessKey']
keys = {'aws_access_key_id': key['AccessKeyId'], 'aws_secret_access_key': key['SecretAccessKey']}
own_ec2, own_iam, own_sts = (client_of(service, **keys) for service in ('ec2', 'iam', 'sts'))

OWN = {'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': 'ec2:DescribeVpcs', 'Resource': '*'}}
WIDER = {**OWN, 'Statement': {**OWN['Statement'], 'Action': ['ec2:DescribeVpcs', 'ec2:DescribeSubnets']}}


def own_policies():
    """resource "aws_iam_policy" and its attachment to a user: create, read, change, destroy."""
    policy = iam.create_policy(
        PolicyName='own', Path='/team/', PolicyDocument=json.dumps(OWN), Description='d', Tags=[{'Key': 'a', 'Value': 'b'}],
    )['Policy']
    arn = {'PolicyArn': policy['Arn']}
    iam.get_waiter('policy_exists').wait(**arn)
    iam.attach_user_policy(UserName='dev', **arn)
    rights = [result_of(own_ec2.describe_vpcs), result_of(own_ec2.describe_subnets)]
    made = iam.create_policy_version(PolicyDocument=json.dumps(WIDER), SetAsDefault=True, **arn)['PolicyVersion']
    rights += [result_of(own_ec2.describe_subnets)]
    iam.set_default_policy_version(VersionId='v1', **arn)
    rights += [result_of(own_ec2.describe_subnets)]
    held = [result_of(iam.delete_policy, **arn), result_of(iam.delete_policy_version, VersionId='v1', **arn)]
    read = iam.get_policy(**arn)['Policy']
    seen = {
        'arn': read['Arn'],
        'read': [read['DefaultVersionId'], read['AttachmentCount'], read['Description'], read['Tags'], made['VersionId']],
        'document': iam.get_policy_version(VersionId='v2', **arn)['PolicyVersion']['Document'] == WIDER,
        'versions': [one['VersionId'] for one in iam.list_policy_versions(**arn)['Versions']],
        'local': [one['Arn'] for one in iam.list_policies(Scope='Local', PathPrefix='/team/')['Policies']] == [read['Arn']],
        'attached': [one['PolicyName'] for one in iam.list_attached_user_policies(UserName='dev', PathPrefix='/team/')['AttachedPolicies']],
        'rights': rights,
        'held': held,
        'cloud': result_of(iam.tag_policy, PolicyArn=READING, Tags=[{'Key': 'a', 'Value': 'b'}]),
    }
    iam.detach_user_policy(UserName='dev', **arn)
    held.append(result_of(iam.delete_policy, **arn))
    iam.delete_policy_version(VersionId='v2', **arn)
    iam.delete_policy(**arn)
    return seen | {'gone': result_of(iam.get_policy, **arn)}


own_policy = own_policies()
nothing = [
    result_of(own_ec2.describe_instances),
    result_of(own_ec2.terminate_instances, InstanceIds=[INSTANCE], DryRun=True),
    result_of(own_iam.list_users),
    own_sts.get_caller_identity()['Arn'],
]
iam.attach_user_policy(UserName='dev', PolicyArn=READING)
reading = [result_of(own_ec2.describe_instances), result_of(own_ec2.reboot_instances, InstanceIds=[INSTANCE])]

wrong = result_of(iam.put_user_policy, UserName='dev', PolicyName='p', PolicyDocument=json.dumps({'Statement': []}))
iam.put_user_policy(UserName='dev', PolicyName='team', PolicyDocument=json.dumps(POLICY))
read = iam.get_user_policy(UserName='dev', PolicyName='team')['PolicyDocument']
untagged = result_of(own_ec2.reboot_instances, InstanceIds=[INSTANCE], DryRun=True)
ec2.create_tags(Resources=[INSTANCE], Tags=[{'Key': 'team', 'Value': 'red'}])
tagged = result_of(own_ec2.reboot_instances, InstanceIds=[INSTANCE], DryRun=True)
ec2.delete_tags(Resources=[INSTANCE], Tags=[{'Key': 'team'}])

try:
    own_ec2.terminate_instances(InstanceIds=[INSTANCE])
    decoded = None
except ClientError as error:
    message = error.response['Error']['Message'].split('Encoded authorization failure message: ')
    decoded = message[1] if len(message) == 2 else message[0]

own = [
    only['AccessKeyId'] == key['AccessKeyId'] for only in own_iam.list_access_keys()['AccessKeyMetadata']
]
others = result_of(own_iam.list_access_keys, UserName='admin')
used = iam.get_access_key_last_used(AccessKeyId=key['AccessKeyId'])['UserName']
held = result_of(iam.delete_user, UserName='dev')
# What Terraform's force_destroy, Ansible's iam_user and aws-nuke ask first.
removal = [
    iam.list_mfa_devices(UserName='dev')['MFADevices'],
    iam.list_groups()['Groups'],
    iam.list_virtual_mfa_devices(AssignmentStatus='Any')['VirtualMFADevices'],
    iam.list_ssh_public_keys(UserName='dev')['SSHPublicKeys'],
    iam.list_signing_certificates(UserName='dev')['Certificates'],
    iam.list_service_specific_credentials(UserName='dev')['ServiceSpecificCredentials'],
    iam.list_server_certificates(PathPrefix='/')['ServerCertificateMetadataList'],
    iam.list_saml_providers()['SAMLProviderList'],
    iam.list_open_id_connect_providers()['OpenIDConnectProviderList'],
    result_of(iam.list_mfa_devices, UserName='nobody'),
    result_of(own_iam.list_mfa_devices),
    result_of(own_iam.list_mfa_devices, UserName='admin'),
    result_of(iam.delete_login_profile, UserName='dev'),
]
iam.update_access_key(UserName='dev', AccessKeyId=key['AccessKeyId'], Status='Inactive')
inactive = result_of(own_ec2.describe_instances)
iam.update_access_key(UserName='dev', AccessKeyId=key['AccessKeyId'], Status='Active')
active = result_of(own_ec2.describe_instances)

listed = {
    'inline': iam.list_user_policies(UserName='dev')['PolicyNames'],
    'attached': [one['PolicyName'] for one in iam.list_attached_user_policies(UserName='dev')['AttachedPolicies']],
    'groups': iam.list_groups_for_user(UserName='dev')['Groups'],
    'aliases': iam.list_account_aliases()['AccountAliases'],
    'users': [user['UserName'] for page in iam.get_paginator('list_users').paginate(PaginationConfig={'PageSize': 1}) for user in page['Users']],
    'managed': len(iam.list_policies(Scope='AWS')['Policies']),
    'document': iam.get_policy_version(PolicyArn=READING, VersionId=iam.get_policy(PolicyArn=READING)['Policy']['DefaultVersionId'])['PolicyVersion']['Document']['Statement'][0]['Effect'],
}
iam.delete_access_key(UserName='dev', AccessKeyId=key['AccessKeyId'])
holding = [message_of(iam.delete_user, UserName='dev')]
iam.delete_user_policy(UserName='dev', PolicyName='team')
holding += [message_of(iam.delete_user, UserName='dev'), message_of(iam.get_login_profile, UserName='dev')]
iam.detach_user_policy(UserName='dev', PolicyArn=READING)
iam.delete_user(UserName='dev')
print(json.dumps({
    'made': [made['UserName'], made['Path'], made['Arn'], made['UserId'][:4], twice],
    'userTags': user_tags,
    'ownPolicy': own_policy,
    'nothing': nothing,
    'reading': reading,
    'wrong': wrong,
    'document': read == POLICY,
    'tags': [untagged, tagged],
    'decoded': decoded,
    'own': [own, others, used],
    'held': [held, *holding],
    'removal': removal,
    'switched': [inactive, active],
    'listed': listed,
    'gone': result_of(iam.get_user, UserName='dev'),
    'admin': [iam.get_user()['User']['UserName'], result_of(iam.attach_user_policy, UserName='admin', PolicyArn=READING)],
}))
