"""Plays Terraform's aws_launch_template, aws_placement_group, aws_ami_launch_permission and aws_ami_copy with boto3, and launches from them.

The calls of the provider are from its source (internal/service/ec2: ec2_launch_template.go, ec2_placement_group.go,
ec2_ami_launch_permission.go, ec2_ami_copy.go). Arguments: the API's address, and an image.
"""
import json
import sys

from story import client, code_of, only, where

image = sys.argv[2]


def template_of(**asked):
    return only(client.describe_launch_templates(**asked)['LaunchTemplates'])


def launch(**asked):
    return client.run_instances(MinCount=1, MaxCount=1, **asked)['Instances'][0]


group = client.create_placement_group(GroupName='apart', Strategy='spread')['PlacementGroup']
shown = only(client.describe_placement_groups(GroupNames=['apart'])['PlacementGroups'])
data = {
    'ImageId': image,
    'InstanceType': 't3.micro',
    'Placement': {'GroupName': 'apart'},
    'MetadataOptions': {'HttpTokens': 'required'},
    'TagSpecifications': [{'ResourceType': 'instance', 'Tags': [{'Key': 'Name', 'Value': 'from-template'}]}],
}
made = client.create_launch_template(
    LaunchTemplateName='story',
    VersionDescription='first',
    LaunchTemplateData=data,
    TagSpecifications=[{'ResourceType': 'launch-template', 'Tags': [{'Key': 'team', 'Value': 'a'}]}],
)['LaunchTemplate']
template = made['LaunchTemplateId']
read = only(client.describe_launch_template_versions(LaunchTemplateId=template, Versions=['1'])['LaunchTemplateVersions'])
client.create_launch_template_version(LaunchTemplateId=template, SourceVersion='$Latest', LaunchTemplateData={'InstanceType': 't3.small'})
client.modify_launch_template(LaunchTemplateId=template, DefaultVersion='2')
found = template_of(Filters=where(launch_template_name='st*'))
paged = [
    version['VersionNumber']
    for page in client.get_paginator('describe_launch_template_versions').paginate(
        LaunchTemplateId=template, PaginationConfig={'PageSize': 1}
    )
    for version in page['LaunchTemplateVersions']
]
instance = launch(LaunchTemplate={'LaunchTemplateId': template, 'Version': '1'})
full = code_of(client.run_instances, LaunchTemplate={'LaunchTemplateName': 'story'}, MinCount=1, MaxCount=1)
tags = client.describe_tags(
    Filters=[
        {'Name': 'resource-id', 'Values': [instance['InstanceId']]},
        {'Name': 'key', 'Values': ['aws:ec2launchtemplate:id']},
    ]
)['Tags']
copied = client.get_launch_template_data(InstanceId=instance['InstanceId'])['LaunchTemplateData']
in_use = code_of(client.delete_placement_group, GroupName='apart')
deleted = client.delete_launch_template_versions(LaunchTemplateId=template, Versions=['1', '2'])

client.modify_image_attribute(ImageId=image, LaunchPermission={'Add': [{'UserId': '111122223333'}]})
shared = client.describe_image_attribute(ImageId=image, Attribute='launchPermission')['LaunchPermissions']
client.modify_image_attribute(ImageId=image, LaunchPermission={'Remove': [{'UserId': '111122223333'}]})
private = client.describe_image_attribute(ImageId=image, Attribute='launchPermission')['LaunchPermissions']
copy = client.copy_image(Name='copied', SourceImageId=image, SourceRegion='atoll', Description='a copy')['ImageId']
client.get_waiter('image_available').wait(ImageIds=[copy])
described = only(client.describe_images(ImageIds=[copy])['Images'])
client.deregister_image(ImageId=copy)
client.delete_launch_template(LaunchTemplateId=template)
client.reset_instance_attribute(InstanceId=instance['InstanceId'], Attribute='sourceDestCheck')
print(
    json.dumps(
        {
            'group': [group['State'], shown['Strategy'], shown['SpreadLevel'], shown['GroupId'] == group['GroupId']],
            'read': [read['VersionDescription'], read['DefaultVersion'], read['LaunchTemplateData'] == data],
            'found': [found['DefaultVersionNumber'], found['LatestVersionNumber'], found['Tags']],
            'paged': paged,
            'launched': [
                instance['InstanceType'],
                instance['Placement']['GroupName'],
                instance['MetadataOptions']['HttpTokens'],
                only(tags)['Value'] == template,
            ],
            'full': full,
            'copied': [copied['InstanceType'], copied['Placement']['GroupName']],
            'inUse': in_use,
            'deleted': [
                [one['VersionNumber'] for one in deleted['SuccessfullyDeletedLaunchTemplateVersions']],
                [one['VersionNumber'] for one in deleted['UnsuccessfullyDeletedLaunchTemplateVersions']],
            ],
            'gone': code_of(client.describe_launch_templates, LaunchTemplateIds=[template]),
            'image': [shared, private, described['Description']],
            'instance': instance['InstanceId'],
        }
    )
)
