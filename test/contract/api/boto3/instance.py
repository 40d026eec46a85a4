"""Inside an instance: gets the credentials of its role as botocore's default chain does, and calls the API with them.
Arguments: the API's address and that of the metadata service. Prints what was read.
"""
import json
import sys

import boto3
from botocore.credentials import InstanceMetadataProvider
from botocore.exceptions import ClientError
from botocore.utils import InstanceMetadataFetcher

URL, METADATA = sys.argv[1], sys.argv[2]
fetcher = InstanceMetadataFetcher(timeout=10, num_attempts=2, base_url=METADATA)
found = InstanceMetadataProvider(fetcher).load()
if found is None:
    print(json.dumps({'found': False}))
    sys.exit()
frozen = found.get_frozen_credentials()
keys = {
    'aws_access_key_id': frozen.access_key,
    'aws_secret_access_key': frozen.secret_key,
    'aws_session_token': frozen.token,
}


def client(service):
    return boto3.client(service, endpoint_url=URL, region_name='atoll', **keys)


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
    return 'OK'


who = client('sts').get_caller_identity()
print(json.dumps({
    'found': True,
    'arn': who['Arn'],
    'may': [code_of(client('ec2').describe_instances), code_of(client('ec2').allocate_address)],
}))
