"""Makes roles and instance profiles as Terraform's aws_iam_role, aws_iam_role_policy, aws_iam_instance_profile and
aws_instance do, and assumes a role. Arguments: the API's address and the id of an image. Prints what was read.
"""
import json
import sys
import time

from story import client_of, result_of

IMAGE = sys.argv[2]
READING = 'arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess'
TRUST = {
    'Version': '2012-10-17',
    'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': '000000000001'}, 'Action': 'sts:AssumeRole'},
        {'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'},
    ],
}
TAGGING = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'ec2:CreateTags', 'Resource': '*'}]}
NO_TRUST = {'Version': '2012-10-17', 'Statement': [{**TRUST['Statement'][0], 'Principal': {'AWS': '*'}}]}


def keys_of(answer):
    made = answer['Credentials']
    return {
        'aws_access_key_id': made['AccessKeyId'],
        'aws_secret_access_key': made['SecretAccessKey'],
        'aws_session_token': made['SessionToken'],
    }


iam, ec2, sts = client_of('iam'), client_of('ec2'), client_of('sts')

role = iam.create_role(
    RoleName='web',
    Path='/team/',
    AssumeRolePolicyDocument=json.dumps(TRUST),
    Description='d',
    MaxSessionDuration=7200,
    Tags=[{'Key': 'team', 'Value': 'red'}],
)['Role']
twice = result_of(iam.create_role, RoleName='WEB', AssumeRolePolicyDocument=json.dumps(TRUST))
everybody = result_of(iam.create_role, RoleName='all', AssumeRolePolicyDocument=json.dumps(NO_TRUST))
read = iam.get_role(RoleName='web')['Role']
iam.attach_role_policy(RoleName='web', PolicyArn=READING)
iam.put_role_policy(RoleName='web', PolicyName='own', PolicyDocument=json.dumps(TAGGING))
iam.update_role(RoleName='web', Description='e', MaxSessionDuration=3600)
iam.tag_role(RoleName='web', Tags=[{'Key': 'a', 'Value': '1'}, {'Key': 'TEAM', 'Value': 'blue'}])
iam.untag_role(RoleName='web', TagKeys=['A'])
iam.get_waiter('role_exists').wait(RoleName='web')
listed = {
    'roles': [one['RoleName'] for page in iam.get_paginator('list_roles').paginate(PathPrefix='/team/') for one in page['Roles']],
    'none': iam.list_roles(PathPrefix='/other/')['Roles'],
    'inline': iam.list_role_policies(RoleName='web')['PolicyNames'],
    'document': iam.get_role_policy(RoleName='web', PolicyName='own')['PolicyDocument'] == TAGGING,
    'attached': [one['PolicyName'] for one in iam.list_attached_role_policies(RoleName='web')['AttachedPolicies']],
    'entities': [one['RoleName'] for one in iam.list_entities_for_policy(PolicyArn=READING)['PolicyRoles']],
    'tags': iam.list_role_tags(RoleName='web')['Tags'],
    'description': iam.get_role(RoleName='web')['Role']['Description'],
    'described': iam.update_role_description(RoleName='web', Description='f')['Role']['Description'],
}

assumed = sts.assume_role(RoleArn=role['Arn'], RoleSessionName='me')
own = keys_of(assumed)
own_ec2, own_iam, own_sts = (client_of(service, **own) for service in ('ec2', 'iam', 'sts'))
who = own_sts.get_caller_identity()
narrow = client_of('ec2', **keys_of(sts.assume_role(
    RoleArn=role['Arn'], RoleSessionName='me', Policy=json.dumps(TAGGING),
)))
narrower = client_of('ec2', **keys_of(sts.assume_role(
    RoleArn=role['Arn'], RoleSessionName='me', PolicyArns=[{'arn': READING}],
)))
session = {
    'identity': [who['Arn'], who['UserId'] == f"{role['RoleId']}:me", assumed['AssumedRoleUser']['Arn'] == who['Arn']],
    'may': [
        result_of(own_ec2.describe_instances),
        result_of(own_ec2.create_tags, Resources=[IMAGE], Tags=[{'Key': 'k', 'Value': 'v'}]),
        result_of(own_ec2.deregister_image, ImageId=IMAGE, DryRun=True),
        result_of(own_iam.list_roles),
    ],
    'user': result_of(own_iam.get_user),
    'policy': [result_of(narrow.describe_instances), result_of(narrow.create_tags, Resources=[IMAGE], Tags=[{'Key': 'k', 'Value': 'v'}])],
    'managed': [result_of(narrower.describe_instances), result_of(narrower.create_tags, Resources=[IMAGE], Tags=[{'Key': 'k', 'Value': 'v'}])],
    'tooLong': result_of(sts.assume_role, RoleArn=role['Arn'], RoleSessionName='me', DurationSeconds=3601),
    'tags': result_of(sts.assume_role, RoleArn=role['Arn'], RoleSessionName='me', Tags=[{'Key': 'a', 'Value': 'b'}]),
    'absent': result_of(sts.assume_role, RoleArn='arn:aws:iam::000000000001:role/none', RoleSessionName='me'),
}

profile = iam.create_instance_profile(InstanceProfileName='web', Path='/team/', Tags=[{'Key': 'k', 'Value': 'v'}])['InstanceProfile']
iam.get_waiter('instance_profile_exists').wait(InstanceProfileName='web')
order = {'ImageId': IMAGE, 'InstanceType': 't3.micro', 'MinCount': 1, 'MaxCount': 1}
empty = result_of(ec2.run_instances, **order, IamInstanceProfile={'Name': 'web'})
iam.add_role_to_instance_profile(InstanceProfileName='web', RoleName='web')
second = result_of(iam.add_role_to_instance_profile, InstanceProfileName='web', RoleName='web')
launched = ec2.run_instances(**order, IamInstanceProfile={'Arn': profile['Arn']})['Instances'][0]
ec2.create_launch_template(LaunchTemplateName='web', LaunchTemplateData={
    'ImageId': IMAGE, 'InstanceType': 't3.micro', 'IamInstanceProfile': {'Name': 'web'},
})
templated = ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={'LaunchTemplateName': 'web'})['Instances'][0]
instance = launched['InstanceId']
by = {'Filters': [{'Name': 'instance-id', 'Values': [instance]}]}


def associations():
    return ec2.describe_iam_instance_profile_associations(**by)['IamInstanceProfileAssociations']


first = associations()[0]
replaced = ec2.replace_iam_instance_profile_association(
    AssociationId=first['AssociationId'], IamInstanceProfile={'Name': 'web'},
)['IamInstanceProfileAssociation']
again = result_of(ec2.associate_iam_instance_profile, InstanceId=instance, IamInstanceProfile={'Name': 'web'})
ended = ec2.disassociate_iam_instance_profile(AssociationId=replaced['AssociationId'])['IamInstanceProfileAssociation']
left = associations()
made = ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={'Name': 'web'})['IamInstanceProfileAssociation']
profiles = {
    'made': [profile['Arn'], profile['Roles'], profile['InstanceProfileId'][:4]],
    'empty': empty,
    'second': second,
    'launched': [launched['IamInstanceProfile']['Arn'] == profile['Arn'], templated['IamInstanceProfile']['Id'] == profile['InstanceProfileId']],
    'wrong': [
        result_of(ec2.run_instances, **order, IamInstanceProfile={'Name': 'none'}),
        result_of(ec2.run_instances, **order, IamInstanceProfile={'Name': 'web', 'Arn': profile['Arn']}),
        result_of(ec2.run_instances, **order, IamInstanceProfile={'Arn': profile['Arn'].replace('/team/', '/')}),
    ],
    'first': [first['State'], first['InstanceId'] == instance],
    'replaced': replaced['AssociationId'] != first['AssociationId'],
    'again': again,
    'ended': [ended['State'], left],
    'found': len(ec2.describe_instances(Filters=[{'Name': 'iam-instance-profile.arn', 'Values': [profile['Arn']]}])['Reservations']),
    'roles': [one['RoleName'] for one in iam.get_instance_profile(InstanceProfileName='web')['InstanceProfile']['Roles']],
    'forRole': [one['InstanceProfileName'] for one in iam.list_instance_profiles_for_role(RoleName='web')['InstanceProfiles']],
    'held': [result_of(iam.delete_role, RoleName='web'), result_of(iam.delete_instance_profile, InstanceProfileName='web')],
}

iam.detach_role_policy(RoleName='web', PolicyArn=READING)
changed = result_of(own_ec2.describe_instances)
iam.attach_role_policy(RoleName='web', PolicyArn=READING)

iam.create_user(UserName='dev', Path='/team/')
iam.attach_user_policy(UserName='dev', PolicyArn=READING)
key = iam.create_access_key(UserName='dev')['AccessKey']
dev = client_of('sts', aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey'])
paths = [dev.get_caller_identity()['Arn'], dev.get_caller_identity()['UserId'][:4]]
iam.update_user(UserName='dev', NewUserName='ops', NewPath='/other/')
users = {
    'paths': paths,
    'moved': [dev.get_caller_identity()['Arn'], result_of(iam.get_user, UserName='dev')],
    'prefix': [one['UserName'] for one in iam.list_users(PathPrefix='/other/')['Users']],
    'kept': [one['PolicyName'] for one in iam.list_attached_user_policies(UserName='ops')['AttachedPolicies']],
    'since': iam.get_user()['User']['CreateDate'].year > 2020,
}

print(json.dumps({
    'role': [role['Arn'], role['RoleId'][:4], role['MaxSessionDuration'], twice, everybody],
    'read': [read['AssumeRolePolicyDocument'] == TRUST, read['Tags']],
    'listed': listed,
    'session': session,
    'profiles': profiles,
    'changed': changed,
    'users': users,
    'instance': instance,
    'association': made['AssociationId'],
    'credentials': own,
}))
