"""Looks up who called what, as scripts do. Argument: the API's address. Prints what was found."""
import json
from datetime import datetime, timedelta, timezone

from story import client_of, result_of

ec2, trail, iam = client_of('ec2'), client_of('cloudtrail'), client_of('iam')
began = datetime.now(timezone.utc).replace(microsecond=0)
group = ec2.create_security_group(GroupName='audited', Description='d')['GroupId']
refused = result_of(ec2.create_security_group, GroupName='audited', Description='d')
ec2.create_tags(Resources=[group], Tags=[{'Key': 'Name', 'Value': 'x'}])
ec2.delete_security_group(GroupId=group)
iam.create_user(UserName='audited')
key = iam.create_access_key(UserName='audited')['AccessKey']
keys = {'aws_access_key_id': key['AccessKeyId'], 'aws_secret_access_key': key['SecretAccessKey']}
denied = result_of(client_of('cloudtrail', **keys).lookup_events)


def find(**more):
    pages = trail.get_paginator('lookup_events').paginate(PaginationConfig={'PageSize': 2}, **more)
    return [event for page in pages for event in page['Events']]


def by(name, value):
    return find(LookupAttributes=[{'AttributeKey': name, 'AttributeValue': value}], StartTime=began)


def names(events):
    # `began` is a whole second: what was called before in it is found, too.
    return [event['EventName'] for event in events if is_ours(event['CloudTrailEvent'])]


def is_ours(text):
    return group in text or 'audited' in text


of_group = by('ResourceName', group)
first = of_group[-1]
detail = json.loads(first['CloudTrailEvent'])
ours = {'group': group, 'request': detail['requestParameters'], 'response': detail['responseElements']}
page = trail.lookup_events(MaxResults=1)
token = page['NextToken']
attributes = [{'AttributeKey': 'EventName', 'AttributeValue': 'CreateTags'}]
hour = timedelta(hours=1)
print(
    json.dumps(
        {
            'refused': [refused, denied],
            'of_group': names(of_group),
            'view': [first[name] for name in ('EventName', 'ReadOnly', 'EventSource', 'Username', 'AccessKeyId')],
            'resources': {'ResourceType': 'AWS::EC2::SecurityGroup', 'ResourceName': group} in first['Resources'],
            'time': began <= first['EventTime'] <= began + timedelta(minutes=5),
            'detail': [detail['eventID'] == first['EventId'], detail['sourceIPAddress'], 'Boto3' in detail['userAgent']],
            'ours': ours['request']['groupName'] == 'audited' and ours['response']['groupId'] == group,
            'by': {
                'EventId': names(by('EventId', first['EventId'])),
                'EventName': names(by('EventName', 'CreateTags')),
                'EventSource': names(by('EventSource', 'iam.amazonaws.com')),
                'ReadOnly': [name for name in names(by('ReadOnly', 'false')) if name == 'DeleteSecurityGroup'],
                'ResourceType': names(by('ResourceType', 'AWS::EC2::SecurityGroup'))[:1],
                'Username': names(by('Username', 'nobody')),
                'AccessKeyId': len(by('AccessKeyId', first['AccessKeyId'])) >= 5,
            },
            'times': [len(find(StartTime=began + hour)), len(find(EndTime=began - hour))],
            'secret': key['SecretAccessKey'] in json.dumps(find(StartTime=began), default=str),
            'wrong': [
                result_of(trail.lookup_events, StartTime=began, EndTime=began - hour),
                result_of(trail.lookup_events, LookupAttributes=attributes * 2),
                result_of(trail.lookup_events, NextToken='nonsense'),
                result_of(trail.lookup_events, NextToken=token, LookupAttributes=attributes),
                result_of(trail.lookup_events, EventCategory='insight'),
            ],
        },
        default=str,
    )
)
