"""Lets botocore page through every listing that it can page through, and wait for all that is there.

Arguments: the API's address, and the actions that it answers. Prints how many listings were read, how many waiters came back, and what
went wrong.
"""
import json
import sys

from botocore.exceptions import BotoCoreError, ClientError
from story import client, needed

answered = set(sys.argv[2:])

wrong = []
listed = 0
for method, action in client.meta.method_to_api_mapping.items():
    shape = client.meta.service_model.operation_model(action).input_shape
    if action not in answered or (shape and shape.required_members) or not client.can_paginate(method):
        continue
    listed += 1
    size = {'PageSize': 20} if 'MaxResults' in shape.members else {}
    asked = needed.get(action, {})
    try:
        client.get_paginator(method).paginate(PaginationConfig=size, **asked).build_full_result()
    except (ClientError, BotoCoreError) as error:
        wrong.append([action, str(error)])

instances = [
    instance['InstanceId']
    for reservation in client.describe_instances()['Reservations']
    for instance in reservation['Instances']
]
there = {
    'instance_exists': {'InstanceIds': instances},
    'instance_running': {'InstanceIds': instances},
    'instance_status_ok': {'InstanceIds': instances},
    'system_status_ok': {'InstanceIds': instances},
    'image_available': {},
    'image_exists': {},
    'internet_gateway_exists': {},
    'key_pair_exists': {},
    'security_group_exists': {},
    'subnet_available': {},
    'volume_in_use': {},
    'vpc_available': {},
    'vpc_exists': {},
    'vpc_peering_connection_deleted': {'VpcPeeringConnectionIds': ['pcx-00000000']},
    'nat_gateway_deleted': {'NatGatewayIds': ['nat-00000000']},
}
waited = 0
for name, arguments in there.items():
    # Added to botocore later than Debian's.
    if name not in client.waiter_names:
        continue
    try:
        client.get_waiter(name).wait(WaiterConfig={'MaxAttempts': 1}, **arguments)
        waited += 1
    except (ClientError, BotoCoreError) as error:
        wrong.append([name, str(error)])
print(json.dumps({'listed': listed, 'waited': waited, 'wrong': wrong}))
